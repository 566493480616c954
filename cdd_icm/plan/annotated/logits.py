"""The distribution over plans."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float, Int
from torch import Tensor


@dataclass
class PlanLogits:
    """p(plan | reference, text): each class by itself, whether it is drawn and in which cell."""

    presence: Float[Tensor, "B C"]
    cell: Float[Tensor, "B C G2"]
    traits: tuple[Float[Tensor, "B C V"], ...] = ()
    """Of each trait its values, if the class is drawn."""
    sides: Float[Tensor, "B C 2"] | None = None
    """Of each existing class, whether the new object is right of it and below it, see `Placement`."""
    existing: Int[Tensor, "B C"] | None = None
    """The cell of each existing object, or -1, where the planner detects them."""
