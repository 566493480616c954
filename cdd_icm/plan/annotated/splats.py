"""Templates added up where objects are planned: the plan as a feature map."""

from __future__ import annotations

import torch
from einops import rearrange, repeat
from jaxtyping import Float, Int
from torch import Tensor, nn


class TemplateSplats(nn.Module):
    """Around each planned object a learnt template of its class, and one of each of its traits, is added to a
    map: every place of the map then tells what is to be painted there, and which part of it. It is a
    transposed convolution of the plan, as planes of zeros and ones, with kernels so wide that it pays to do
    it only where an object is.

    Args:
        templates: T. channels: P. radius: how far a template goes around its middle, in its own pixels.
        size: G, the map's places along a side. pixel: the side of a template's pixel, in places.
    """

    def __init__(self, templates: int, channels: int, radius: int, size: int, pixel: int = 1):
        super().__init__()
        self.radius, self.size, self.pixel = radius, size, pixel
        self.weight = nn.Parameter(0.1 * torch.randn(channels, templates, 2 * radius + 1, 2 * radius + 1))

    @property
    def width(self) -> int:
        """Of a template, in places."""
        return (2 * self.radius + 1) * self.pixel

    def forward(self, ids: Int[Tensor, "B C M"], max_objects: int | None = None) -> Float[Tensor, "B P G G"]:
        """`ids`: see `TemplateTable.ids`. `max_objects`: how many objects they hold in all, or more, where
        that is known: to count them makes the CPU wait for a GPU."""
        planned = (ids[..., 0] >= 0).flatten()
        max_objects = int(planned.sum()) if max_objects is None else max_objects
        first = planned.int().argsort(descending=True, stable=True)[:max_objects]  # (N,)
        item = first // ids.shape[1]
        place, templates = ids.flatten(0, 1)[first].split([1, ids.shape[-1] - 1], dim=1)
        known, place = (templates >= 0) & (place >= 0), place.clamp(min=0)
        weights = rearrange(self.weight, "d t h w -> t (h w d)")[templates.clamp(min=0)]  # (N, M - 1, k^2 P)
        template = (weights * known[..., None]).sum(dim=1)  # (N, k^2 P)
        pixels = 2 * self.radius + 1
        sides = {"h": pixels, "w": pixels, "sh": self.pixel, "sw": self.pixel}
        splats = repeat(template, "n (h w d) -> n (h sh w sw) d", **sides)  # (N, width^2, P)
        width = self.width
        before, side = width // 2, self.size + width - 1
        window = torch.arange(width, device=ids.device)
        rows, columns = (at[:, :, None] for at in (place // self.size, place % self.size))  # (N, 1, 1)
        at = (item[:, None, None] * side + rows + window[:, None]) * side + columns + window  # (N, w, w)
        empty = splats.new_zeros(len(ids) * side**2, splats.shape[-1])
        padded = empty.index_add(0, at.flatten(), splats.flatten(0, 1))
        whole = rearrange(padded, "(b y x) d -> b d y x", y=side, x=side)
        return whole[..., before : before + self.size, before : before + self.size]
