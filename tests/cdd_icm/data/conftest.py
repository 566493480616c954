"""A tiny data set in i-CLEVR's raw layout, made here, and the real data where the machine has them."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

SHAPES = ("cube", "sphere", "cylinder")


@pytest.fixture
def make_iclevr():
    return write_iclevr


@pytest.fixture
def iclevr(tmp_path) -> Path:
    """Three train dialogs and one of val, of three turns each, all pictures different."""
    folder = write_iclevr(tmp_path / "iclevr", 3, "train")
    return write_iclevr(folder, 1, "val")


def write_iclevr(folder: Path, dialogs: int, split: str, suffix=".png", first_turn=0, turns=3) -> Path:
    for name in ("images", "scenes", "text"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (16, 12), (90, 90, 90)).save(folder / "background.png")
    for number in range(dialogs):
        id = f"CLEVR_{split}_{number:06d}"
        objects = [
            {"color": "red", "shape": SHAPES[turn], "pixel_coords": [160 + 10 * turn, 60, 9.5]}
            for turn in range(turns)
        ]
        (folder / f"scenes/{id}.json").write_text(json.dumps({"objects": objects}))
        text = [f"Add a red {SHAPES[turn]} on the left" for turn in range(turns)]
        (folder / f"text/{id}.txt").write_text("\n".join(text) + "\n")
        for turn in range(turns):
            pixels = np.full((12, 16, 3), 90, np.uint8)
            pixels[: turn + 1, : number + 1] = (200, 30, len(split))
            picture = Image.fromarray(pixels)
            picture.save(folder / f"images/{id}_{turn + first_turn}{suffix}")
    return folder
