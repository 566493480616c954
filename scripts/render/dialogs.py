"""Dialogs to render: made from a seed, or those of an existing data set in i-CLEVR's layout."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cdd_icm.data.fields import field
from cdd_icm.data.files import Files, FolderFiles, ZipFiles
from cdd_icm.errors import InputError
from cdd_icm.hashing import derive_seed
from cdd_icm.io import parse_json
from cdd_icm.text import decode_text, split_lines
from render.grammar import Grammar
from render.world import COLORS, SHAPES, Camera, Object, sample_objects

TRIES = 1000


@dataclass(frozen=True)
class ToRender:
    """A dialog: what is added by each turn, and the words that ask for it."""

    split: str
    number: int
    camera: Camera
    objects: tuple[Object, ...]
    texts: tuple[str, ...]
    told: tuple[tuple[float, ...], ...] = ()
    """`pixel_coords` as the scene's file has them, for a dialog that was read."""

    @property
    def id(self) -> str:
        return f"CLEVR_{self.split}_{self.number:06d}"

    @property
    def scene(self) -> dict[str, Any]:
        """The content of the scene's file, in GeNeVA's layout. `pixel_coords`: x and y in a frame of 320x240,
        and the depth."""
        seen = self.camera.project(np.array([each.centre for each in self.objects]))
        objects = [
            {
                **{"shape": each.shape, "color": each.color, "size": "large", "material": "rubber"},
                "rotation": each.rotation,
                "3d_coords": list(each.centre),
                "pixel_coords": [round(x), round(y), round(depth, 4)],
            }
            for each, (x, y, depth) in zip(self.objects, seen.tolist(), strict=True)
        ]
        directions = {name: (v.round(5) + 0.0).tolist() for name, v in self.camera.directions.items()}
        values = {"split": self.split, "image_index": self.number, "objects": objects}
        return values | {"directions": directions, "camera": list(self.camera.location)}


def make_dialog(
    split: str, number: int, seed: int, turns: int, camera: Camera, jitter: float, grammar: Grammar
) -> ToRender:
    """The dialog that these arguments stand for. A scene that can't be described is given up for another.

    Raises:
        InputError: so many objects find no place.
    """
    rng = np.random.default_rng(derive_seed("iclevr", seed, split, number))
    placed = camera.jittered(jitter, rng) if jitter else camera
    for _ in range(TRIES):
        objects = sample_objects(turns, placed, rng)
        texts = [grammar.instruction(objects[: turn + 1], placed, rng) for turn in range(turns)]
        if None not in texts:
            return ToRender(split, number, placed, tuple(objects), tuple(texts))
    raise InputError(f"{split} {number}: no scene of {turns} objects that can be described in {TRIES}")


def read_dialogs(path: Path, split: str, camera: Camera) -> Iterator[ToRender]:
    """The scenes and texts of a split in i-CLEVR's layout, a folder or a zip, in the order of their numbers.
    Its pictures are not opened. A scene without `camera` was seen from the default one.

    Raises:
        InputError: there is no such split, or a file is missing or has other fields.
    """
    files: Files = ZipFiles(path) if path.suffix == ".zip" else FolderFiles(path)
    start = f"scenes/CLEVR_{split}_"
    names = sorted(name for name in files.names() if name.startswith(start) and name.endswith(".json"))
    if not names:
        raise InputError(f"{path}: no scenes/CLEVR_{split}_*.json")
    for name in names:
        where = files.where(name)
        values = parse_json(files.read(name), where, foreign=True)
        number = name[len(start) : -len(".json")]
        if not number.isdecimal():
            raise InputError(f"{where}: expected a number after {start}")
        objects = tuple(_object(each, where) for each in field(values, "objects", list, where))
        text = name.replace("scenes/", "text/").replace(".json", ".txt")
        texts = tuple(split_lines(decode_text(files.read(text), files.where(text)).strip()))
        if not len(objects) == len(texts) > 0:
            raise InputError(f"{files.where(text)}: {len(texts)} lines for {len(objects)} objects")
        location = (
            _numbers(values["camera"], 3, f"{where}: camera") if "camera" in values else camera.location
        )
        told = (field(each, "pixel_coords", list, where) for each in values["objects"])
        told = tuple(_numbers(each, 3, f"{where}: pixel_coords") for each in told)
        yield ToRender(split, int(number), Camera(location, camera.shape), objects, texts, told)


def _object(values: Any, where: str) -> Object:
    color, shape = (field(values, name, str, where) for name in ("color", "shape"))
    if color not in COLORS or shape not in SHAPES:
        raise InputError(f"{where}: objects: {color!r} {shape!r} is no class")
    x, y, _ = _numbers(field(values, "3d_coords", list, where), 3, f"{where}: 3d_coords")
    (rotation,) = _numbers([values.get("rotation", 0.0)], 1, f"{where}: rotation")
    return Object(color, shape, x, y, rotation)


def _numbers(values: Any, count: int, where: str) -> tuple[float, ...]:
    right = isinstance(values, list) and len(values) == count
    if not (
        right and all(isinstance(v, int | float) and not isinstance(v, bool) and abs(v) < 1e6 for v in values)
    ):
        raise InputError(f"{where} is {values!r:.80}, expected {count} numbers")
    return tuple(float(v) for v in values)
