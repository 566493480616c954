"""The loss of the mask: a small region counts, and what a probability comes to."""

import torch

from cdd_icm.objectives.mask import mask_loss


def test_the_mask_learns_a_small_region_as_fast_as_the_rest():
    changed = torch.zeros(2, 1, 8, 8, dtype=torch.bool)
    changed[0, :, 2, 3] = True
    logits = torch.zeros(2, 1, 8, 8, requires_grad=True)
    loss = mask_loss(logits, changed)
    assert torch.allclose(loss, torch.tensor([0.6931, 0.6931 / 2]), atol=1e-3)  # nothing inside in the second
    loss[0].backward()
    assert torch.isclose(logits.grad[changed].sum(), -logits.grad[~changed].sum(), atol=1e-6)


def test_balanced_between_pixels_a_probability_is_the_share_of_what_changes():
    """Between regions, the best guess for what vanishes in one of four is that it does."""
    changed = torch.zeros(4, 1, 10, 10, dtype=torch.bool)
    changed[:, :, 8:], changed[0, :, :2, :2] = True, True
    guesses = torch.linspace(-4, 4, 81)
    best = {}
    for balance in ("regions", "pixels"):
        logits = torch.full((81, 4, 1, 10, 10), -9.0)
        logits[..., 8:, :], logits[..., :2, :2] = 9.0, guesses[:, None, None, None, None]
        losses = [mask_loss(guess, changed, balance).mean() for guess in logits]
        best[balance] = guesses[torch.stack(losses).argmin()].sigmoid().item()
    assert best["regions"] > 0.5 and abs(best["pixels"] - 0.25) < 0.05
