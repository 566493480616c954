"""The log-likelihood of what texts ask for."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from cdd_icm.plan.edits.network import EditNetwork
from cdd_icm.plan.edits.requests import CHANGE, MAX_OBJECTS, Placed, Requests

SIDES_WEIGHT = 1.0
"""Weight of the sides of anchors on which placed objects are, which teach what relations mean sooner than the
exact cells."""


def edit_loss(network: EditNetwork, requests: Requests, placed: Placed) -> dict[str, Float[Tensor, ""]]:
    """-log p of each part of the edits, summed over the objects that it is asked of and divided by the number
    of requests.

    Args:
        placed: `Placed.asked_by(requests)`.
    """
    asked = requests.asked
    logits = network(requests.ids, requests.mask, requests.scene)
    n, count = MAX_OBJECTS, len(requests.ids)

    def chosen(values: Float[Tensor, "B k N"], truth: Int[Tensor, "B k"]) -> Float[Tensor, ""]:
        truth = truth.flatten()
        return cross_entropy(values.flatten(0, 1), truth, ignore_index=-1, reduction="sum") / count

    changed = asked.actions == CHANGE  # (B, n)
    aspects = torch.cat(
        [asked.classes[:, :n, None], asked.traits[:, :n], asked.cells[:, :n, None]], dim=-1
    )  # (B, n, a)
    terms = {
        "actions": chosen(logits.actions, asked.actions),
        "aspects": binary(logits.aspects, aspects >= 0, changed[..., None]) / count,
        "added": binary(logits.added, asked.added, torch.ones_like(asked.added)) / count,
        "classes": chosen(logits.classes, asked.classes),
        "intent": cross_entropy(logits.intents, asked.intents, reduction="sum") / count,
    }
    for k, values in enumerate(logits.traits):
        terms["traits"] = terms.get("traits", 0.0) + chosen(values, asked.traits[..., k])
    if len(placed.items):
        cells, sides, pairs = network.places(logits.states, placed, requests.anchor_cells)
        truth = asked.cells[placed.items, placed.slots]  # (P,)
        terms["places"] = cross_entropy(cells, truth, reduction="sum") / count
        terms["sides"] = SIDES_WEIGHT * side_loss(sides, truth[pairs[0]], pairs[1], network.grid) / count
    return terms


def binary(
    logits: Float[Tensor, "*n"], truth: Bool[Tensor, "*n"], counted: Bool[Tensor, "*n"]
) -> Float[Tensor, ""]:
    """The summed cross-entropy of the counted entries."""
    weight = counted.float().expand_as(logits)
    return binary_cross_entropy_with_logits(logits, truth.float(), weight, reduction="sum")


def side_loss(
    sides: Float[Tensor, "Q 2"], placed: Int[Tensor, " Q"], anchors: Int[Tensor, " Q"], grid: int
) -> Float[Tensor, ""]:
    """-log p(signs) over the pairs that are in different columns (or rows), summed."""
    new, old = (torch.stack([cell % grid, cell // grid], dim=-1) for cell in (placed, anchors))
    return binary(sides, new > old, new != old)
