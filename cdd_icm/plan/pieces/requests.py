"""Requests that teach words without pictures: turns of the data, and edits of its scenes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from cdd_icm.data.augment import swap_words
from cdd_icm.data.batch import SIDES
from cdd_icm.data.dialog import Dialog, SceneObject
from cdd_icm.plan.shared.object_tensors import drawn_objects

JOINED = 0.5
"""Share of the data's turns to which the first turn of another dialog is joined, if it can be."""
EDITS = 0.5
"""Share of the requests that are edits."""
EMPTY = 0.2
"""Share of the edits that start from the empty canvas."""


@dataclass(frozen=True)
class Request:
    """An instruction, the objects before and after it, and the names of those that the turn before drew."""

    instruction: str
    touched: tuple[str, ...]
    before: tuple[SceneObject, ...]
    after: tuple[SceneObject, ...]
    intent: str

    def mirrored(self) -> Request:
        """The request in the mirror image of its pictures."""
        before, after = (tuple(obj.mirrored() for obj in objects) for objects in (self.before, self.after))
        return replace(self, instruction=swap_words(self.instruction, SIDES), before=before, after=after)


Edit = Callable[[Sequence[SceneObject], Sequence[str], np.random.Generator], Request]
"""Writes a request about a scene; also takes the names of the objects that the turn before drew."""


@dataclass(frozen=True)
class RequestSource:
    """Draws requests: a share of `EDITS` are edits, if there is an `edit` that writes them."""

    turns: Sequence[Request]
    moved_distance: float
    edit: Edit | None = None

    @classmethod
    def of(cls, dialogs: Sequence[Dialog], moved_distance: float, edit: Edit | None = None) -> RequestSource:
        """From the annotated turns of the dialogs."""
        turns = []
        for dialog in dialogs:
            former: tuple[SceneObject, ...] = ()
            before: tuple[SceneObject, ...] = ()
            for turn in dialog.turns:
                if turn.objects is None:
                    continue
                touched = names_of(drawn_objects(former, before, moved_distance))
                intent = "change" if before != turn.objects else "nothing"
                turns.append(Request(turn.instruction, touched, before, turn.objects, intent))
                former, before = before, turn.objects
        return cls(turns, moved_distance, edit)

    def __call__(self, rng: np.random.Generator) -> Request:
        said = self.said(rng)
        if self.edit is None or rng.random() >= EDITS:
            return said
        if rng.random() < EMPTY:
            return self.edit((), (), rng)
        return self.edited(said, rng)

    def edited(self, said: Request, rng: np.random.Generator) -> Request:
        """An edit of the scene that `said` leaves."""
        return self.edit(
            said.after, names_of(drawn_objects(said.before, said.after, self.moved_distance)), rng
        )

    def said(self, rng: np.random.Generator) -> Request:
        """A turn of the data, or two joined; half of them mirrored."""
        turn = self._any(rng)
        if rng.random() < JOINED:
            turn = joined(turn, self._any(rng), rng) or turn
        return turn.mirrored() if rng.random() < 0.5 else turn

    def _any(self, rng: np.random.Generator) -> Request:
        return self.turns[rng.integers(len(self.turns))]


def names_of(objects: Sequence[SceneObject]) -> tuple[str, ...]:
    return tuple(obj.name for obj in objects)


def joined(one: Request, first: Request, rng: np.random.Generator) -> Request | None:
    """`one` with what `first` draws on an empty canvas, their texts in random order. None if `first` has
    another reference, or both have an object of the same class, which would make the text ambiguous."""
    names = {obj.name for obj in (*one.before, *one.after)}
    if first.before or names & {obj.name for obj in first.after}:
        return None
    texts = [one.instruction, first.instruction]
    text = " ".join(texts if rng.random() < 0.5 else reversed(texts))
    return replace(one, instruction=text, after=(*one.after, *first.after), intent="change")
