"""From the distribution over plans to one plan."""

from __future__ import annotations

import math
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from cdd_icm.plan.annotated.logits import PlanLogits
from cdd_icm.plan.annotated.tuning import Tuning


def median_score(
    logits: Float[Tensor, "B C G2"], tuning: Tuning, existing: Int[Tensor, "B C"] | None = None
) -> Float[Tensor, "B C G2"]:
    """Of the likely cells, how little far each is from the median column and the median row, and how clear
    of existing objects: 0 at best, -inf for the others.

    Wherever something else is, the object is more probably on the median's side of it than on the other: no
    other choice is less often on the wrong side. How far from it a cell is, in columns and in rows, is the
    share of the probability that lies between. But the median of two places, left and right of a cylinder, is
    behind it, where nothing was put and where it would be hidden: hence likely cells only
    (`likely_share`), and a price, `existing_price` next to an existing object and falling with the distance
    (`nearness`, `existing_width`).
    """
    grid = math.isqrt(logits.shape[-1])
    cells = logits.softmax(dim=-1).unflatten(-1, (grid, grid))  # (B, C, G, G)
    column, row = (_from_median(cells.sum(dim=dim)) for dim in (-2, -1))
    price = column[..., None, :] + row[..., None]
    if existing is not None:
        near = nearness(existing, grid, tuning.existing_width)  # (B, C, G, G)
        others = near.sum(dim=1, keepdim=True) - near  # of all but the class itself
        price = price + tuning.existing_price * others
    likely = cells >= tuning.likely_share * cells.amax(dim=(-2, -1), keepdim=True)
    return -price.masked_fill(~likely, math.inf).flatten(-2)


def nearness(cells: Int[Tensor, "*n"], grid: int, width: float) -> Float[Tensor, "*n G G"]:
    """A Gaussian around each cell, 1 there and `width` of the picture's side wide; 0 where the cell is -1."""
    index = torch.arange(grid, device=cells.device)
    x, y = ((index - at[..., None]) / (width * grid) for at in (cells % grid, cells // grid))
    near = (-(x[..., None, :] ** 2 + y[..., None] ** 2) / 2).exp()
    return near * (cells >= 0)[..., None, None]


def is_present(presence: Float[Tensor, "*n"], threshold: float) -> Bool[Tensor, "*n"]:
    """Which classes are drawn, by their logits: those with at least the probability `threshold`."""
    return presence.sigmoid() >= threshold


def place_apart(
    scores: Float[Tensor, "B C G2"], presence: Float[Tensor, "B C"], tuning: Tuning
) -> Int[Tensor, "B C"]:
    """Of each class that is present, the surest first, the cell with the highest score, less
    `neighbour_price` times the `nearness` to those before it (`neighbour_width`); -1 for the others. Placed
    each by itself, the objects of one turn would hide each other."""
    grid, items = math.isqrt(scores.shape[-1]), torch.arange(len(scores), device=scores.device)
    cells = torch.full_like(presence, -1, dtype=torch.long)
    taken = scores.new_zeros(len(scores), scores.shape[-1])
    drawn = is_present(presence, tuning.presence_threshold)
    order = presence.argsort(dim=-1, descending=True, stable=True)
    for c in order[:, : int(drawn.sum(dim=-1).max())].unbind(dim=1):
        cell = (scores[items, c] - taken).argmax(dim=-1).where(drawn[items, c], -1)
        cells[items, c] = cell
        taken = taken + tuning.neighbour_price * nearness(cell, grid, tuning.neighbour_width).flatten(-2)
    return cells


def _from_median(shares: Float[Tensor, "*n G"]) -> Float[Tensor, "*n G"]:
    """How much of the probability lies between each of G and the median; 0 where that is."""
    up_to = shares.cumsum(dim=-1)
    return (up_to - shares - 0.5).relu() + (0.5 - up_to).relu()


def sample_plan(
    logits: PlanLogits,
    gumbel: Float[Tensor, "B C N"],
    temperature: float,
    tuning: Tuning,
    place: Literal["likeliest", "median"] = "likeliest",
) -> tuple[Int[Tensor, "B C"], Int[Tensor, "B C K"] | None]:
    """The classes that are present, each in a cell and with traits from their distributions sharpened by
    `temperature` (0 takes the likeliest), by the Gumbel-max trick: `gumbel` holds standard Gumbel noise, one
    number for each cell and then one for each value of each trait. Without temperature `place` can be the
    cell with the highest `median_score`. Those of one turn keep clear of each other (`place_apart`)."""
    parts = (logits.cell, *logits.traits)
    noise = gumbel.split([part.shape[-1] for part in parts], dim=-1)
    scores, *traits = (part + temperature * n for part, n in zip(parts, noise, strict=True))
    if place == "median" and not temperature:
        scores = median_score(logits.cell, tuning, logits.existing)
    cells = place_apart(scores, logits.presence, tuning)
    return cells, torch.stack([trait.argmax(dim=-1) for trait in traits], dim=-1) if traits else None
