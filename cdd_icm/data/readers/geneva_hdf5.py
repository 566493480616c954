"""Reads GeNeVA's HDF5 files, `clevr_<split>.h5` and `codraw_<split>.h5`: one file or a folder of them.

Each dialog is a group: `images` (T, H, W, 3) uint8 in BGR order; `text` (i-CLEVR: a JSON list) or
`utterences` (CoDraw: T strings; sic); `objects` (T, classes), above 0.5 if the class is in the picture;
`coords` (T, classes, 3): x and y in pixels of a 128x128 picture, then depth. The file itself has `background`
(H, W, 3) BGR and, for i-CLEVR, `entities`, a JSON list of the classes.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from jaxtyping import UInt8

from cdd_icm.data.dialog import Dialog, SceneObject, Turn
from cdd_icm.data.faults import OnFault, stop
from cdd_icm.data.fields import checked
from cdd_icm.data.readers.iclevr import COLORS, ICLEVR_CLASSES
from cdd_icm.errors import InputError
from cdd_icm.hashing import content_digest
from cdd_icm.io import parse_json
from cdd_icm.limits import ANY_SIZE, MEMBER, PIXELS, check_file
from cdd_icm.text import read_lines

DESCRIPTION = "GeNeVA's HDF5"
COORDS_UNIT = 128
DAMAGED = (OSError, RuntimeError, TypeError, ValueError, LookupError)
"""The errors that h5py raises for damaged files."""
NOT_DIALOGS = {"background", "entities"}
"""Keys of a file that are not dialogs."""


def kind_of(path: Path) -> str | None:
    """The data set of the files, recognised by the first readable dialog. If no dialog is readable, `read`
    reports why."""
    files = _h5_files(path)
    for each in files:
        try:
            file = _open(each)
            for name in file:
                if isinstance(group := _member(file, each, name), h5py.Group):
                    return "codraw" if "utterences" in set(group) else "iclevr"
        except DAMAGED:
            continue
    return "iclevr" if files else None


def read(path: Path, split: str | None = None, on_fault: OnFault = stop) -> list[Dialog]:
    """All dialogs; only those of `split`, the last part of the file name, if given.

    CoDraw's files lack class names. They are read from GeNeVA's `objects.txt` beside the file; without it
    they are `class 00` to `class 57`, which models trained on named classes reject.

    Raises:
        InputError: not an HDF5 file; a key is missing or has another shape. The message names file and key.
    """
    dialogs = []
    for path_of_file in _h5_files(path):
        file_split = path_of_file.stem.rpartition("_")[2]
        if split not in (None, file_split):
            continue
        try:
            with _readable(str(path_of_file)):
                file = _open(path_of_file)
                _check_pictures(_field(file, path_of_file, "background"), path_of_file, ("H", "W", "3"))
                groups = _dialogs(file)
                classes = _classes(file, path_of_file) if groups else None
        except InputError as fault:
            on_fault(fault)
            continue
        for group in groups:
            try:
                with _readable(f"{path_of_file}: {group}"):
                    dialogs.append(_dialog(path_of_file, group, file_split, classes))
            except InputError as fault:
                on_fault(fault)
    return dialogs


@dataclass(frozen=True)
class H5Picture:
    """A picture in an HDF5 file: the BGR array `name`, or entry `index` of an array of pictures."""

    file: Path
    name: str
    index: int | None = None

    @cached_property
    def key(self) -> str:
        pixels = self.decode()
        return content_digest(f"{pixels.shape}".encode() + pixels.tobytes())

    def decode(self) -> UInt8[np.ndarray, "h w 3"]:
        with _readable(f"{self.file}: {self.name}[{self.index}]"):
            bgr = _open(self.file)[self.name][() if self.index is None else self.index]
        return np.ascontiguousarray(bgr[..., ::-1])


def _dialog(file: Path, group: str, split: str, classes: tuple[str, ...] | None) -> Dialog:
    fields = _member(_open(file), file, group)
    if not isinstance(fields, h5py.Group):
        raise InputError(f"{file}: {group} is not a dialog's group")
    images = _field(fields, file, "images")
    _check_pictures(images, file, ("T", "H", "W", "3"))
    instructions = _instructions(fields, file)
    objects, coords = _numbers(fields, file, "objects"), _numbers(fields, file, "coords")
    turns = len(instructions)
    if objects.ndim != 2:
        raise InputError(f"{file}: {group}/objects has shape {objects.shape}, not (T, classes)")
    names = classes or tuple(f"class {column:02d}" for column in range(objects.shape[1]))
    for key, array, shape in (
        ("images", images, (turns, *images.shape[1:])),
        ("objects", objects, (turns, len(names))),
        ("coords", coords, (turns, len(names), 3)),
    ):
        if array.shape != shape:
            raise InputError(f"{file}: {group}/{key} has shape {array.shape}, not {shape}")
    for key, array in (("objects", objects), ("coords", coords[objects > 0.5])):
        if not np.isfinite(array).all():
            raise InputError(f"{file}: {group}/{key} has numbers that are not finite")
    present = objects > 0.5  # (T, classes)
    order = present.argmax(axis=0).argsort(kind="stable")  # columns in drawing order
    return Dialog(
        id=f"{file.stem}_{group}",
        split=split,
        canvas=H5Picture(file, "background"),
        turns=tuple(
            Turn(
                instruction=instruction,
                picture=H5Picture(file, f"{group}/images", turn),
                objects=tuple(
                    SceneObject(names[column], x / COORDS_UNIT, y / COORDS_UNIT, depth)
                    for column in order[present[turn, order]]
                    for x, y, depth in [coords[turn, column].tolist()]
                ),
            )
            for turn, instruction in enumerate(instructions)
        ),
    )


def _instructions(fields: h5py.Group, file: Path) -> list[str]:
    key = "utterences" if "utterences" in set(fields) else "text"
    if key == "text":
        texts = _json_list(fields, file, key)
    else:
        try:
            texts = [text.decode() for text in _load(fields, file, key)]
        except (UnicodeDecodeError, TypeError, AttributeError) as error:
            raise InputError(f"{file}: {fields.name[1:]}/{key} is not a list of texts ({error})") from error
    if not texts or not all(isinstance(t, str) and t.strip() for t in texts):
        raise InputError(f"{file}: {fields.name[1:]}/{key}: the dialog, or a turn of it, has no text")
    return [checked(text, f"{fields.name[1:]}/{key}", str, str(file)) for text in texts]


def _classes(file: h5py.File, path: Path) -> tuple[str, ...] | None:
    """The class of each column, or None if the names are missing."""
    if kind_of(path) == "iclevr":
        entities = _json_list(file, path, "entities")
        # GeNeVA writes "cube gray"
        names = tuple(
            " ".join(sorted(str(entity).split(), key=lambda word: word not in COLORS)) for entity in entities
        )
        for name in names:
            if name not in ICLEVR_CLASSES:
                raise InputError(f"{path}: entities: unknown class {name!r}")
        return names
    listed = path.with_name("objects.txt")
    if listed.exists():
        return tuple(line.strip() for line in read_lines(listed) if line.strip())
    return None


def _member(group: h5py.Group, file: Path, key: str) -> h5py.Group | h5py.Dataset | None:
    """The group's entry `key`, or None. Raises InputError for links that could open another file."""
    where = f"{file}: {f'{group.name}/{key}'.strip('/')}"
    if not isinstance(group.get(key, getlink=True, default=h5py.HardLink()), h5py.HardLink):
        raise InputError(f"{where}: a link, which may lead to another file")
    member = group.get(key)
    if isinstance(member, h5py.Dataset):
        if member.is_virtual or member.external:
            raise InputError(f"{where}: its values are in another file")
        # a chunk is unpacked as a whole
        chunk = math.prod(member.chunks or ()) * member.dtype.itemsize * bool(member.chunks)
        MEMBER.check(chunk, f"{where}: its chunks have")
    return member


