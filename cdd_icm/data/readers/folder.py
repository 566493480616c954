"""Your own dialogs: a folder of pictures with `metadata.jsonl` (the ImageFolder convention).

    {"file_name": "cat_1.png", "dialog_id": "cat", "turn": 1, "instruction": "add a cat on the left"}

One row per picture. `turn` numbers the dialog's turns from 0 or 1. Optional are `split` (by default the name
of the folder that holds the metadata.jsonl if each split has its own, else "train") and `objects`, a list of
{"name", "x", "y", "depth", "look"}: x and y are fractions of width and height, depth is 0 by default, and
look holds further traits, such as {"pose": "sitting"}.

The canvas that a dialog starts from is its row of turn 0 without instruction; else `canvas.png` or
`background.png` beside the metadata.jsonl; else plain white, of the size of the dialog's first picture.
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
from cdd_icm.data.fields import field, nameable, scene_object
from cdd_icm.data.files import FolderFiles
from cdd_icm.data.picture import EncodedPicture
from cdd_icm.errors import InputError
from cdd_icm.hashing import content_digest
from cdd_icm.io import parse_json
from cdd_icm.sources import inside

KIND = "folder"
DESCRIPTION = "a folder with metadata.jsonl"
METADATA = "metadata.jsonl"
CANVASES = ("canvas.png", "background.png")


def kind_of(path: Path) -> str | None:
    return KIND if _metadata(path) else None


def read(path: Path, split: str | None = None, on_fault: OnFault = stop) -> list[Dialog]:
    """All dialogs, by split and id; only those of `split` if given.

    Raises:
        InputError: a row can't be parsed, lacks a field, or names a picture that is not there; the turns of
            a dialog leave a gap.
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
    """The rows of each (split, dialog). A dialog with a faulty row is left out whole."""
    default_split = "train" if metadata.parent == path else metadata.parent.name
    rows, faulty = defaultdict(list), set()
    for number, line in enumerate(metadata.read_bytes().splitlines(), 1):
        if not line.strip():
            continue
        where, dialog = f"{metadata}:{number}", None
        try:
            fields = parse_json(line, where)
            dialog = (
                nameable(field(fields, "split", str, where, default_split), "split", where),
                nameable(str(field(fields, "dialog_id", str | int, where)), "dialog_id", where, never=""),
            )
            rows[dialog].append(_row(fields, metadata, where))
        except InputError as fault:
            faulty.add(dialog)
            on_fault(fault)
    return {dialog: found for dialog, found in rows.items() if dialog not in faulty}


def _row(fields: dict, metadata: Path, where: str) -> _Row:
    name = inside(field(fields, "file_name", str, where), f"{where}: file_name")
    if not os.path.isfile(metadata.parent / name):  # Path's own raises where a name is too long
        raise InputError(f"{where}: file_name: {metadata.parent / name}: no such file")
    objects = field(fields, "objects", list | None, where, None)
    return _Row(
        where=where,
        picture=EncodedPicture(FolderFiles(metadata.parent), name),
        turn=field(fields, "turn", int, where),
        instruction=field(fields, "instruction", str | None, where, None) or "",
        objects=None if objects is None else tuple(_object(thing, where) for thing in objects),
    )


def _object(thing: object, where: str) -> SceneObject:
    found = scene_object(thing, where)
    if not (-1 <= found.x <= 2 and -1 <= found.y <= 2):  # as pixels would be
        raise InputError(
            f"{where}: objects: x {found.x:g}, y {found.y:g}: not fractions of the picture's width and height"
        )
    return found


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
