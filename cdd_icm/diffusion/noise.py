"""The random numbers of training, a pure function of the seed and the sample number."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from cdd_icm.config import Config, DiffusionConfig
from cdd_icm.diffusion.schedule import NUM_TRAIN_TIMESTEPS
from cdd_icm.hashing import derive_seed

REFERENCE_NOISE = 0.1
"""Largest standard deviation of the noise on references, in units of [-1, 1] pixels; it is uniform from 0
up."""


@dataclass
class RandomNumbers:
    """The random numbers of one batch. Sample i of a run gets the same numbers in every process, batch or
    micro-batch."""

    timestep: Int[Tensor, " B"]
    noise: Float[Tensor, "B 3 R R"]
    reference_noise: Float[Tensor, "B 3 R R"]
    reference_level: Float[Tensor, " B"]
    """Standard deviation of the reference's noise."""
    drop: Float[Tensor, " B"]
    """Uniform in [0, 1); decides which condition is dropped."""

    @classmethod
    def make(cls, config: Config, first: int, n: int, device: torch.device) -> RandomNumbers:
        """The random numbers of samples `first` to `first + n - 1` of the run, counted over all processes."""
        generator = torch.Generator(device)
        uniform = torch.empty(n, 3, device=device)
        normal = torch.empty(n, 2, 3, config.data.image_size, config.data.image_size, device=device)
        for i in range(n):
            generator.manual_seed(derive_seed(config.seed, first + i))
            uniform[i].uniform_(generator=generator)
            normal[i].normal_(generator=generator)
        time, level, drop = uniform.unbind(dim=1)
        noise, reference_noise = normal.unbind(dim=1)
        return cls(
            timestep=draw_timestep(time, config.diffusion),
            noise=noise,
            reference_noise=reference_noise,
            reference_level=level * REFERENCE_NOISE,
            drop=drop,
        )


def draw_timestep(u: Float[Tensor, "*"], diffusion: DiffusionConfig) -> Int[Tensor, "*"]:
    """Maps u, uniform in [0, 1), to timesteps 0..T-1: T s u / (1 + (s - 1) u) with s = `timestep_shift`
    (Esser et al. 2024, arXiv 2403.03206). s > 1 draws noisy timesteps, at which the text matters most, more
    often."""
    s = diffusion.timestep_shift
    t = (NUM_TRAIN_TIMESTEPS * s * u / (1 + (s - 1) * u)).long()
    return t.clamp(max=NUM_TRAIN_TIMESTEPS - 1)