def _field(group: h5py.Group, file: Path, key: str) -> h5py.Dataset:
    dataset = _member(group, file, key)
    if not isinstance(dataset, h5py.Dataset):
        raise InputError(
            f"{file}: no key {f'{group.name}/{key}'.strip('/')!r} (keys: {', '.join(list(group)[:8])})"
        )
    return dataset


def _numbers(group: h5py.Group, file: Path, key: str) -> np.ndarray:
    dataset = _field(group, file, key)
    if dataset.shape is None or dataset.dtype.kind not in "biuf":
        raise InputError(f"{file}: {dataset.name[1:]} is {dataset.dtype}, not numbers")
    return _load(group, file, key)


def _load(group: h5py.Group, file: Path, key: str) -> Any:
    dataset = _field(group, file, key)
    MEMBER.check(dataset.nbytes, f"{file}: {dataset.name[1:]}: declares")
    with _readable(f"{file}: {dataset.name[1:]}"):
        return dataset[()]


def _json_list(group: h5py.Group, file: Path, key: str) -> list:
    encoded, where = _load(group, file, key), f"{file}: {group[key].name[1:]}"
    if not isinstance(encoded, str | bytes):
        raise InputError(f"{where} is {encoded.dtype}, not text")
    values = parse_json(encoded, where)
    if not isinstance(values, list):
        raise InputError(f"{where} is not a JSON list (it is {values!r})")
    return values


def _check_pictures(dataset: h5py.Dataset, file: Path, axes: tuple[str, ...]) -> None:
    if dataset.dtype != np.uint8 or len(dataset.shape or ()) != len(axes) or dataset.shape[-1] != 3:
        kind = f"{dataset.dtype} {dataset.shape}"
        raise InputError(f"{file}: {dataset.name[1:]} is {kind}, not uint8 ({', '.join(axes)})")
    height, width, _ = dataset.shape[-3:]
    PIXELS.check(height * width, f"{file}: {dataset.name[1:]}: {width}x{height} are")


def _dialogs(file: h5py.File) -> list[str]:
    return sorted(set(file) - NOT_DIALOGS, key=lambda name: (len(name), name))


def _h5_files(path: Path) -> list[Path]:
    if path.is_dir():
        return sorted(file for file in path.iterdir() if file.suffix in (".h5", ".hdf5"))
    return [path] if path.suffix in (".h5", ".hdf5") else []


@contextmanager
def _readable(where: str) -> Iterator[None]:
    """Turns h5py's errors in the block into an InputError that starts with `where`."""
    try:
        yield
    except InputError:
        raise
    except DAMAGED as error:
        raise InputError(f"{where} can't be read ({error})") from error


def _open(path: Path) -> h5py.File:
    try:
        return _open_in_process(path, os.getpid())
    except InputError:
        raise
    except DAMAGED as error:
        raise InputError(f"{path}: not a readable HDF5 file ({error})") from error


@lru_cache(maxsize=8)
def _open_in_process(path: Path, pid: int) -> h5py.File:
    """`pid` is part of the cache key: HDF5 handles must not be shared across a fork."""
    check_file(path, ANY_SIZE)
    return h5py.File(path, "r")
