"""Dialogs of coloured squares, and a detector that reads them exactly: figures can be worked by hand."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest

from cdd_icm.data import Dialog, SceneObject, Turn
from cdd_icm.evaluation.detector import Detections

SIDE = 32
COLORS = {"red": (250, 0, 0), "green": (0, 250, 0), "blue": (0, 0, 250)}


@dataclass(frozen=True)
class Painted:
    """A grey picture with a square of 4x4 pixels for each (colour, column, row)."""

    squares: tuple[tuple[str, int, int], ...]

    @property
    def key(self) -> str:
        return hashlib.sha256(repr(self.squares).encode()).hexdigest()

    def decode(self) -> np.ndarray:
        picture = np.full((SIDE, SIDE, 3), 128, np.uint8)
        for color, x, y in self.squares:
            picture[y - 2 : y + 2, x - 2 : x + 2] = COLORS[color]
        return picture


class ExactDetector:
    """Finds the squares by their colours; speaks as a `Detector` does."""

    config = SimpleNamespace(image_size=SIDE, classes=list(COLORS), coordinates=2)

    def detect(self, pictures: np.ndarray) -> Detections:
        present = np.zeros((len(pictures), len(COLORS)), bool)
        places = np.zeros((len(pictures), len(COLORS), 2), np.float32)
        for column, color in enumerate(COLORS.values()):
            for row, picture in enumerate(pictures):
                ys, xs = np.nonzero((picture == color).all(axis=2))
                if len(ys):
                    present[row, column] = True
                    places[row, column] = (xs.mean() + 0.5) / SIDE, (ys.mean() + 0.5) / SIDE
        return Detections(present, places)


def dialog_of(number: int, *squares: tuple[str, int, int]) -> Dialog:
    """Each turn adds the next square."""
    scenes = [squares[: turn + 1] for turn in range(len(squares))]
    return Dialog(
        id=f"test_{number}",
        split="test",
        canvas=Painted(()),
        turns=tuple(
            Turn(
                instruction=f"Add a {scene[-1][0]} square",
                picture=Painted(scene),
                objects=tuple(SceneObject(color, x / SIDE, y / SIDE) for color, x, y in scene),
            )
            for scene in scenes
        ),
    )


@pytest.fixture
def paint():
    """A function from scenes, tuples of (colour, column, row), to their pictures."""
    return lambda *scenes: np.stack([Painted(scene).decode() for scene in scenes])


@pytest.fixture
def dialogs() -> list[Dialog]:
    return [
        dialog_of(0, ("red", 6, 6), ("green", 20, 10), ("blue", 12, 26)),
        dialog_of(1, ("blue", 8, 20), ("red", 24, 8)),
    ]


@pytest.fixture
def detector() -> ExactDetector:
    return ExactDetector()
