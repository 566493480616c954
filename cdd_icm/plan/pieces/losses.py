"""The log-likelihood of what texts ask for."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from cdd_icm.plan.pieces.network import PieceLogits
from cdd_icm.plan.pieces.scene import Changes, Scene


def piece_loss(logits: PieceLogits, scene: Scene, changes: Changes) -> dict[str, Float[Tensor, ""]]:
    """-log p of each part of what B turns change, summed over the classes that it is asked of and averaged
    over the turns."""
    drawn = changes.drawn

    def binary(
        values: Float[Tensor, "B C"], truth: Bool[Tensor, "B C"], counted: Bool[Tensor, "B C"]
    ) -> Float[Tensor, ""]:
        weight = counted.float()
        total = binary_cross_entropy_with_logits(values, truth.float(), weight, reduction="sum")
        return total / len(truth)

    terms = {
        "drawn": binary(logits.drawn, drawn.exists, torch.ones_like(changes.removed)),
        "removed": binary(logits.removed, changes.removed, scene.exists),
        "places": of_chosen(logits.cells, drawn.cells),
        "intent": cross_entropy(logits.intents, changes.intents),
    }
    if logits.traits:
        pairs = zip(logits.traits, drawn.traits.unbind(dim=-1), strict=True)
        terms["traits"] = torch.stack([of_chosen(values, truth) for values, truth in pairs]).sum()
    return terms


def of_chosen(values: Float[Tensor, "B C N"], truth: Int[Tensor, "B C"]) -> Float[Tensor, ""]:
    """-log p of each class's true value, of those whose truth is not -1; summed over the classes and
    averaged over the items."""
    total = cross_entropy(values.flatten(0, 1), truth.flatten(), ignore_index=-1, reduction="sum")
    return total / len(truth)
