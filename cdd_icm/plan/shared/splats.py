"""Renders a plan as a feature map: adds up learnt templates at the positions of the planned objects."""

from __future__ import annotations

import torch
from einops import rearrange, repeat
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn


class TemplateSplats(nn.Module):
    """Adds to a map, around each planned object, learnt templates for its class and traits, so that every
    place of the map shows which part of which object to draw there. This is a transposed convolution of a
    one-hot plan, with kernels so wide that it is computed at the objects only.

    Args:
        templates: T. channels: P. radius: of a template, in its own pixels.
        size: G, the side of the map, in places. pixel: the side of a template's pixel, in places.
    """

    def __init__(self, templates: int, channels: int, radius: int, size: int, pixel: int = 1):
        super().__init__()
        self.radius, self.size, self.pixel = radius, size, pixel
        self.weight = nn.Parameter(0.1 * torch.randn(channels, templates, 2 * radius + 1, 2 * radius + 1))

    @property
    def width(self) -> int:
        """The side of a template, in places."""
        return (2 * self.radius + 1) * self.pixel

    def forward(
        self,
        ids: Int[Tensor, "B C M"],
        max_objects: int | None = None,
        mirrored: Bool[Tensor, "B C"] | None = None,
    ) -> Float[Tensor, "B P G G"]:
        """The feature map of B plans.

        Args:
            ids: see `TemplateTable.ids`.
            max_objects: upper bound for the number of objects in the batch; None counts them, which
                synchronises with the GPU.
            mirrored: the objects whose templates are mirrored left to right.
        """
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
        width = self.width
        splats = repeat(template, "n (h w d) -> n (h sh w sw) d", **sides)  # (N, width^2, P)
        before, side = width // 2, self.size + width
        window = torch.arange(width, device=ids.device)
        rows, columns = (at[:, :, None] for at in (place // self.size, place % self.size))  # (N, 1, 1)
        if mirrored is not None:
            flipped = mirrored.flatten()[first][:, None, None]  # (N, 1, 1)
            rows_of = splats.unflatten(1, (width, width))
            splats = torch.where(flipped[..., None], rows_of.flip(2), rows_of).flatten(1, 2)
            if width % 2 == 0:  # the middle of a template is then left of the object's place, mirrored right
                columns = columns + flipped
        at = (item[:, None, None] * side + rows + window[:, None]) * side + columns + window  # (N, w, w)
        empty = splats.new_zeros(len(ids) * side**2, splats.shape[-1])
        padded = empty.index_add(0, at.flatten(), splats.flatten(0, 1))
        whole = rearrange(padded, "(b y x) d -> b d y x", y=side, x=side)
        return whole[..., before : before + self.size, before : before + self.size]
