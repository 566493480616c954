"""The noise levels of a schedule."""

import pytest
import torch

from cdd_icm.config import DiffusionConfig
from cdd_icm.diffusion.schedule import noise_levels, training_scheduler


@pytest.fixture
def levels():
    """levels(schedule, timestep) -> alpha and sigma, by default of every timestep."""

    def of(schedule="squaredcos_cap_v2", timestep=None):
        scheduler = training_scheduler(DiffusionConfig(beta_schedule=schedule))
        every = torch.arange(scheduler.config.num_train_timesteps)
        return noise_levels(scheduler.alphas_cumprod, every if timestep is None else timestep)

    return of
