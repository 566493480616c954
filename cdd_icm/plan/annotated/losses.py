"""The log-likelihood of a plan."""

from __future__ import annotations

from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from cdd_icm.plan.annotated.logits import PlanLogits


def plan_loss(
    logits: PlanLogits,
    cells: Int[Tensor, "B C"],
    valid: Bool[Tensor, " B"],
    traits: Int[Tensor, "B C K"] | None = None,
) -> Float[Tensor, ""]:
    """-log p(plan | reference, text), summed over the valid items and divided by the batch size, so that the
    mean over processes is the loss of the joined batch.

    Args:
        cells: the cell of each class, or -1. traits: the value of each trait, or -1.
    """
    drawn = (cells >= 0) & valid[:, None]  # (B, C)
    presence = binary_cross_entropy_with_logits(
        logits.presence, (cells >= 0).float(), weight=valid[:, None].float(), reduction="sum"
    )

    def of_drawn(values: Float[Tensor, "B C N"], truth: Int[Tensor, "B C"]) -> Float[Tensor, ""]:
        truth = truth.masked_fill(~drawn, -1)
        return cross_entropy(values.flatten(0, 1), truth.flatten(), ignore_index=-1, reduction="sum")

    trait_terms = sum(of_drawn(values, traits[..., k]) for k, values in enumerate(logits.traits))
    return (presence + of_drawn(logits.cell, cells) + trait_terms) / len(cells)
