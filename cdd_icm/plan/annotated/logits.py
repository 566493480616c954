"""The distribution over plans."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float, Int
from torch import Tensor


@dataclass
class PlanLogits:
    """p(plan | reference, text): for each class independently, whether it is drawn, in which cell, and its
    traits."""

    presence: Float[Tensor, "B C"]
    cell: Float[Tensor, "B C G2"]
    traits: tuple[Float[Tensor, "B C V"], ...] = ()
    """For each trait, its values given that the class is drawn."""
    sides: Float[Tensor, "B C 2"] | None = None
    """For each existing class, whether the new object is right of it and below it, see `Placement`."""
    existing: Int[Tensor, "B C"] | None = None
    """The cell of each existing class, or -1; None if the plan does not detect them."""
