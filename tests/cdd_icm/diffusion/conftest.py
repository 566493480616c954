"""The noise levels."""

import pytest
import torch

from cdd_icm.diffusion.schedule import noise_levels, training_scheduler


@pytest.fixture
def levels():
    """levels(timestep) -> alpha and sigma, by default of every timestep."""

    def of(timestep=None):
        scheduler = training_scheduler()
        every = torch.arange(scheduler.config.num_train_timesteps)
        return noise_levels(scheduler.alphas_cumprod, every if timestep is None else timestep)

    return of
