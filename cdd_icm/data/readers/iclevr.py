"""Reads i-CLEVR in its raw layout (GeNeVA, El-Nouby et al. 2019): a folder, a zip, or a folder of zips.

images/CLEVR_<split>_<id>_<turn>.<ext>    scenes/CLEVR_<split>_<id>.json
text/CLEVR_<split>_<id>.txt               background.png
"""

from __future__ import annotations

import re
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

from cdd_icm.data.dialog import Dialog, SceneObject, Turn
from cdd_icm.data.faults import OnFault, stop
from cdd_icm.data.fields import checked, field
from cdd_icm.data.files import Files, FolderFiles, ZipFiles
from cdd_icm.data.picture import EncodedPicture
from cdd_icm.errors import InputError
from cdd_icm.io import parse_json
from cdd_icm.text import decode_text, split_lines

KIND = "iclevr"
DESCRIPTION = "i-CLEVR"
SHAPES = ("cube", "sphere", "cylinder")
COLORS = ("gray", "red", "blue", "green", "brown", "purple", "cyan", "yellow")
ICLEVR_CLASSES = tuple(f"{color} {shape}" for shape in SHAPES for color in COLORS)
SCENE_WIDTH, SCENE_HEIGHT = 320, 240  # the units of `pixel_coords`, whatever the pictures' size

_DIALOG = r"(?P<dialog>CLEVR_(?P<split>[^/]+)_\d+)"
_IMAGE = re.compile(rf"(?P<root>(?:.*/)?)images/{_DIALOG}_(?P<turn>\d+)\.\w+")
_OTHER = re.compile(rf"(?P<root>(?:.*/)?)(?:scenes|text)/{_DIALOG}\.\w+")


def kind_of(path: Path) -> str | None:
    return KIND if any(_may_hold_dialogs(files) for files in _sources(path)) else None


def read(path: Path, split: str | None = None, on_fault: OnFault = stop) -> list[Dialog]:
    """All dialogs under `path`, sorted by split and id; only those of `split` if given.

    Raises:
        InputError: a file is missing or can't be parsed, or texts, pictures and objects differ in number.
    """
    dialogs: dict[str, Dialog] = {}
    for files in _sources(path):
        try:
            names = set(files.names())
        except InputError as fault:
            on_fault(fault)
            continue
        pictures: dict[tuple[str, str, str], list[tuple[int, str]]] = defaultdict(list)
        for name in names:
            match = _IMAGE.fullmatch(name) or _OTHER.fullmatch(name)
            if match and split in (None, match["split"]):
                # a text or scene without pictures is a dialog too: its pictures are reported missing
                turns = pictures[match["split"], match["dialog"], match["root"]]
                if match.re is _IMAGE:
                    turns.append((int(match["turn"]), name))
        for (dialog_split, dialog_id, root), turns in sorted(pictures.items()):
            try:
                if dialog_id in dialogs:
                    raise InputError(
                        f"{files.where(root)}: dialog {dialog_id} was already read from another file"
                    )
                dialogs[dialog_id] = _dialog(files, names, root, dialog_id, dialog_split, sorted(turns))
            except InputError as fault:
                on_fault(fault)
    return sorted(dialogs.values(), key=lambda dialog: (dialog.split, dialog.id))


def _sources(path: Path) -> list[Files]:
    """The file trees under `path`: a zip itself, or the folder, if it has images/, and each zip in it."""
    if path.is_dir():
        folder: list[Files] = [FolderFiles(path)] if (path / "images").is_dir() else []
        return folder + [ZipFiles(file) for file in sorted(path.glob("*.zip"))]
    return [ZipFiles(path)] if path.suffix == ".zip" else []


def _may_hold_dialogs(files: Files) -> bool:
    """True also for files that can't be opened, so that `read` reports them."""
    try:
        return any(_IMAGE.fullmatch(name) for name in files.names())
    except InputError:
        return True


def _dialog(
    files: Files, names: set[str], root: str, id: str, split: str, images: list[tuple[int, str]]
) -> Dialog:
    """`images`: turn number and file name of each picture, in order."""
    text = f"{root}text/{id}.txt"
    instructions = _text(files, text).split("\n")
    numbers = [number for number, _ in images]
    if not numbers:
        raise InputError(f"{files.where(f'{root}images/{id}')}: the dialog has no pictures")
    for (number, name), (other, same) in pairwise(images):
        if number == other:
            raise InputError(f"{files.where(same)}: turn {number} is duplicated by {name}")
    if numbers != list(range(numbers[0], numbers[0] + len(numbers))):
        raise InputError(f"{files.where(f'{root}images/{id}')}: pictures {numbers} have a gap")
    if not all(instructions):
        raise InputError(f"{files.where(text)}: line {instructions.index('') + 1} is empty")
    if len(instructions) != len(images):
        raise InputError(f"{files.where(text)}: {len(instructions)} lines of text for {len(images)} pictures")
    scene = f"{root}scenes/{id}.json"
    annotated = scene in names or any(name.startswith(f"{root}scenes/") for name in names)
    objects = _objects(files, scene) if annotated else None
    if objects is not None and len(objects) != len(images):
        raise InputError(f"{files.where(scene)}: objects: {len(objects)} for {len(images)} pictures")
    if f"{root}background.png" not in names:
        raise InputError(f"{files.where(f'{root}background.png')}: the canvas is missing")
    return Dialog(
        id=id,
        split=split,
        canvas=EncodedPicture(files, f"{root}background.png"),
        turns=tuple(
            Turn(
                instruction=instruction,
                picture=EncodedPicture(files, name),
                objects=None if objects is None else objects[: turn + 1],
            )
            for turn, (instruction, (_, name)) in enumerate(zip(instructions, images, strict=True))
        ),
    )


def _text(files: Files, name: str) -> str:
    text = decode_text(files.read(name), files.where(name)).strip()
    if not text:
        raise InputError(f"{files.where(name)}: the dialog has no text")
    return "\n".join(line.strip() for line in split_lines(text))


def _objects(files: Files, name: str) -> tuple[SceneObject, ...]:
    where = files.where(name)
    # the published scenes have -0.0 in fields that are not read
    values = field(parse_json(files.read(name), where, foreign=True), "objects", list, where)
    objects = tuple(_object(value, f"{where}: objects") for value in values)
    for number, obj in enumerate(objects):
        if obj.name in (other.name for other in objects[:number]):
            raise InputError(f"{where}: objects: {obj.name} is duplicated")
    return objects


def _object(value: object, where: str) -> SceneObject:
    name = f"{field(value, 'color', str, where)} {field(value, 'shape', str, where)}"
    if name not in ICLEVR_CLASSES:
        raise InputError(f"{where}: unknown class {name!r}")
    coords = field(value, "pixel_coords", list, where)
    if len(coords) != 3:
        raise InputError(f"{where}: pixel_coords: {coords!r} are not three numbers")
    x, y, depth = (float(checked(number, "pixel_coords", float | int, where)) for number in coords)
    return SceneObject(name, x / SCENE_WIDTH, y / SCENE_HEIGHT, depth)
