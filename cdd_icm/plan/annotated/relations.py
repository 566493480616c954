"""Predicts on which side of each existing object a new object is."""

from __future__ import annotations

import torch
from einops import rearrange
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from cdd_icm.plan.annotated.cells import Cells, shared_embedding


class Relations(nn.Module):
    """Predicts on which side of each object in the reference a new object is drawn; used in training only.

    "Behind the cube on the left" determines two signs and leaves the exact position open, so the cell alone
    is a noisy target. Predicting the signs from the image tokens at the cube teaches these tokens to find the
    words about their object.
    """

    def __init__(self, classes: int, width: int, grid: int, sign_width: int = 32):
        super().__init__()
        self.grid = grid
        self.cells = Cells(width, 2 * sign_width, grid)
        self.class_embedding = nn.Parameter(shared_embedding(classes, sign_width))

    def forward(
        self, tokens: Float[Tensor, "B Nv D"], existing: Int[Tensor, "B C"]
    ) -> Float[Tensor, "B C C 2"]:
        """Logits of x_new > x_old and y_new > y_old for each (old class, new class); meaningful if the old
        class exists."""
        cells = self.cells(tokens).flatten(2)  # (B, 2 d, G^2)
        at = existing.clamp(min=0)[:, None].expand(-1, cells.shape[1], -1)  # (B, 2 d, C)
        features = rearrange(cells.gather(2, at), "b (two d) c -> b two d c", two=2).float()
        return torch.einsum("bkdo,nd->bonk", features, self.class_embedding.float())


def relation_loss(
    logits: Float[Tensor, "B C C 2"],
    existing: Int[Tensor, "B C"],
    cells: Int[Tensor, "B C"],
    grid: int,
    valid: Bool[Tensor, " B"],
) -> Float[Tensor, ""]:
    """-log p(signs) over all pairs of an existing and a drawn object that are in different columns (or rows);
    summed and divided as in `plan_loss`."""
    old, new = (torch.stack([at % grid, at // grid], dim=-1) for at in (existing, cells))
    old, new = old[:, :, None], new[:, None]  # (B, C, 1, 2), (B, 1, C, 2)
    pairs = (existing >= 0)[:, :, None] & (cells >= 0)[:, None] & valid[:, None, None]  # (B, C, C)
    counted = pairs[..., None] & (old != new)
    # weights instead of indexing with a mask, which would synchronise with the GPU
    truth, weight = (new > old).float(), counted.float()
    return binary_cross_entropy_with_logits(logits, truth, weight, reduction="sum") / len(cells)


def each_class(sides: Float[Tensor, "B C 2"]) -> Float[Tensor, "B C C 2"]:
    """Repeats the logits, which hold for a new object of any class, for each new class."""
    return sides[:, :, None].expand(-1, -1, sides.shape[1], -1)
