"""Reads your own dialogs: a folder of pictures with `metadata.jsonl` (the ImageFolder convention).

    {"file_name": "cat_1.png", "dialog_id": "cat", "turn": 1, "instruction": "add a cat on the left"}

There is one row per picture. `turn` counts the dialog's turns from 0 or 1. Optional fields are `split` (by
default the name of the metadata.jsonl's folder if each split has its own folder, else "train") and `objects`,
a list of {"name", "x", "y", "depth", "look"}: x and y are fractions of width and height, depth is 0 by
default, and look has further traits, such as {"pose": "sitting"}.

A dialog's canvas is its row of turn 0 if that has no instruction; else `canvas.png` or `background.png`
beside the metadata.jsonl; else plain white in the size of the dialog's first picture.
"""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from cdd_icm.data.dialog import Dialog, Picture, SceneObject, Turn
from cdd_icm.data.faults import OnFault, stop
from cdd_icm.data.fields import field, scene_object, valid_file_name
from cdd_icm.data.files import FolderFiles
from cdd_icm.data.picture import EncodedPicture
from cdd_icm.errors import InputError
from cdd_icm.hashing import content_digest
from cdd_icm.io import parse_json
from cdd_icm.sources import path_within
from cdd_icm.text import read_lines

KIND = "folder"
DESCRIPTION = "a folder with metadata.jsonl"
METADATA = "metadata.jsonl"
CANVASES = ("canvas.png", "background.png")


def kind_of(path: Path) -> str | None:
    return KIND if _metadata(path) else None


def read(path: Path, split: str | None = None, on_fault: OnFault = stop) -> list[Dialog]:
    """All dialogs, sorted by split and id; only those of `split` if given.

    Raises:
        InputError: a row can't be parsed, lacks a field, or names a missing picture; or a dialog's turns
            have a gap.
    """
    dialogs = []
    for metadata in _metadata(path):
        for (row_split, id), rows in sorted(_rows(metadata, path, on_fault).items()):
            if split in (None, row_split):
                try:
                    dialogs.append(_dialog(id, row_split, rows, metadata))
                except InputError as fault:
                    on_fault(fault)
    return dialogs


@dataclass(frozen=True)
class WhitePicture:
    """A plain white canvas."""

    height: int
    width: int

    @property
    def key(self) -> str:
        return content_digest(f"white {self.height}x{self.width}")

    def decode(self) -> UInt8[np.ndarray, "h w 3"]:
        return np.full((self.height, self.width, 3), 255, np.uint8)


@dataclass(frozen=True)
class _Row:
    """A line of metadata.jsonl; `where` names it in errors."""

    where: str
    picture: EncodedPicture
    turn: int
    instruction: str
    objects: tuple[SceneObject, ...] | None


def _metadata(path: Path) -> list[Path]:
    return [path / METADATA] if (path / METADATA).is_file() else sorted(path.glob(f"*/{METADATA}"))


def _rows(metadata: Path, path: Path, on_fault: OnFault) -> dict[tuple[str, str], list[_Row]]:
    """The rows of each (split, dialog). A dialog with a faulty row is skipped."""
    default_split = "train" if metadata.parent == path else metadata.parent.name
    rows, faulty = defaultdict(list), set()
    for number, line in enumerate(read_lines(metadata), 1):
        if not line.strip():
            continue
        where, dialog = f"{metadata}:{number}", None
        try:
            fields = parse_json(line, where)
            dialog = (
                valid_file_name(field(fields, "split", str, where, default_split), "split", where),
                valid_file_name(
                    str(field(fields, "dialog_id", str | int, where)), "dialog_id", where, forbidden=""
                ),
            )
            rows[dialog].append(_row(fields, metadata, where))
        except InputError as fault:
            faulty.add(dialog)
            on_fault(fault)
    return {key: dialog_rows for key, dialog_rows in rows.items() if key not in faulty}


def _row(fields: dict, metadata: Path, where: str) -> _Row:
    name = path_within(field(fields, "file_name", str, where), f"{where}: file_name")
    if not os.path.isfile(metadata.parent / name):  # Path.is_file raises if a name is too long
        raise InputError(f"{where}: file_name: {metadata.parent / name}: no such file")
    objects = field(fields, "objects", list | None, where, None)
    return _Row(
        where=where,
        picture=EncodedPicture(FolderFiles(metadata.parent), name),
        turn=field(fields, "turn", int, where),
        instruction=field(fields, "instruction", str | None, where, None) or "",
        objects=None if objects is None else tuple(_object(obj, where) for obj in objects),
    )


def _object(value: object, where: str) -> SceneObject:
    obj = scene_object(value, where)
    if not (-1 <= obj.x <= 2 and -1 <= obj.y <= 2):  # probably pixels
        raise InputError(
            f"{where}: objects: x {obj.x:g}, y {obj.y:g}: not fractions of the picture's width and height"
        )
    return obj


def _dialog(id: str, split: str, rows: list[_Row], metadata: Path) -> Dialog:
    rows = sorted(rows, key=lambda row: row.turn)
    numbers = [row.turn for row in rows]
    if numbers != list(range(numbers[0], numbers[0] + len(rows))) or numbers[0] not in (0, 1):
        raise InputError(
            f"{rows[0].where}: turn: dialog {id!r} has turns {numbers}, not 0, 1, 2, ... or 1, 2, ..."
        )
    canvas = None
    if rows[0].turn == 0 and not rows[0].instruction:
        canvas, rows = rows[0].picture, rows[1:]
    if not rows:
        raise InputError(f"{metadata}: dialog {id!r} has no turn with text")
    for row in rows:
        if not row.instruction.strip():
            raise InputError(f"{row.where}: instruction: turn {row.turn} of dialog {id!r} has no text")
    return Dialog(
        id=id,
        split=split,
        canvas=canvas or _canvas(metadata.parent, rows[0].picture),
        turns=tuple(Turn(row.instruction, row.picture, row.objects) for row in rows),
    )


def _canvas(folder: Path, first: Picture) -> Picture:
    for name in CANVASES:
        if (folder / name).is_file():
            return EncodedPicture(FolderFiles(folder), name)
    height, width, _ = first.decode().shape
    return WhitePicture(height, width)
