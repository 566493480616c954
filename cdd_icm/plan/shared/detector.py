"""The plan's own object detector, for placement relative to existing objects."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.functional import (
    binary_cross_entropy_with_logits,
    one_hot,
    pixel_shuffle,
    pixel_unshuffle,
)


class ObjectDetector(nn.Module):
    """A small convolutional network that detects which classes of object are in which cells of a picture.

    Args:
        image_size: R. classes: C. grid: G, even, G / 2 a divisor of R. width: channels at G / 2 x G / 2.
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
        nn.init.constant_(self.last[-1].bias, -10.0)  # initially no object is detected

    def forward(self, pictures: Float[Tensor, "B 3 R R"]) -> Float[Tensor, "B C G G"]:
        """Independent logits for each class and cell; `pictures` in [-1, 1]."""
        return self.cells(self.features(pictures))

    def features(self, pictures: Float[Tensor, "B 3 R R"]) -> Float[Tensor, "B W g g"]:
        """What is seen in each square of 2 x 2 cells (g = G / 2)."""
        x = pixel_unshuffle(pictures.to(self.first.weight.dtype), self.patch)
        x = self.first(x)  # (B, W, G/2, G/2)
        for block in self.blocks:
            x = x + block(x)
        return x

    def cells(self, features: Float[Tensor, "B W g g"]) -> Float[Tensor, "B C G G"]:
        """The logits from what is seen."""
        return pixel_shuffle(self.last(features), 2).float()


def existing_cells(
    logits: Float[Tensor, "B C G G"], expected_objects: float, antecedent: Int[Tensor, " B"] | None = None
) -> Int[Tensor, "B C"]:
    """The likeliest cell of each class that exists in the picture, else -1. A class exists if the expected
    number of its objects is above `expected_objects`, or if it is the `antecedent` (-1 for none)."""
    flat = logits.flatten(2)
    exists = flat.sigmoid().sum(dim=-1) > expected_objects
    if antecedent is not None:
        exists = exists | (torch.arange(logits.shape[1], device=logits.device) == antecedent[:, None])
    return torch.where(exists, flat.argmax(dim=-1), -1)


def cell_loss(
    logits: Float[Tensor, "B C G G"], existing: Int[Tensor, "B C"], valid: Bool[Tensor, " B"]
) -> Float[Tensor, ""]:
    """-log p(existing objects), with independent classes and cells; summed over the
    valid items and divided by the batch size."""
    truth = one_hot(existing + 1, logits.shape[-1] ** 2 + 1)[..., 1:].view_as(logits)
    loss = binary_cross_entropy_with_logits(
        logits.float(),
        truth.float(),
        weight=valid[:, None, None, None].float(),
        reduction="sum",
    )
    return loss / len(existing)
