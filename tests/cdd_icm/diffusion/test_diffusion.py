"""The identities of the diffusion process, its weights by hand, and samplers against a known answer."""

import pytest
import torch
from diffusers import DDIMScheduler, schedulers

from cdd_icm.diffusion.parameterisation import add_noise, from_sample, to_sample
from cdd_icm.diffusion.region import changed_region, composite
from cdd_icm.diffusion.samplers import SAMPLERS, check_scheduler, scheduler_like
from cdd_icm.diffusion.schedule import noise_levels, snr_weight, training_scheduler
from cdd_icm.errors import InputError
from cdd_icm.objectives.cdd import cdd_loss
from cdd_icm.objectives.mask import mask_loss

EVERY = torch.arange(1000)


def levels(timestep=EVERY):
    return noise_levels(training_scheduler().alphas_cumprod, timestep)


def test_variance_is_preserved_and_the_last_step_is_noise():
    alpha, sigma = levels()
    assert torch.allclose(alpha**2 + sigma**2, torch.ones_like(alpha), atol=1e-6)
    assert alpha[-1] == 0 and sigma[-1] == 1  # zero terminal SNR
    assert (alpha[1:] < alpha[:-1]).all() and alpha[0] > 0.99
    assert alpha.shape == (1000, 1, 1, 1)


