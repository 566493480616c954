"""The region that a turn changes: how to find, weight and composite it."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import max_pool2d

Balance = Literal["regions", "pixels"]
"""Between the means of changed region and rest, or between single pixels, for data whose turns may also move
what exists."""
CHANGED_WEIGHT = {"regions": 8.0, "pixels": 3.0}
"""Weight of the error inside the changed region, for each `Balance`; outside it is 1."""


def composite(
    denoised: Float[Tensor, "B 3 R R"],
    mask: Float[Tensor, "B 1 R R"] | None,
    reference: Float[Tensor, "B 3 R R"],
) -> Float[Tensor, "B 3 R R"]:
    """M x + (1 - M) r with x = `denoised`, r = `reference` and M the sigmoid of the logits `mask`. Outside
    the mask the reference is copied exactly, so that errors do not accumulate over turns. Without a mask it
    is x."""
    if mask is None:
        return denoised
    opacity = mask.sigmoid()
    return opacity * denoised + (1 - opacity) * reference


def changed_region(
    reference: Float[Tensor, "B 3 R R"],
    target: Float[Tensor, "B 3 R R"],
    threshold: float = 0.12,
    grow: int = 9,
) -> Bool[Tensor, "B 1 R R"]:
    """The pixels at which |target - reference| exceeds `threshold` in some channel (values in [-1, 1]),
    dilated by a `grow` x `grow` square."""
    change = (target - reference).abs().amax(dim=1)
    # torch's CPU pooling is seven times faster with the batch as channels, in channels-last order
    mask = (change > threshold).float()[None].contiguous(memory_format=torch.channels_last)
    mask = max_pool2d(mask, (grow, 1), stride=1, padding=(grow // 2, 0))
    mask = max_pool2d(mask, (1, grow), stride=1, padding=(0, grow // 2))
    return mask[0, :, None] > 0


def balanced(
    values: Float[Tensor, "B 1 R R"], changed: Bool[Tensor, "B 1 R R"], c: float, balance: Balance
) -> Float[Tensor, " B"]:
    """Averages `values` per item with a larger weight for the changed region.

    "regions": mean outside + c * mean inside. A pixel of a small region weighs as much as many pixels of a
    large one, without which small objects are not learnt; but when in doubt the model then removes objects.
    "pixels": (sum outside + c * sum inside) / number of changed pixels, at least 1 % of the picture. A
    changed pixel weighs c times as much as an unchanged one.
    """
    inside, outside = ((values * region).sum(dim=(1, 2, 3)) for region in (changed, ~changed))
    if balance == "regions":
        return outside / count_pixels(~changed) + c * inside / count_pixels(changed)
    return (outside + c * inside) / count_pixels(changed).clamp(min=changed[0].numel() / 100)


def count_pixels(region: Bool[Tensor, "B 1 R R"]) -> Int[Tensor, " B"]:
    """The number of pixels in each item's region, at least 1."""
    return region.sum(dim=(1, 2, 3)).clamp(min=1)
