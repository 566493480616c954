"""Readers of data sets, one module per kind, and their registry `READERS`.

A reader is a module with

    DESCRIPTION                          name of this kind of data for error messages
    kind_of(path) -> str | None          the kind of the data at a path, None if another reader's
    read(path, split, on_fault, ...)     its dialogs, only those of `split` unless None

`read` calls `on_fault` with each fault and skips the faulty dialog; readers may take further keywords.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

from cdd_icm.data.dialog import Dialog
from cdd_icm.data.faults import OnFault, stop
from cdd_icm.data.readers import codraw, folder, geneva_hdf5, iclevr, shards
from cdd_icm.errors import InputError
from cdd_icm.limits import ANY_SIZE, check_file
from cdd_icm.sources import local_path, scheme_of

READERS: tuple[ModuleType, ...] = (folder, iclevr, codraw, geneva_hdf5, shards)
"""The first reader that recognises the data is used."""


def load_dialogs(
    path: str | Path, split: str | None = None, on_fault: OnFault = stop, **options
) -> list[Dialog]:
    """The dialogs at `path`, a data set of any known kind; only those of `split` if given.

    Args:
        path: a file or folder, or a glob or brace pattern of shards.
        on_fault: called with every fault; the default raises it.
        options: keywords of the reader, such as `clip_art` for CoDraw.

    Raises:
        InputError: no such path, no data of a known kind, no dialogs (of `split`), or a fault in the files.
    """
    reader, _ = _reader(path)
    dialogs = reader.read(Path(path), split=split, on_fault=on_fault, **options)
    if not dialogs and on_fault is stop:
        raise InputError(f"{path}: no dialogs" + (f" of split {split!r}" if split else ""))
    return dialogs


def kind_of(path: str | Path) -> str:
    """The kind of the data at `path`: "iclevr" or "codraw" (also in GeNeVA's HDF5 format), "folder" or
    "shards". Raises InputError if it is not data of a known kind."""
    return _reader(path)[1]


def _reader(path: str | Path) -> tuple[ModuleType, str]:
    if scheme_of(path):
        raise InputError(f"{path}: data at a URL can only be trained on; download the shards first")
    path = local_path(path)
    if path.exists() and not path.is_dir():
        check_file(path, ANY_SIZE)
    for reader in READERS if path.exists() else (shards,):
        if kind := reader.kind_of(path):
            return reader, kind
    if not path.exists():
        raise InputError(f"{path}: no such file or folder")
    if path.is_file() and any(reader.kind_of(path.parent) for reader in READERS):
        raise InputError(f"{path}: a file of a data set; give its folder, {path.parent}")
    known = ", ".join(reader.DESCRIPTION for reader in READERS)
    raise InputError(f"{path}: no data of a known kind is here ({known})")
