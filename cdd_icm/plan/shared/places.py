"""Scores of the cells of a grid: near the median of a distribution, and away from other objects."""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from cdd_icm.plan.shared.tuning import Tuning


def is_present(presence: Float[Tensor, "*n"], threshold: float) -> Bool[Tensor, "*n"]:
    """Whether the probability of each logit is at least `threshold`."""
    return presence.sigmoid() >= threshold


def place_apart(
    scores: Float[Tensor, "B C G2"], presence: Float[Tensor, "B C"], tuning: Tuning
) -> Int[Tensor, "B C"]:
    """The cell with the highest score for each present class, -1 for the others. Classes are placed in order
    of their presence; each pays `neighbour_price` times the `nearness`, of width `neighbour_width`, to those
    before it. Placed independently, the objects of a turn would overlap."""
    grid, items = math.isqrt(scores.shape[-1]), torch.arange(len(scores), device=scores.device)
    cells = torch.full_like(presence, -1, dtype=torch.long)
    penalty = scores.new_zeros(len(scores), scores.shape[-1])
    drawn = is_present(presence, tuning.presence_threshold)
    order = presence.argsort(dim=-1, descending=True, stable=True)
    for c in order[:, : int(drawn.sum(dim=-1).max())].unbind(dim=1):
        cell = (scores[items, c] - penalty).argmax(dim=-1).where(drawn[items, c], -1)
        cells[items, c] = cell
        penalty = penalty + tuning.neighbour_price * nearness(cell, grid, tuning.neighbour_width).flatten(-2)
    return cells


def median_score(
    logits: Float[Tensor, "B C G2"], tuning: Tuning, existing: Int[Tensor, "B C"] | None = None
) -> Float[Tensor, "B C G2"]:
    """Scores cells by their closeness to the median column and row and their distance from existing objects:
    0 is best, -inf is given to unlikely cells.

    The median is least often on the wrong side of another object. The distance of a cell from it, in columns
    and in rows, is the probability mass in between. The median of two separate modes, such as left and right
    of a cylinder, can be an unlikely cell that the cylinder hides. Hence only cells with at least
    `likely_share` of the highest probability are considered, and cells near existing objects are penalised
    with `existing_price` times their `nearness` of width `existing_width`.
    """
    grid = math.isqrt(logits.shape[-1])
    cells = logits.softmax(dim=-1).unflatten(-1, (grid, grid))  # (B, C, G, G)
    column, row = (_from_median(cells.sum(dim=dim)) for dim in (-2, -1))
    penalty = column[..., None, :] + row[..., None]
    if existing is not None:
        near = nearness(existing, grid, tuning.existing_width)  # (B, C, G, G)
        others = near.sum(dim=1, keepdim=True) - near  # all classes except the cell's own
        penalty = penalty + tuning.existing_price * others
    likely = cells >= tuning.likely_share * cells.amax(dim=(-2, -1), keepdim=True)
    return -penalty.masked_fill(~likely, math.inf).flatten(-2)


def nearness(cells: Int[Tensor, "*n"], grid: int, width: float) -> Float[Tensor, "*n G G"]:
    """A Gaussian around each cell, with value 1 there and standard deviation `width`, a share of the
    picture's side; zeros if the cell is -1."""
    index = torch.arange(grid, device=cells.device)
    x, y = ((index - at[..., None]) / (width * grid) for at in (cells % grid, cells // grid))
    near = (-(x[..., None, :] ** 2 + y[..., None] ** 2) / 2).exp()
    return near * (cells >= 0)[..., None, None]


def _from_median(shares: Float[Tensor, "*n G"]) -> Float[Tensor, "*n G"]:
    """The probability mass between each of the G entries and the median; 0 at the median."""
    up_to = shares.cumsum(dim=-1)
    return (up_to - shares - 0.5).relu() + (0.5 - up_to).relu()
