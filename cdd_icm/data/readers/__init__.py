"""The kinds of data sets that can be read, one module each, and the one list that names them.

A reader is a module with

    DESCRIPTION                          what an error calls data of this kind
    kind_of(path) -> str | None          the kind of the data at a path, None if the reader does not know it
    read(path, split, on_fault, ...)     its dialogs, only those of `split` where it is not None

`read` calls `on_fault` with each fault and leaves out the faulty dialog; further keywords are the reader's
own.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

from cdd_icm.data.dialog import Dialog
from cdd_icm.data.faults import OnFault, stop
from cdd_icm.data.readers import codraw, folder, geneva_hdf5, iclevr, shards
from cdd_icm.errors import InputError
from cdd_icm.sources import scheme_of

READERS: tuple[ModuleType, ...] = (folder, iclevr, codraw, geneva_hdf5, shards)
"""The first that knows the data reads it."""


def load_dialogs(
    path: str | Path, split: str | None = None, on_fault: OnFault = stop, **options
) -> list[Dialog]:
    """The dialogs at `path`, whatever kind of data it is; only those of `split` if given.

    Args:
        path: a file or folder, or a glob or brace pattern of shards.
        on_fault: called with every fault; the default raises it.
        options: for the reader of that kind, such as `clip_art` for CoDraw.

    Raises:
        InputError: no such path, or no data of a known kind; no dialogs, or none of `split`; or what the
            reader finds wrong in the files.
    """
    reader, _ = _reader(path)
    dialogs = reader.read(Path(path), split=split, on_fault=on_fault, **options)
    if not dialogs and on_fault is stop:
        raise InputError(f"{path}: no dialogs" + (f" of split {split!r}" if split else ""))
    return dialogs


def kind_of(path: str | Path) -> str:
    """The kind of the data at `path`: "iclevr" or "codraw" (both also of GeNeVA's HDF5), "folder" or
    "shards". Raises InputError if there is none of a known kind."""
    return _reader(path)[1]


def _reader(path: str | Path) -> tuple[ModuleType, str]:
    if scheme_of(path):
        raise InputError(f"{path}: data at a URL can only be trained on; download the shards to look at them")
    path = Path(path)
    for reader in READERS if path.exists() else (shards,):
        if kind := reader.kind_of(path):
            return reader, kind
    if not path.exists():
        raise InputError(f"{path}: no such file or folder")
    if path.is_file() and any(reader.kind_of(path.parent) for reader in READERS):
        raise InputError(f"{path}: a file of a data set; give its folder, {path.parent}")
    known = ", ".join(reader.DESCRIPTION for reader in READERS)
    raise InputError(f"{path}: no data of a known kind is here ({known})")
