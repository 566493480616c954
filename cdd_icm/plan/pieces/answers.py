"""Puts changes into words."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from cdd_icm.plan.answer import Answer
from cdd_icm.plan.pieces.decoding import SAME_PLACE
from cdd_icm.plan.pieces.scene import Changes, Scene
from cdd_icm.plan.shared.intents import INTENTS
from cdd_icm.plan.shared.known_words import unknown_words
from cdd_icm.plan.shared.reasons import unchanged_because

TRAITS = {"depth": "size", "flip": "direction"}
"""How traits are called, if not by their own names."""
COLUMNS = ("left", "", "right")
ROWS = ("top", "", "bottom")


@dataclass(frozen=True)
class Describer:
    """Args: see `PiecePlan`; `words`: those that are known."""

    classes: Sequence[str]
    traits: Mapping[str, Sequence[str]]
    grid: int
    words: Collection[str]

    def answer(self, text: str, scene: Scene, changes: Changes, confidence: float, item: int) -> Answer:
        """The answer to the text of one item."""
        intent = INTENTS[int(changes.intents[item])]
        unknown = unknown_words(text, self.words)
        if intent == "undo":
            return Answer("undo", "takes back the turn before", confidence, ())
        if bool(changes.no_op[item]):
            outcome = "unchanged" if intent == "nothing" else "not understood"
            return Answer(outcome, unchanged_because(intent, unknown), confidence, unknown)
        return Answer("changed", "; ".join(self.phrases(scene, changes, item)), confidence, unknown)

    def phrases(self, scene: Scene, changes: Changes, item: int) -> list[str]:
        """A phrase for each change, such as "removes the sun"."""
        old, new = scene.cells[item].tolist(), changes.drawn.cells[item].tolist()
        removed = changes.removed[item].tolist()
        before, after = scene.traits[item].tolist(), changes.drawn.traits[item].tolist()
        phrases = []
        for c, name in enumerate(self.classes):
            if removed[c]:
                phrases.append(f"removes the {name}")
            elif new[c] >= 0 and old[c] < 0:
                phrases.append(f"adds {_article(name)}{name}, {self.place(new[c])}")
            elif new[c] >= 0 and self._apart(old[c], new[c]):
                phrases.append(f"moves the {name}, {self.place(new[c])}")
            elif new[c] >= 0:
                phrases.append(f"changes the {name}{self._changed(before[c], after[c])}")
        return phrases

    def place(self, cell: int) -> str:
        """Where a cell is, by thirds of the picture: "top left"."""
        row, column = (3 * at // self.grid for at in divmod(cell, self.grid))
        return " ".join(word for word in (ROWS[row], COLUMNS[column]) if word) or "in the middle"

    def _apart(self, one: int, other: int) -> bool:
        rows, columns = (
            abs(a - b) for a, b in zip(divmod(one, self.grid), divmod(other, self.grid), strict=True)
        )
        return max(rows, columns) > SAME_PLACE

    def _changed(self, before: Sequence[int], after: Sequence[int]) -> str:
        names = [
            TRAITS.get(trait, trait) for trait, a, b in zip(self.traits, before, after, strict=True) if a != b
        ]
        return f"'s {' and '.join(names)}" if names else ""


def _article(name: str) -> str:
    if name.endswith("s") and not name.endswith("ss"):
        return ""
    return "an " if name[0] in "aeiou" else "a "
