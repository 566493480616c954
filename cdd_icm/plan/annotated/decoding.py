"""Decodes the predicted distribution to one plan."""

from __future__ import annotations

import math
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from cdd_icm.plan.annotated.logits import PlanLogits
from cdd_icm.plan.shared.places import median_score, nearness
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


def sample_plan(
    logits: PlanLogits,
    gumbel: Float[Tensor, "B C N"],
    temperature: float,
    tuning: Tuning,
    place: Literal["likeliest", "median"] = "likeliest",
) -> tuple[Int[Tensor, "B C"], Int[Tensor, "B C K"] | None]:
    """Samples a cell and traits for each present class with the Gumbel-max trick.

    Args:
        gumbel: standard Gumbel noise: one number per cell, then one per value of each trait.
        temperature: of the distributions; 0 chooses the likeliest cell and traits.
        place: at temperature 0, "median" chooses the cell with the highest `median_score`.

    Returns:
        The cell of each class, -1 if absent (see `place_apart`), and the value of each of K traits, if
        any."""
    parts = (logits.cell, *logits.traits)
    noise = gumbel.split([part.shape[-1] for part in parts], dim=-1)
    scores, *traits = (part + temperature * n for part, n in zip(parts, noise, strict=True))
    if place == "median" and not temperature:
        scores = median_score(logits.cell, tuning, logits.existing)
    cells = place_apart(scores, logits.presence, tuning)
    return cells, torch.stack([trait.argmax(dim=-1) for trait in traits], dim=-1) if traits else None
