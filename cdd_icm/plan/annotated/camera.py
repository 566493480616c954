"""Places in a picture as places on the ground that it shows."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def ground(place: Float[Tensor, "*n 2"], horizon: float | None) -> Float[Tensor, "*n 2"]:
    """Places of a picture, x and y in [0, 1], as places on the ground seen by a level camera: to the right
    and towards it, in the unit that measures both in the middle of the picture. With d the distance of the
    middle from the horizon over that of the place, (1/2 - `horizon`) / (y - `horizon`):
    x' - 1/2 = (x - 1/2) d and y' - 1/2 = (1/2 - horizon) (1 - d). Without a horizon the picture is flat, and
    places stay as they are."""
    if horizon is None:
        return place
    x, y = place.unbind(dim=-1)
    middle = 0.5 - horizon
    d = middle / (y - horizon).clamp(min=0.1 * middle)  # what is in the sky is far away, but not infinitely
    return torch.stack([0.5 + (x - 0.5) * d, 0.5 + middle * (1 - d)], dim=-1)
