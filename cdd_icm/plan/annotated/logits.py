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
    looks: tuple[Float[Tensor, "B C V"], ...] = ()
    """Of each trait its values, were the class drawn."""
    sides: Float[Tensor, "B C 2"] | None = None
    """Of each class that stands, whether the new object is right of it and below it, see `Placing`."""
    standing: Int[Tensor, "B C"] | None = None
    """In which cell each class stands, or -1, where the planner looks for that."""
