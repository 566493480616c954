"""`Dialog`, `Turn`, `Picture` and `SceneObject`: the form that every data set is read into."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np


class Picture(Protocol):
    """A picture that is decoded on demand."""

    @property
    def key(self) -> str:
        """Hex digest of the source of the pixels; equal keys mean equal pixels."""

    def decode(self) -> np.ndarray:
        """The pixels as uint8 (H, W, 3), RGB, 0..255, at their stored size.

        Raises:
            InputError: the file is missing, truncated or not an image; the message names it.
        """


@dataclass(frozen=True)
class SceneObject:
    """One annotated object. `x` and `y` are its centre as a fraction of the picture's width and height, from
    the top left; `depth` is the data set's own (i-CLEVR: Blender units from the camera; CoDraw: 0, 1, 2).
    `look` holds further annotated traits of its appearance, such as {"pose": "sitting"}; a value means the
    same for all classes. The trait `flip` is "0" for the original drawing and "1" for its mirror image."""

    name: str
    x: float
    y: float
    depth: float = 0.0
    look: Mapping[str, str] = field(default_factory=dict)

    def mirrored(self) -> SceneObject:
        """The object in the mirror image of its picture: `x` becomes 1 - x, and the trait `flip`, if
        annotated, is inverted."""
        flip = {"flip": {"0": "1", "1": "0"}[self.look["flip"]]} if "flip" in self.look else {}
        return replace(self, x=1 - self.x, look={**self.look, **flip})


@dataclass(frozen=True)
class Turn:
    """One instruction and the picture after it. `objects` are all objects in that picture, those of earlier
    turns first, or None if the data is not annotated."""

    instruction: str
    picture: Picture
    objects: tuple[SceneObject, ...] | None = None


@dataclass(frozen=True)
class Dialog:
    """A conversation: an empty `canvas`, then one picture per turn. Turn k's reference is the picture of turn
    k-1, or the canvas for the first turn; `id` is unique within the data set."""

    id: str
    split: str
    canvas: Picture
    turns: tuple[Turn, ...]

    def reference(self, turn: int) -> Picture:
        """The picture that turn `turn` (from 0) starts from."""
        return self.turns[turn - 1].picture if turn else self.canvas


def class_names(dialogs: Iterable[Dialog]) -> set[str]:
    """The classes of all annotated objects."""
    return {obj.name for dialog in dialogs for turn in dialog.turns for obj in turn.objects or ()}
