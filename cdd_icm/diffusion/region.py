"""The region that a turn changes: found, weighted against the rest, and composited over the reference."""

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
"""Weight of the error inside the region that a turn changes, against 1 outside."""


def composite(
    painted: Float[Tensor, "B 3 R R"],
    mask: Float[Tensor, "B 1 R R"] | None,
    reference: Float[Tensor, "B 3 R R"],
) -> Float[Tensor, "B 3 R R"]:
    """M c + (1 - M) r with c `painted`, r `reference` and M the sigmoid of `mask`, which holds logits.
    Outside the mask the clean reference is copied exactly, so that errors do not accumulate over turns.
    Without a mask it is c."""
    if mask is None:
        return painted
    shown = mask.sigmoid()
    return shown * painted + (1 - shown) * reference


def changed_region(
    reference: Float[Tensor, "B 3 R R"],
    target: Float[Tensor, "B 3 R R"],
    threshold: float = 0.12,
    grow: int = 9,
) -> Bool[Tensor, "B 1 R R"]:
    """Where |target - reference| exceeds `threshold` (of [-1, 1]) in some channel, dilated to `grow`
    pixels."""
    change = (target - reference).abs().amax(dim=1)
    # with the batch as channels, in channels-last order, torch's pooling on a CPU takes a seventh of the time
    mask = (change > threshold).float()[None].contiguous(memory_format=torch.channels_last)
    mask = max_pool2d(mask, (grow, 1), stride=1, padding=(grow // 2, 0))
    mask = max_pool2d(mask, (1, grow), stride=1, padding=(0, grow // 2))
    return mask[0, :, None] > 0


def balanced(
    values: Float[Tensor, "B 1 R R"], changed: Bool[Tensor, "B 1 R R"], c: float, balance: Balance
) -> Float[Tensor, " B"]:
    """`values` averaged per item, the changed region weighted against the rest.

    "regions": mean outside + c * mean inside. A pixel of a small region then weighs as much as many others,
    without which small objects are not learnt; but what may or may not vanish will vanish.
    "pixels": (sum outside + c * sum inside) / number of changed pixels, of which at least a hundredth of the
    picture are assumed. A changed pixel weighs c times as much as another.
    """
    inside, outside = ((values * region).sum(dim=(1, 2, 3)) for region in (changed, ~changed))
    if balance == "regions":
        return outside / _pixels(~changed) + c * inside / _pixels(changed)
    return (outside + c * inside) / _pixels(changed).clamp(min=changed[0].numel() / 100)


def _pixels(region: Bool[Tensor, "B 1 R R"]) -> Int[Tensor, " B"]:
    return region.sum(dim=(1, 2, 3)).clamp(min=1)
