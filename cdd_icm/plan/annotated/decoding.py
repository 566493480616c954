"""From the distribution over plans to one plan."""

from __future__ import annotations

import math
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from cdd_icm.plan.annotated.logits import PlanLogits

PRESENT = 0.4
"""A class that is drawn with at least this probability is planned: one that is left out stays missing."""

LIKELY = 0.05
"""A cell this much as likely as the likeliest may be planned with."""

CROWDED, APART = 2.0, 0.11
"""The price of standing where something stands, in shares of the probability (see `median_score`), and how
far from there it lessens, as a share of the picture's side: about as wide as an object of i-CLEVR's."""

CLOSE, BESIDE = 3.0, 0.08
"""The same of the things that one turn draws, in what scores their cells (see `side_by_side`): nearer each
other, as a person and what the hand holds are."""


def median_score(
    logits: Float[Tensor, "B C G2"], standing: Int[Tensor, "B C"] | None = None
) -> Float[Tensor, "B C G2"]:
    """Of the `LIKELY` cells, how little far each is from the median column and the median row, and how clear
    of what stands: 0 at best, -inf for the others.

    Wherever something else stands, the object is more probably on the median's side of it than on the other:
    no other choice is less often on the wrong side. How far from it a cell is, in columns and in rows, is
    told by the share of the probability that lies between. But the median of two places, left and right of a
    cylinder, is behind it, where nobody put anything and where nobody would see it: hence likely cells only,
    and a price, `CROWDED` next to something and falling with the distance (`nearness`, `APART` wide).
    """
    grid = math.isqrt(logits.shape[-1])
    cells = logits.softmax(dim=-1).unflatten(-1, (grid, grid))  # (B, C, G, G)
    column, row = (_from_median(cells.sum(dim=dim)) for dim in (-2, -1))
    price = column[..., None, :] + row[..., None]
    if standing is not None:
        near = nearness(standing, grid, APART)  # (B, C, G, G)
        price = price + CROWDED * (near.sum(dim=1, keepdim=True) - near)  # of all but the class itself
    likely = cells >= LIKELY * cells.amax(dim=(-2, -1), keepdim=True)
    return -price.masked_fill(~likely, math.inf).flatten(-2)


def nearness(cells: Int[Tensor, "*n"], grid: int, width: float) -> Float[Tensor, "*n G G"]:
    """A Gaussian around each cell, 1 there and `width` of the picture's side wide; 0 where the cell is -1."""
    index = torch.arange(grid, device=cells.device)
    x, y = ((index - at[..., None]) / (width * grid) for at in (cells % grid, cells // grid))
    near = (-(x[..., None, :] ** 2 + y[..., None] ** 2) / 2).exp()
    return near * (cells >= 0)[..., None, None]


def present(presence: Float[Tensor, "*n"]) -> Bool[Tensor, "*n"]:
    """Which classes are drawn, of the logits of that."""
    return presence.sigmoid() >= PRESENT


def side_by_side(scores: Float[Tensor, "B C G2"], presence: Float[Tensor, "B C"]) -> Int[Tensor, "B C"]:
    """Of each class that is `present`, the surest first, the cell with the highest score, less `CLOSE` times
    the `nearness` to those before it (`BESIDE` wide); -1 for the others. Planned each by itself, the things
    of one turn would hide each other."""
    grid, items = math.isqrt(scores.shape[-1]), torch.arange(len(scores), device=scores.device)
    cells = torch.full_like(presence, -1, dtype=torch.long)
    taken = scores.new_zeros(len(scores), scores.shape[-1])
    drawn, order = present(presence), presence.argsort(dim=-1, descending=True, stable=True)
    for c in order[:, : int(drawn.sum(dim=-1).max())].unbind(dim=1):
        cell = (scores[items, c] - taken).argmax(dim=-1).where(drawn[items, c], -1)
        cells[items, c] = cell
        taken = taken + CLOSE * nearness(cell, grid, BESIDE).flatten(-2)
    return cells


def _from_median(shares: Float[Tensor, "*n G"]) -> Float[Tensor, "*n G"]:
    """How much of the probability lies between each of G and the median; 0 where that is."""
    up_to = shares.cumsum(dim=-1)
    return (up_to - shares - 0.5).relu() + (0.5 - up_to).relu()


def sample_plan(
    logits: PlanLogits,
    gumbel: Float[Tensor, "B C N"],
    temperature: float,
    place: Literal["likeliest", "median"] = "likeliest",
) -> tuple[Int[Tensor, "B C"], Int[Tensor, "B C K"] | None]:
    """The classes that are `present`, each in a cell and with looks from their distributions sharpened by
    `temperature` (0 takes the likeliest), by the Gumbel-max trick: `gumbel` holds standard Gumbel noise, one
    number for each cell and then one for each value of each trait. Without temperature `place` can be the
    cell with the highest `median_score`. Those of one turn keep clear of each other, see `side_by_side`."""
    parts = (logits.cell, *logits.looks)
    noise = gumbel.split([part.shape[-1] for part in parts], dim=-1)
    places, *looks = (part + temperature * n for part, n in zip(parts, noise, strict=True))
    if place == "median" and not temperature:
        places = median_score(logits.cell, logits.standing)
    cells = side_by_side(places, logits.presence)
    return cells, torch.stack([look.argmax(dim=-1) for look in looks], dim=-1) if looks else None
