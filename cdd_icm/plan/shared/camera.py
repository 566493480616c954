"""Projects positions in a picture to the ground plane."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def to_ground(position: Float[Tensor, "*n 2"], horizon: float | None) -> Float[Tensor, "*n 2"]:
    """Projects positions (x, y) in a picture, in [0, 1], to positions (x', y') on the ground plane of a level
    camera: x' to the right, y' towards the camera, scaled so that both agree with x and y near the middle of
    the picture. With d = (1/2 - horizon) / (y - horizon): x' - 1/2 = (x - 1/2) d, y' - 1/2 = (1/2 - horizon)
    (1 - d). Without a horizon the picture is flat and positions are unchanged."""
    if horizon is None:
        return position
    x, y = position.unbind(dim=-1)
    middle = 0.5 - horizon
    d = middle / (y - horizon).clamp(min=0.1 * middle)  # the sky is far away, but not infinitely
    return torch.stack([0.5 + (x - 0.5) * d, 0.5 + middle * (1 - d)], dim=-1)
