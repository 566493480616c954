"""Fixed functions of the place relative to an object, of which "left of it" and "near it" are made."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from cdd_icm.plan.shared.camera import to_ground

DIRECTIONS = 8
EDGES = (-0.035, 0.0, 0.035)
"""Where half-planes begin, on the ground, as shares of the picture's side: from about this difference on, two
objects of the CLEVR world are told to be beside or behind one another."""
RADII = (0.06, 0.12, 0.16, 0.2, 0.25, 0.32, 0.45, 0.6)
SHARPNESS = 60.0
"""Steepness of the edges: a cell of a grid of 32 is 0.03 wide."""
FUNCTIONS = DIRECTIONS * len(EDGES) + len(RADII)


class HalfPlanes(nn.Module):
    """Half-planes in each of `DIRECTIONS` that begin at each of `EDGES`, and discs of each of `RADII`, around
    an object's cell; on the ground plane, on which "behind" is a direction towards the vanishing point. Each
    is 1 inside and -1 outside.

    Args:
        grid: G. horizon: see `to_ground`.
    """

    def __init__(self, grid: int, horizon: float | None):
        super().__init__()
        index = torch.arange(grid)
        cells = torch.stack(torch.meshgrid(index, index, indexing="xy"), dim=-1).flatten(0, 1)  # (G^2, 2)
        at = to_ground((cells + 0.5) / grid, horizon)
        offset = at[None] - at[:, None]  # (G^2, G^2, 2), from each object's cell to each other cell
        angles = torch.arange(DIRECTIONS) * (2 * math.pi / DIRECTIONS)
        along = offset @ torch.stack([angles.cos(), angles.sin()])  # (G^2, G^2, D)
        inside = [along - edge for edge in EDGES]
        distance = offset.norm(dim=-1, keepdim=True)
        inside.append(torch.tensor(RADII) - distance)
        table = (SHARPNESS * torch.cat(inside, dim=-1)).tanh().transpose(1, 2)  # (G^2, F, G^2)
        self.register_buffer("table", table.to(torch.bfloat16).contiguous(), persistent=False)

    def forward(self, weights: Float[Tensor, "P F"], cells: Int[Tensor, " P"]) -> Float[Tensor, "P G2"]:
        """The weighted sum of the functions around each cell."""
        functions = self.table[cells]  # (P, F, G^2)
        return torch.bmm(weights[:, None].to(functions.dtype), functions)[:, 0].float()
