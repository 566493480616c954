"""Dialogs of every data set, and what training sees of them."""

from __future__ import annotations

from pathlib import Path

from cdd_icm.data import iclevr
from cdd_icm.data.cache import PictureCache
from cdd_icm.data.dialog import Dialog, Picture, SceneObject, Turn
from cdd_icm.data.faults import OnFault, stop
from cdd_icm.data.resize import to_square
from cdd_icm.data.triplets import ResumableSampler, Triplet, TripletDataset, collate, pictures_of
from cdd_icm.errors import InputError

__all__ = [
    "Dialog",
    "Picture",
    "PictureCache",
    "ResumableSampler",
    "SceneObject",
    "Triplet",
    "TripletDataset",
    "Turn",
    "collate",
    "load_dialogs",
    "pictures_of",
    "to_square",
]

READERS = (iclevr,)
"""Modules with KIND, recognises(path) and read(path, split, on_fault, **options), asked in this order."""


def load_dialogs(
    path: str | Path,
    split: str | None = None,
    kind: str | None = None,
    on_fault: OnFault = stop,
    **options,
) -> list[Dialog]:
    """The dialogs at `path`, whatever kind of data it is; only those of `split` where it is given.

    `options` go to the reader of that kind. `on_fault` is called with every fault; the default raises it.

    Raises:
        InputError: no such path; data of no known kind, or of another than `kind`; an empty data set; no such
            split; or what the reader finds wrong in the files.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path}: no such file or folder")
    reader = next((reader for reader in READERS if reader.recognises(path)), None)
    kinds = ", ".join(reader.KIND for reader in READERS)
    if reader is None:
        raise InputError(f"{path}: no data set of a known kind ({kinds}) here")
    if kind not in (None, reader.KIND):
        raise InputError(f"{path}: this is data of kind {reader.KIND}, not {kind}")
    dialogs = reader.read(path, split=split, on_fault=on_fault, **options)
    if not dialogs:
        raise InputError(f"{path}: no dialogs" + (f" of split {split!r}" if split else ""))
    return dialogs
