"""Decodes the predicted distribution to one plan."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from cdd_icm.plan.annotated.logits import PlanLogits
from cdd_icm.plan.shared.places import median_score, place_apart
from cdd_icm.plan.shared.tuning import Tuning


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
