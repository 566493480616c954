"""A tiny data set in i-CLEVR's raw layout, made here, and the real data where the machine has them."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cdd_icm.data import PictureCache, TripletDataset, load_dialogs, pictures_of
from cdd_icm.train.generator import planned

SHAPES = ("cube", "sphere", "cylinder")


@pytest.fixture(scope="session")
def real_data() -> Path:
    folder = os.environ.get("CDD_ICM_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("CDD_ICM_DATA does not name the folder of the real data")
    return Path(folder)


@pytest.fixture
def real_items():
    """real_items(config, n) -> the first n triplets of the shipped training dialogs, and their classes."""

    def items(config, n):
        dialogs = load_dialogs(config.data.path, "train")[:2]
        cache = PictureCache.open_or_build(config.data.cache_dir, pictures_of(dialogs), 32, progress=False)
        return [TripletDataset(dialogs, cache)[i] for i in range(n)], planned(config, dialogs)[0]

    return items


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
