"""diffusers' samplers against a known answer, and those that are refused."""

import pytest
import torch
from diffusers import DDIMScheduler, schedulers

from cdd_icm.diffusion.parameterisation import from_sample
from cdd_icm.diffusion.samplers import SAMPLERS, check_scheduler, scheduler_like
from cdd_icm.diffusion.schedule import noise_levels, training_scheduler
from cdd_icm.errors import InputError

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


@pytest.mark.slow
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
        ("DDIMInverseScheduler", "inverts pictures to noise"),
        ("DPMSolverMultistepInverseScheduler", "inverts pictures to noise"),
        ("HeunDiscreteScheduler", "can't start from pure noise"),
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
    with pytest.raises(InputError, match="DEISMultistepScheduler does not use the model's noise levels"):
        scheduler_like(trained, "DEISMultistepScheduler")  # it knows no zero terminal SNR
    with pytest.raises(InputError, match="'DDIM' is not supported; the nearest .* is DDIMScheduler"):
        scheduler_like(trained, "DDIM")