@pytest.mark.parametrize("kind", ["sample", "v_prediction", "epsilon"])
def test_parameterisations_round_trip(kind):
    x, eps = torch.randn(2, 998, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    alpha, sigma = levels(timestep=EVERY[:998])
    noisy = add_noise(x, eps, alpha, sigma)
    prediction = from_sample(x, noisy, alpha, sigma, kind)
    expected = {"sample": x, "v_prediction": alpha * eps - sigma * x, "epsilon": eps}[kind]
    assert torch.allclose(prediction, expected, atol=1e-3)
    there_and_back = to_sample(prediction, noisy, alpha, sigma, kind)
    shares = (
        slice(0, 990) if kind == "epsilon" else slice(None)
    )  # epsilon says little about x near pure noise
    assert torch.allclose(there_and_back[shares], x[shares], atol=1e-3)


def test_v_says_everything_at_pure_noise():
    x, eps = torch.randn(2, 1, 3, 4, 4)
    alpha, sigma = levels(timestep=torch.tensor([999]))
    v = from_sample(x, eps, alpha, sigma, "v_prediction")
    assert torch.equal(v, -x) and torch.equal(to_sample(v, eps, alpha, sigma, "v_prediction"), x)


def test_the_mask_learns_a_small_region_as_fast_as_the_rest():
    changed = torch.zeros(2, 1, 8, 8, dtype=torch.bool)
    changed[0, :, 2, 3] = True
    logits = torch.zeros(2, 1, 8, 8, requires_grad=True)
    loss = mask_loss(logits, changed)
    assert torch.allclose(loss, torch.tensor([0.6931, 0.6931 / 2]), atol=1e-3)  # nothing inside in the second
    loss[0].backward()
    assert torch.isclose(logits.grad[changed].sum(), -logits.grad[~changed].sum(), atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_where_the_mask_is_0_the_reference_comes_through_exactly(dtype):
    painted, reference = torch.randn(2, 2, 3, 4, 4)
    shut, open = torch.full((2, 1, 4, 4), -1e4, dtype=dtype), torch.full((2, 1, 4, 4), 1e4, dtype=dtype)
    assert torch.equal(composite(painted, shut, reference), reference)
    assert torch.equal(composite(painted, open, reference), painted)
    assert torch.allclose(composite(painted, shut * 0, reference), (painted + reference) / 2)
    assert composite(painted, None, reference) is painted


def test_weight_is_snr_plus_1_up_to_its_bound():
    alpha, sigma = levels()
    snr = (alpha[:-1] / sigma[:-1]) ** 2
    assert torch.allclose(snr_weight(alpha, sigma, 5.0)[:-1], (snr + 1).clamp(max=5), rtol=1e-4)
    assert snr_weight(alpha, sigma, 5.0)[-1] == 1
    # unbounded, the weighted error of x is the error of v
    x, other, eps = torch.randn(3, 500, 3, 4, 4)
    alpha, sigma = alpha[100:600], sigma[100:600]
    noisy = add_noise(x, eps, alpha, sigma)
    v, other_v = (from_sample(y, noisy, alpha, sigma, "v_prediction") for y in (x, other))
    assert torch.allclose(
        snr_weight(alpha, sigma, 1e9) * (x - other) ** 2, (v - other_v) ** 2, rtol=1e-3, atol=1e-4
    )


def test_changed_region_by_hand():
    reference = torch.zeros(2, 3, 32, 48)
    target = reference.clone()
    target[1, 1, 10, 20] = 0.13  # one channel of one pixel, just over the threshold
    target[:, :, 25, 5] = 0.11  # under it
    changed = changed_region(reference, target)
    expected = torch.zeros(2, 1, 32, 48, dtype=torch.bool)
    expected[1, :, 6:15, 16:25] = True
    assert torch.equal(changed, expected)
    assert torch.equal(changed_region(target, reference), expected)


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


MEAN, SPREAD = 0.1, 0.2


@pytest.mark.parametrize("name", SAMPLERS)
def test_samplers_recover_a_gaussian(name):
    """Of pixels from N(0.1, 0.2^2) the best guess of x is known: E[x | x_t]."""
    scheduler = scheduler_like(training_scheduler(), name)
    scheduler.set_timesteps(60)
    generator = torch.Generator().manual_seed(0)
    latents = torch.randn(1, 1, 150, 150, generator=generator) * scheduler.init_noise_sigma
    stochastic = name in ("DDPMScheduler", "EulerAncestralDiscreteScheduler", "SASolverScheduler")
    for t in scheduler.timesteps:
        noisy = scheduler.scale_model_input(latents, t)
        alpha, sigma = noise_levels(scheduler.alphas_cumprod, torch.tensor([int(t)]))
        gain = alpha * SPREAD**2 / (alpha**2 * SPREAD**2 + sigma**2)
        sample = MEAN + gain * (noisy - alpha * MEAN)
        output = from_sample(sample, noisy, alpha, sigma, scheduler.config.prediction_type)
        options = {"generator": generator} if stochastic else {}
        latents = scheduler.step(output, t, latents, return_dict=False, **options)[0]
    assert abs(latents.mean() - MEAN) < 0.01
    assert abs(latents.std() - SPREAD) < 0.03


@pytest.mark.parametrize("name", SAMPLERS)
def test_samplers_can_follow_each_other(name):
    """Whichever came before, a sampler is as if made from the training's own schedule."""
    trained = training_scheduler()
    first = scheduler_like(trained, name)
    for before in SAMPLERS:
        again = scheduler_like(scheduler_like(trained, before), name)
        for key in {"algorithm_type", "solver_type"} & first.config.keys():
            assert again.config[key] == first.config[key]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("DDIMInverseScheduler", "makes noise of pictures"),
        ("DPMSolverMultistepInverseScheduler", "makes noise of pictures"),
        ("HeunDiscreteScheduler", "can't begin with pure noise"),
    ],
)
def test_a_scheduler_that_can_not_draw_is_refused(name, reason):
    other = getattr(schedulers, name).from_config(training_scheduler().config)
    with pytest.raises(InputError, match=f"scheduler: {name} {reason}"):
        check_scheduler(other)


def test_a_scheduler_with_other_noise_levels_is_refused():
    trained = DDIMScheduler.from_config(training_scheduler().config, beta_schedule="scaled_linear")
    check_scheduler(trained)
    check_scheduler(scheduler_like(trained, "UniPCMultistepScheduler"))
    with pytest.raises(InputError, match="DEISMultistepScheduler does not take the model's noise levels"):
        scheduler_like(trained, "DEISMultistepScheduler")  # it knows no zero terminal SNR
    with pytest.raises(InputError, match="'DDIM' can't be used; the nearest that can is DDIMScheduler"):
        scheduler_like(trained, "DDIM")
