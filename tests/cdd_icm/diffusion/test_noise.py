"""The randomness of a training step: what it depends on, and its distributions."""

import pytest
import torch

from cdd_icm.diffusion.noise import RandomNumbers, draw_timestep

CPU = torch.device("cpu")


def equal(one, other):
    return all(torch.equal(a, b) for a, b in zip(vars(one).values(), vars(other).values(), strict=True))


def rows(draws, share):
    return RandomNumbers(*(part[share] for part in vars(draws).values()))


def test_a_samples_draws_are_a_function_of_seed_and_number_alone(make_config):
    config = make_config()
    eight = RandomNumbers.make(config, 100, 8, CPU)
    assert equal(rows(eight, slice(4, 8)), RandomNumbers.make(config, 104, 4, CPU))
    torch.manual_seed(5)
    assert equal(eight, RandomNumbers.make(config, 100, 8, CPU))
    assert not equal(eight, RandomNumbers.make(make_config(seed=1), 100, 8, CPU))
    assert len(eight.noise.flatten(1).unique(dim=0)) == 8


def test_draws_have_the_distributions_that_they_claim(make_config):
    config = make_config(data__image_size=16, encoder__history=0)
    draws = RandomNumbers.make(config, 0, 4000, CPU)
    assert draws.noise.shape == (4000, 3, 16, 16)
    for noise in (draws.noise, draws.reference_noise):
        assert abs(noise.mean()) < 1e-2 and abs(noise.std() - 1) < 1e-2
    assert abs((draws.noise * draws.reference_noise).mean()) < 1e-2
    assert draws.timestep.min() < 5 and draws.timestep.max() > 994
    assert abs(draws.timestep.float().mean() - 499.5) < 20
    assert draws.reference_level.min() >= 0 and 0.0999 < draws.reference_level.max() <= 0.1
    assert abs(draws.drop.mean() - 0.5) < 0.02


@pytest.mark.parametrize("shift", [1.0, 3.0])
def test_timesteps_follow_their_shift(make_config, shift):
    diffusion = make_config(diffusion__timestep_shift=shift).diffusion
    u = torch.arange(100_000) / 100_000
    level = (draw_timestep(u, diffusion) + 0.5) / 1000
    # the share of timesteps under half the schedule: s u / (1 + (s - 1) u) = 1/2 at u = 1 / (s + 1)
    assert (level < 0.5).float().mean() == pytest.approx(1 / (shift + 1), abs=2e-3)
    assert level.min() > 0 and level.max() < 1 and (level[1:] >= level[:-1]).all()
    odds = shift * u / (1 - u)  # the map multiplies the odds by s
    assert torch.allclose(level[1000:-1000], (odds / (1 + odds))[1000:-1000], atol=1e-3)
