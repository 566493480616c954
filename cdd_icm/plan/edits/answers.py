"""Puts edits into words."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch

from cdd_icm.plan.answer import Answer
from cdd_icm.plan.edits.changes import SAME_PLACE
from cdd_icm.plan.edits.decoding import Edits
from cdd_icm.plan.edits.requests import CHANGE, KEEP, MAX_OBJECTS, REMOVE, Scene
from cdd_icm.plan.edits.rewording import look_name, reword
from cdd_icm.plan.shared.camera import to_ground
from cdd_icm.plan.shared.intents import INTENTS
from cdd_icm.plan.shared.known_words import unknown_words
from cdd_icm.plan.shared.reasons import unchanged_because


class Seen(NamedTuple):
    """An object: class, values of its traits, and place (x, y) as fractions of the picture."""

    name: str
    traits: tuple[str, ...]
    x: float
    y: float

    def __str__(self) -> str:
        return look_name(self.name, self.traits)


@dataclass(frozen=True)
class Describer:
    """Args: see `EditPlan`; `words`: those that are known."""

    classes: Sequence[str]
    traits: Mapping[str, Sequence[str]]
    grid: int
    horizon: float | None
    words: Collection[str]

    def answer(self, text: str, scene: Scene, edits: Edits, item: int) -> Answer:
        """The answer to the text of one item."""
        intent, confidence = INTENTS[int(edits.intents[item])], float(edits.confidence[item])
        unknown = unknown_words(text, self.words)
        if intent == "undo":
            return Answer("undo", "takes back the turn before", confidence, ())
        if bool(edits.no_op[item]):
            outcome = "unchanged" if intent == "nothing" else "not understood"
            return Answer(outcome, unchanged_because(intent, unknown), confidence, unknown)
        return Answer("changed", "; ".join(self.edits(scene, edits, item)), confidence, unknown)

    def reworded(self, scene: Scene, edits: Edits, item: int) -> str:
        """The edits in the plan's own words, see `reword`."""
        gone = (edits.actions[item] != KEEP).nonzero()[:, 0].tolist()
        drawn = (edits.classes[item] >= 0).nonzero()[:, 0].tolist()
        before, after = (
            [str(self._seen(of.classes[item, i], of.traits[item, i], of.cells[item, i])) for i in numbers]
            for of, numbers in ((scene, gone), (edits, drawn))
        )
        return reword(before, after)

    def edits(self, scene: Scene, edits: Edits, item: int) -> list[str]:
        """A phrase for each edit, such as "removes the red cube"."""
        before = [
            self._seen(scene.classes[item, i], scene.traits[item, i], scene.cells[item, i])
            for i in range(int(scene.exists[item].sum()))
        ]
        after = {
            slot: self._seen(edits.classes[item, slot], edits.traits[item, slot], edits.cells[item, slot])
            for slot in (edits.classes[item] >= 0).nonzero()[:, 0].tolist()
        }
        actions, phrases = edits.actions[item].tolist(), []
        others = [obj for obj, action in zip(before, actions, strict=False) if action == KEEP]
        for i, old in enumerate(before):
            if actions[i] == REMOVE:
                phrases.append(f"removes the {old}")
            elif actions[i] == CHANGE:
                phrases.append(self._change(old, after[i], others))
        for slot, new in after.items():
            if slot >= MAX_OBJECTS:
                phrases.append(f"adds a {new}{self._place(new, others)}")
                others.append(new)
        return phrases

    def _change(self, old: Seen, new: Seen, others: Sequence[Seen]) -> str:
        moved = max(abs(old.x - new.x), abs(old.y - new.y)) > SAME_PLACE
        same = old[:2] == new[:2]
        what = f"moves the {old}" if same else f"makes the {old} a {new}"
        return what + (self._place(new, others) if moved else "")

    def _place(self, new: Seen, others: Sequence[Seen]) -> str:
        """The sides of the nearest object, such as ", behind and left of the red cube"."""
        if not others:
            return ""

        def ground(obj: Seen) -> list[float]:
            return to_ground(torch.tensor([obj.x, obj.y]), self.horizon).tolist()

        x, y = ground(new)
        places = [ground(other) for other in others]
        nearest = min(range(len(others)), key=lambda i: (places[i][0] - x) ** 2 + (places[i][1] - y) ** 2)
        right, front = x - places[nearest][0], y - places[nearest][1]
        sides = [
            side
            for side, holds in (
                ("behind", front < -SAME_PLACE),
                ("in front of", front > SAME_PLACE),
                ("left of", right < -SAME_PLACE),
                ("right of", right > SAME_PLACE),
            )
            if holds
        ]
        return f", {' and '.join(sides) or 'at'} the {others[nearest]}"

    def _seen(self, name: int, traits: Sequence[int], cell: int) -> Seen:
        values = tuple(
            known[int(value)] for known, value in zip(self.traits.values(), traits, strict=True) if value > 0
        )
        x, y = int(cell) % self.grid, int(cell) // self.grid
        return Seen(self.classes[int(name)], values, (x + 0.5) / self.grid, (y + 0.5) / self.grid)
