"""The denoising loss by hand."""

import torch

from cdd_icm.objectives.cdd import cdd_loss


def test_loss_by_hand():
    target, sample = torch.zeros(2, 3, 2, 2), torch.zeros(2, 3, 2, 2)
    sample[0, :, 0, 0], sample[0, 0, 1, 1] = 0.5, 0.3  # errors 0.25 inside the region, 0.09 / 3 outside
    changed = torch.zeros(2, 1, 2, 2, dtype=torch.bool)
    changed[0, 0, 0] = True
    weight = torch.tensor([2.0, 3.0])[:, None, None, None]
    loss, inside = cdd_loss(sample, target, changed, weight, changed_weight=8.0)
    assert torch.allclose(loss, torch.tensor([2 * (8 * 0.25 / 2 + 0.03 / 2), 0.0]))
    assert torch.allclose(inside, torch.tensor([0.25 / 2, 0.0]))  # nothing changed in the second: 0, not nan
    loss, _ = cdd_loss(sample, target, changed, weight, 8.0, "pixels")
    assert torch.allclose(loss, torch.tensor([2 * (8 * 0.25 + 0.03) / 2, 0.0]))
