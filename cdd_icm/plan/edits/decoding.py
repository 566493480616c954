"""From logits to the edits of one turn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import one_hot

from cdd_icm.plan.edits.network import EditLogits, EditNetwork
from cdd_icm.plan.edits.requests import CHANGE, KEEP, MAX_ADDED, MAX_OBJECTS, REMOVE, Placed, Scene
from cdd_icm.plan.shared.intents import INTENTS
from cdd_icm.plan.shared.places import median_score, nearness
from cdd_icm.plan.shared.tuning import Tuning


@dataclass
class Edits:
    """The edits of B turns."""

    actions: Int[Tensor, "B n"]
    """`KEEP`, `REMOVE` or `CHANGE` of each existing object; `KEEP` where there is none."""
    added: Bool[Tensor, "B N"]
    classes: Int[Tensor, "B m"]
    """The class of each changed or added object after the turn; -1 of the others."""
    traits: Int[Tensor, "B m K"]
    cells: Int[Tensor, "B m"]
    intents: Int[Tensor, " B"]
    confidence: Float[Tensor, " B"]
    """The probability of the actions and intent."""

    @property
    def no_op(self) -> Bool[Tensor, " B"]:
        """Turns that change nothing."""
        return (self.actions == KEEP).all(dim=1) & (self.classes < 0).all(dim=1)


def choose_edits(
    network: EditNetwork,
    logits: EditLogits,
    scene: Scene,
    gumbel: Float[Tensor, "B m N"],
    temperature: float,
    tuning: Tuning,
    place: Literal["likeliest", "median"],
) -> Edits:
    """The edits: what is done with which object is the likeliest; looks that are left open, and places, are
    drawn by `gumbel` at `temperature`. An object that would be of the class of another one in the scene gets
    the next likeliest class.

    Args:
        gumbel: standard Gumbel noise, a number for each cell, class and trait's value in turn.
    """
    n, m, grid = MAX_OBJECTS, MAX_OBJECTS + MAX_ADDED, network.grid
    asks = logits.intents.argmax(dim=-1) == INTENTS.index("change")  # (B,)
    exists = scene.exists
    actions = logits.actions.argmax(dim=-1).where(exists & asks[:, None], KEEP)
    changed = actions == CHANGE
    added = (logits.added > 0) & asks[:, None]
    none = changed.new_zeros(len(changed), MAX_ADDED)
    aspects = [
        torch.cat([aspect, added], dim=1) for aspect in (changed[..., None] & (logits.aspects > 0)).unbind(-1)
    ]
    noise = temperature * gumbel
    sizes = [grid**2, logits.classes.shape[-1], *(values.shape[-1] for values in logits.traits)]
    place_noise, class_noise, *trait_noise = noise.split(sizes, dim=-1)
    empty = scene.classes.new_full((len(scene.classes), MAX_ADDED), -1)
    # what is there stays what it is, unless it is changed
    own = torch.cat([scene.classes, empty], dim=1)  # (B, m)
    traits = []
    for k, values in enumerate(logits.traits):
        old = torch.cat([scene.traits[..., k], empty], dim=1)
        traits.append((values + trait_noise[k]).argmax(dim=-1).where(aspects[1 + k], old))
    taken = own.masked_fill(torch.cat([(actions == REMOVE) | (changed & aspects[0][:, :n]), none], dim=1), -1)
    classes = own.clone()
    scores = logits.classes + class_noise
    for slot in range(m):
        changes = aspects[0][:, slot]
        if changes.any():
            used = one_hot(taken + 1, scores.shape[-1] + 1).any(dim=1)[:, 1:]
            free = scores[:, slot].masked_fill(used & ~used.all(dim=1, keepdim=True), -torch.inf)
            classes[:, slot] = free.argmax(dim=-1).where(changes, classes[:, slot])
            taken[:, slot] = classes[:, slot].where(changes, taken[:, slot])
    cells = torch.cat([scene.cells, empty], dim=1)
    cells = _place(
        network, logits, scene, actions, aspects[-1], cells, place_noise, temperature, tuning, place
    )
    drawn = torch.cat([changed, added], dim=1)
    return Edits(
        actions=actions,
        added=added,
        classes=classes.where(drawn, -1),
        traits=torch.stack(traits, dim=-1) if traits else classes.new_zeros(*classes.shape, 0),
        cells=cells.where(drawn, -1),
        intents=logits.intents.argmax(dim=-1),
        confidence=_confidence(logits, exists, changed, asks),
    )


def _confidence(
    logits: EditLogits, exists: Bool[Tensor, "B n"], changed: Bool[Tensor, "B n"], asks: Bool[Tensor, " B"]
) -> Float[Tensor, " B"]:
    """The probability of the likeliest intent, and where it asks for changes, of the likeliest actions."""
    intent = logits.intents.softmax(dim=-1).amax(dim=-1)
    actions = logits.actions.softmax(dim=-1).amax(dim=-1).where(exists, 1.0).prod(dim=1)
    aspects = sure(logits.aspects).prod(dim=-1).where(changed, 1.0).prod(dim=1)
    return intent * (actions * aspects * sure(logits.added).prod(dim=1)).where(asks, 1.0)


def sure(logits: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """The probability of the likelier of two outcomes."""
    return logits.abs().sigmoid()


def _place(
    network: EditNetwork,
    logits: EditLogits,
    scene: Scene,
    actions: Int[Tensor, "B n"],
    placed: Bool[Tensor, "B m"],
    cells: Int[Tensor, "B m"],
    noise: Float[Tensor, "B m G2"],
    temperature: float,
    tuning: Tuning,
    place: str,
) -> Int[Tensor, "B m"]:
    """`cells` with those of the `placed` objects chosen, one after the other: each keeps clear of the
    others."""
    anchors = cells.clone()  # where things were before the turn; added ones follow as they are placed
    gone = torch.cat([actions == REMOVE, torch.zeros_like(placed[:, MAX_OBJECTS:])], dim=1)
    occupied = cells.masked_fill(gone | placed, -1)
    for slot in range(placed.shape[1]):
        items = placed[:, slot].nonzero()[:, 0]
        if not len(items):
            continue
        slots = torch.full_like(items, slot)
        scores, _, _ = network.places(logits.states, Placed.of(items, slots, anchors), anchors)
        near = nearness(occupied[items], network.grid, tuning.existing_width).sum(dim=1).flatten(1)
        if place == "median" and not temperature:
            scores = median_score(scores[:, None], tuning)[:, 0] - tuning.existing_price * near
        else:
            scores = scores + noise[items, slot] - tuning.neighbour_price * near
        chosen = scores.argmax(dim=-1)
        cells[items, slot] = occupied[items, slot] = chosen
        if slot >= MAX_OBJECTS:
            anchors[items, slot] = chosen
    return cells


def existing_objects(
    logits: Float[Tensor, "B L G G"], trait_sizes: tuple[int, ...], expected_objects: float, apart: int = 2
) -> list[list[tuple[int, tuple[int, ...], int]]]:
    """The objects in each picture: class, traits and cell, at most `MAX_OBJECTS`, the likeliest first.

    Args:
        logits: of each of L looks, which are classes times the combinations of traits, and each cell.
        expected_objects: an object is there where the expected number of its look is above this.
        apart: of two detections within so many cells, the likelier counts.
    """
    grid, found = logits.shape[-1], []
    mass = logits.flatten(2).sigmoid()  # (B, L, G^2)
    score, cell = mass.sum(dim=-1), mass.argmax(dim=-1)  # (B, L)
    for scores, cells in zip(score.tolist(), cell.tolist(), strict=True):
        objects: list[tuple[int, tuple[int, ...], int]] = []
        for look in sorted(range(len(scores)), key=lambda look: -scores[look]):
            if scores[look] <= expected_objects or len(objects) == MAX_OBJECTS:
                break
            x, y = cells[look] % grid, cells[look] // grid
            if all(max(abs(x - at % grid), abs(y - at // grid)) > apart for *_, at in objects):
                objects.append((*_of_look(look, trait_sizes), cells[look]))
        found.append(objects)
    return found


def _of_look(look: int, trait_sizes: tuple[int, ...]) -> tuple[int, tuple[int, ...]]:
    """Class and traits of a number as `look_of` gives."""
    traits = []
    for size in reversed(trait_sizes):
        look, value = divmod(look, size)
        traits.append(value)
    return look, tuple(reversed(traits))


def look_of(
    classes: Int[Tensor, "*n"], traits: Int[Tensor, "*n K"], trait_sizes: tuple[int, ...]
) -> Int[Tensor, "*n"]:
    """The number of each combination of class and traits; -1 where the class is."""
    look = classes
    for k, size in enumerate(trait_sizes):
        look = look * size + traits[..., k].clamp(min=0)
    return look.where(classes >= 0, -1)
