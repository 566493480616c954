"""Which classes of object are in which cells of a picture."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

EXPECTED = 0.2
"""An object that is overlooked misplaces the next one further than one that isn't there; and where things
stand close, less than half an object is expected of many that do."""


class Seeing(nn.Module):
    """Which classes of object stand in which cells of a picture, by a few convolutions over its pixels.

    Args:
        image_size: R. classes: C. grid: G, a divisor of R / 2. width: channels at half of the grid.
    """

    def __init__(self, image_size: int, classes: int, grid: int, width: int = 96, blocks: int = 4):
        super().__init__()
        self.patch = 2 * image_size // grid
        self.first = nn.Conv2d(3 * self.patch**2, width, 3, padding=1)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.GroupNorm(8, width), nn.SiLU(), nn.Conv2d(width, width, 3, padding=1))
            for _ in range(blocks)
        )
        self.last = nn.Sequential(nn.GroupNorm(8, width), nn.SiLU(), nn.Conv2d(width, 4 * classes, 1))
        nn.init.constant_(self.last[-1].bias, -10.0)  # at first nothing stands anywhere

    def forward(self, pictures: Float[Tensor, "B 3 R R"]) -> Float[Tensor, "B C G G"]:
        """Logits, each cell by itself; `pictures` in [-1, 1]."""
        x = pixel_unshuffle(pictures.to(self.first.weight.dtype), self.patch)
        x = self.first(x)  # (B, W, G/2, G/2)
        for block in self.blocks:
            x = x + block(x)
        return pixel_shuffle(self.last(x), 2).float()


def standing_cells(
    seen: Float[Tensor, "B C G G"], latest: Int[Tensor, " B"] | None = None
) -> Int[Tensor, "B C"]:
    """The likeliest cell of each class of which `EXPECTED` objects or more are expected, and of that of the
    `latest` (or -1), which surely stands; else -1."""
    logits = seen.flatten(2)
    stands = logits.sigmoid().sum(dim=-1) > EXPECTED
    if latest is not None:
        stands = stands | (torch.arange(seen.shape[1], device=seen.device) == latest[:, None])
    return torch.where(stands, logits.argmax(dim=-1), -1)
