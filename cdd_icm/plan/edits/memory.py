"""What the earlier instructions of a dialog did, so that "it" and "the first one" can be understood."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from cdd_icm.plan.edits.decoding import Edits
from cdd_icm.plan.edits.requests import KEEP, MAX_OBJECTS, REMOVE, TOUCHED, TOUCHED_LAST, Scene

REMEMBERED = 8
"""Number of earlier instructions that are read again."""
NEAR = 2
"""Distance in cells within which a detection is the object that is remembered there."""

Detected = tuple[int, tuple[int, ...], int]
"""An object: class, traits and cell."""


@dataclass
class Remembered:
    """The objects of a picture as a dialog's instructions made them, in the order in which they were added:
    class, traits and cell of each; and the numbers of those that the last turn added or changed."""

    objects: list[Detected] = field(default_factory=list)
    touched: list[int] = field(default_factory=list)

    def after(self, edits: Edits, item: int) -> Remembered:
        """What is there after the edits of one item."""
        kept, touched = [], []
        actions, classes, cells = (
            part[item].tolist() for part in (edits.actions, edits.classes, edits.cells)
        )
        traits = [tuple(values) for values in edits.traits[item].tolist()]
        for i, obj in enumerate(self.objects[:MAX_OBJECTS]):
            if actions[i] == REMOVE:
                continue
            if actions[i] != KEEP:
                touched.append(len(kept))
                obj = (classes[i], traits[i], cells[i])
            kept.append(obj)
        for slot in edits.added[item].nonzero()[:, 0].tolist():
            touched.append(len(kept))
            kept.append((classes[MAX_OBJECTS + slot], traits[MAX_OBJECTS + slot], cells[MAX_OBJECTS + slot]))
        return Remembered(kept, touched if touched else [])

    def seen_in(self, detected: Sequence[Detected], grid: int) -> Remembered:
        """What is detected in the picture, in the order of the objects remembered; those of which nothing is
        remembered were there first.

        A detection is the remembered object of its class, or else the one that is remembered in its place:
        what was asked for is surer than what a badly drawn object looks like. Its look is as remembered.
        """
        rest, matches = list(detected), {}
        for same in (lambda old, new: old[0] == new[0], lambda old, new: apart(old, new, grid) <= NEAR):
            for number, old in enumerate(self.objects):
                match = next((new for new in rest if number not in matches and same(old, new)), None)
                if match is not None:
                    rest.remove(match)
                    matches[number] = (*old[:2], match[2])
        found = [matches[number] for number in sorted(matches)]
        touched = [sorted(matches).index(number) for number in self.touched if number in matches]
        return Remembered([*rest, *found], [number + len(rest) for number in touched])


def apart(one: Detected, other: Detected, grid: int) -> int:
    """The larger of the distances in columns and in rows."""
    return max(abs(one[2] % grid - other[2] % grid), abs(one[2] // grid - other[2] // grid))


def scene_of(memories: Sequence[Remembered], trait_count: int, device: torch.device) -> Scene:
    """The scenes as tensors."""
    shape = (len(memories), MAX_OBJECTS)
    classes, cells = torch.full(shape, -1), torch.full(shape, -1)
    traits, touched = torch.full((*shape, trait_count), -1), torch.zeros(shape, dtype=torch.long)
    for b, memory in enumerate(memories):
        for i, (name, look, cell) in enumerate(memory.objects[:MAX_OBJECTS]):
            classes[b, i], cells[b, i] = name, cell
            traits[b, i] = torch.tensor(look, dtype=torch.long)
        for i in memory.touched:
            if i < MAX_OBJECTS:
                touched[b, i] = TOUCHED_LAST if i == memory.touched[-1] else TOUCHED
    parts: list[Tensor] = [part.to(device) for part in (classes, traits, cells, touched)]
    return Scene(*parts)
