"""Compares pictures with those of another rendering of the same dialogs, by hash, level and camera."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from cdd_icm.data.dialog import Dialog
from cdd_icm.data.picture import EncodedPicture
from cdd_icm.data.readers import iclevr
from cdd_icm.errors import InputError
from cdd_icm.hashing import content_digest
from render.dialogs import read_dialogs
from render.world import Camera


def compare(folder: Path, other: Path, split: str, sample: int, seed: int = 0) -> dict[str, Any]:
    """Figures for up to `sample` pictures that are in both, chosen at random.

    Levels are 0..255, over all pixels and colours; the camera's error is in pixels of a frame of 320x240, of
    where the scenes of `other` say that their objects' centres are.

    Raises:
        InputError: no dialog is in both, or pictures differ in size.
    """
    ours = {dialog.id: dialog for dialog in iclevr.read(folder, split)}
    theirs = {dialog.id: dialog for dialog in iclevr.read(other, split)}
    both = [id for id in ours if id in theirs]
    pictures = [(id, turn) for id in both for turn in range(len(ours[id].turns))]
    if not pictures:
        raise InputError(f"{folder} and {other}: no dialog of {split} is in both")
    rng = np.random.default_rng(seed)
    chosen = [pictures[i] for i in sorted(rng.permutation(len(pictures))[:sample])]
    rows = [_compare_picture(ours[id], theirs[id], turn) for id, turn in chosen]
    differences = np.array([row["mean_level_difference"] for row in rows])
    return {
        "split": split,
        "pictures": len(rows),
        "dialogs": len({id for id, _ in chosen}),
        "equal_files": sum(row["equal_file"] for row in rows),
        "equal_pixels": sum(row["equal_pixels"] for row in rows),
        "mean_level_difference": round(float(differences.mean()), 3),
        "worst_level_difference": round(float(differences.max()), 3),
        "background_level_difference": round(_difference(ours[both[0]].canvas, theirs[both[0]].canvas), 3),
        "camera": camera_error(other, split),
        "each": {f"{id}_{turn}": row for (id, turn), row in zip(chosen, rows, strict=True)},
    }


def camera_error(path: Path, split: str) -> dict[str, Any]:
    """How far a split's objects are from where `Camera` sees them, in pixels beyond the rounding."""
    dialogs = list(read_dialogs(path, split, Camera()))
    seen = np.concatenate([d.camera.project(np.array([each.centre for each in d.objects])) for d in dialogs])
    told = np.concatenate([np.array(dialog.told) for dialog in dialogs])
    beyond = np.clip(np.abs(seen[:, :2] - told[:, :2]).max(axis=1) - 0.5, 0, None)
    return {
        "objects": len(seen),
        "equal_when_rounded": int((seen[:, :2].round() == told[:, :2]).all(axis=1).sum()),
        "largest_error_beyond_rounding": round(float(beyond.max()), 4),
        "largest_depth_error": round(float(np.abs(seen[:, 2] - told[:, 2]).max()), 5),
    }


def _compare_picture(ours: Dialog, theirs: Dialog, turn: int) -> dict[str, Any]:
    pair = ours.turns[turn].picture, theirs.turns[turn].picture
    digests = [content_digest(picture.encoded()) for picture in pair]
    difference = _difference(*pair)
    return {
        "sha256": digests,
        "equal_file": digests[0] == digests[1],
        "equal_pixels": difference == 0.0,
        "mean_level_difference": round(difference, 3),
    }


def _difference(ours: EncodedPicture, theirs: EncodedPicture) -> float:
    a, b = ours.decode(), theirs.decode()
    if a.shape != b.shape:
        sizes = [f"{picture.shape[1]}x{picture.shape[0]}" for picture in (a, b)]
        name = ours.files.where(ours.name)
        raise InputError(f"{name}: {sizes[0]}, but {theirs.files.where(theirs.name)} is {sizes[1]}")
    return float(np.abs(a.astype(float) - b.astype(float)).mean())
