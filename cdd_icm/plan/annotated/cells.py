"""Upsamples image tokens to a finer grid of cells."""

from __future__ import annotations

import math

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import interpolate


def shared_embedding(classes: int, width: int) -> Float[Tensor, "C d"]:
    """Class embeddings that are initialised nearly equal, because relations such as "on the left" are the
    same for all classes. With independent random embeddings a network would learn them for each class
    separately."""
    return (1 + 0.1 * torch.randn(classes, width)) * width**-0.5


class Cells(nn.Module):
    """Maps the tokens of a patch grid to features of a grid of G x G cells; each token gives the features of
    the cells in its patch.

    Args:
        width: D of the tokens. out: d, the width of a cell's features. grid: G.
    """

    def __init__(self, width: int, out: int, grid: int):
        super().__init__()
        self.grid, self.out = grid, out
        self.mix = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Linear(width, 4 * out))

    def forward(self, tokens: Float[Tensor, "B Nv D"]) -> Float[Tensor, "B d G G"]:
        side = math.isqrt(tokens.shape[1])
        x = rearrange(self.mix(tokens), "b (y x) (p q d) -> b d (y p) (x q)", y=side, p=2, q=2)
        if 2 * side == self.grid:
            return x
        return interpolate(x, size=(self.grid, self.grid), mode="bilinear")
