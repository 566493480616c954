"""The random numbers of a pipeline call."""

from __future__ import annotations

import torch
from diffusers.utils.torch_utils import randn_tensor
from jaxtyping import Float
from torch import Tensor

from cdd_icm.plan.protocol import Plan
from cdd_icm.sampling.inputs import Generators


def draw_noise(
    shape: torch.Size, n: int, generator: Generators, planner: Plan | None, device: torch.device
) -> tuple[Float[Tensor, "Bn 3 R R"], Tensor | None]:
    """The initial noise, of `shape`, and the plan's noise, drawn picture by picture, so that a picture does
    not depend on the rest of the batch. A list of generators has one for every `n` pictures."""
    latents, plans = [], []
    for i in range(shape[0]):
        g = generator[i // n] if isinstance(generator, list) else generator
        latents.append(randn_tensor((1, *shape[1:]), generator=g, device=device))
        if planner is not None:
            plans.append(planner.noise(g).to(device))
    return torch.cat(latents), torch.stack(plans) if plans else None
