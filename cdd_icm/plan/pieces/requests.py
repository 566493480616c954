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
EMPTY = 0.2
"""Share of the edits that start from the empty canvas."""


@dataclass(frozen=True)
class Request:
    """An instruction, the ones before it, oldest first, and the objects before and after it."""

    instruction: str
    history: tuple[str, ...]
    before: tuple[SceneObject, ...]
    after: tuple[SceneObject, ...]
    intent: str

    def mirrored(self) -> Request:
        """The request in the mirror image of its pictures."""
        before, after = (tuple(obj.mirrored() for obj in objects) for objects in (self.before, self.after))
        history = tuple(swap_words(text, SIDES) for text in self.history)
        return replace(
            self,
            instruction=swap_words(self.instruction, SIDES),
            history=history,
            before=before,
            after=after,
        )


Edit = Callable[[Sequence[SceneObject], Sequence[str], np.random.Generator], Request]
"""Writes a request about a scene; also takes the names of the objects that the turn before drew."""


@dataclass(frozen=True)
class RequestSource:
    """Args: edit: writes an edit. edits: the share of the requests that are such."""

    turns: Sequence[Request]
    moved_distance: float
    edit: Edit | None = None
    edits: float = 0.0

    @classmethod
    def of(
        cls, dialogs: Sequence[Dialog], moved_distance: float, edit: Edit | None = None, edits: float = 0.0
    ) -> RequestSource:
        """From the annotated turns of the dialogs, with the instruction before each."""
        turns = []
        for dialog in dialogs:
            before: tuple[SceneObject, ...] = ()
            for number, turn in enumerate(dialog.turns):
                if turn.objects is None:
                    continue
                history = tuple(earlier.instruction for earlier in dialog.turns[max(0, number - 1) : number])
                turns.append(Request(turn.instruction, history, before, turn.objects, "change"))
                before = turn.objects
        return cls(turns, moved_distance, edit, edits)

    def __call__(self, rng: np.random.Generator) -> Request:
        said = self._said(rng)
        if self.edit is None or rng.random() >= self.edits:
            return said
        if rng.random() < EMPTY:
            return self.edit((), (), rng)
        return self.edited(said, rng)

    def edited(self, said: Request, rng: np.random.Generator) -> Request:
        """An edit of the scene that `said` leaves."""
        touched = [obj.name for obj in drawn_objects(said.before, said.after, self.moved_distance)]
        return replace(self.edit(said.after, touched, rng), history=(said.instruction,))

    def _said(self, rng: np.random.Generator) -> Request:
        """A turn of the data, or two joined; half of them mirrored."""
        turn = self._any(rng)
        if rng.random() < JOINED:
            turn = joined(turn, self._any(rng), rng) or turn
        return turn.mirrored() if rng.random() < 0.5 else turn

    def _any(self, rng: np.random.Generator) -> Request:
        turn = self.turns[rng.integers(len(self.turns))]
        changes = turn.before != turn.after
        return turn if changes else replace(turn, intent="nothing")


def joined(one: Request, first: Request, rng: np.random.Generator) -> Request | None:
    """`one` with what `first` draws on an empty canvas, their texts in random order. None if `first` has
    another reference, or both have an object of the same class, which would make the text ambiguous."""
    names = {obj.name for obj in (*one.before, *one.after)}
    if first.before or names & {obj.name for obj in first.after}:
        return None
    texts = [one.instruction, first.instruction]
    text = " ".join(texts if rng.random() < 0.5 else reversed(texts))
    return replace(one, instruction=text, after=(*one.after, *first.after), intent="change")
