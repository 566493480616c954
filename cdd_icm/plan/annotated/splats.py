"""Templates laid down where objects are planned: the plan as feature maps that the UNet sees."""

from __future__ import annotations

import torch
from einops import rearrange, repeat
from jaxtyping import Float, Int
from torch import Tensor, nn


class Stamps(nn.Module):
    """Around each planned object a template of its class, and one of each of its looks, is laid down: every
    place knows what is to be painted there, and which part of it. It is a transposed convolution of the plan,
    as planes of zeros and ones, with kernels so wide that it pays to do it only where an object is.

    Args:
        planes: P, the templates. channels: D. reach: how far a template goes around its middle, in its own
        pixels. grid: G, the places along a side. step: the side of a template's pixel, in places.
    """

    def __init__(self, planes: int, channels: int, reach: int, grid: int, step: int = 1):
        super().__init__()
        self.reach, self.grid, self.step = reach, grid, step
        self.weight = nn.Parameter(0.1 * torch.randn(channels, planes, 2 * reach + 1, 2 * reach + 1))

    def forward(self, marks: Int[Tensor, "B C M"], most: int | None = None) -> Float[Tensor, "B D G G"]:
        """`marks` are those of `Templates`, of `most` objects in all or fewer, where that is known:
        to count them costs a GPU its lead over the CPU."""
        planned = (marks[..., 0] >= 0).flatten()
        most = int(planned.sum()) if most is None else most
        first = planned.int().argsort(descending=True, stable=True)[:most]  # (N,)
        item = first // marks.shape[1]
        place, planes = marks.flatten(0, 1)[first].split([1, marks.shape[-1] - 1], dim=1)
        told, place = (planes >= 0) & (place >= 0), place.clamp(min=0)
        templates = rearrange(self.weight, "d p h w -> p (h w d)")[planes.clamp(min=0)]  # (N, M - 1, k^2 D)
        template = (templates * told[..., None]).sum(dim=1)  # (N, k^2 D)
        pixels = 2 * self.reach + 1
        sides = {"h": pixels, "w": pixels, "sh": self.step, "sw": self.step}
        stamps = repeat(template, "n (h w d) -> n (h sh w sw) d", **sides)
        width = pixels * self.step
        before, side = width // 2, self.grid + width - 1
        window = torch.arange(width, device=marks.device)
        rows, columns = (at[:, :, None] for at in (place // self.grid, place % self.grid))  # (N, 1, 1)
        at = (item[:, None, None] * side + rows + window[:, None]) * side + columns + window  # (N, w, w)
        ground = stamps.new_zeros(len(marks) * side**2, stamps.shape[-1])
        ground = ground.index_add(0, at.flatten(), stamps.flatten(0, 1))
        whole = rearrange(ground, "(b y x) d -> b d y x", y=side, x=side)
        return whole[..., before : before + self.grid, before : before + self.grid]
