"""Dialogs of coloured squares, and a detector that reads them exactly: figures can be worked by hand."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest
from PIL import Image

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
    class_traits: ClassVar[dict[str, str]] = {}

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
    return dialog_through(number, *((f"Add a {scene[-1][0]} square", scene) for scene in scenes))


def dialog_through(number: int, *turns: tuple[str, tuple[tuple[str, int, int], ...]]) -> Dialog:
    """Each turn is an instruction, and all squares after it."""
    return Dialog(
        id=f"test_{number}",
        split="test",
        canvas=Painted(()),
        turns=tuple(
            Turn(
                instruction=instruction,
                picture=Painted(scene),
                objects=tuple(SceneObject(color, x / SIDE, y / SIDE) for color, x, y in scene),
            )
            for instruction, scene in turns
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


@pytest.fixture
def coloured_squares(tmp_path):
    """Eight dialogs of one turn in i-CLEVR's layout: a red or a blue square on grey."""
    for split in ("train", "val"):
        for folder in ("images", "scenes", "text"):
            (tmp_path / "data" / folder).mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(0)
        for number in range(8):
            color, (x, y) = ("red", "blue")[number % 2], rng.integers(8, 24, 2)
            picture = np.full((32, 32, 3), 128, np.uint8)
            picture[y - 4 : y + 4, x - 4 : x + 4] = (220, 20, 20) if color == "red" else (20, 20, 220)
            name = f"CLEVR_{split}_{number:06}"
            Image.fromarray(picture).save(tmp_path / "data" / "images" / f"{name}_0.png")
            scene = {"color": color, "shape": "cube", "pixel_coords": [x * 10.0, y * 7.5, 9]}
            (tmp_path / "data" / "scenes" / f"{name}.json").write_text(
                json.dumps({"objects": [scene]}, default=int)
            )
            (tmp_path / "data" / "text" / f"{name}.txt").write_text(f"Add a {color} cube")
    Image.fromarray(np.full((32, 32, 3), 128, np.uint8)).save(tmp_path / "data" / "background.png")
    return tmp_path
