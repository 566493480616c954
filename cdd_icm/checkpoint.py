"""Checkpoints: safetensors and JSON, written whole or not at all, rotated."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from cdd_icm.errors import InputError


def save_checkpoint(
    root: Path, samples: int, tensors: dict[str, dict[str, Tensor]], state: dict[str, Any], keep: int
) -> Path:
    """Writes `root/<samples>/` with one safetensors file for each entry of `tensors` and `state.json`.

    It is written under another name and renamed when all of it is on the disk; only then are older ones
    removed, all but the newest `keep`. A full disk therefore costs the new checkpoint, never an old one.

    Raises:
        InputError: the disk refuses; the message names the folder.
    """
    folder, unfinished = root / f"{samples:012d}", root / f".{samples:012d}.unfinished"
    try:
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        for name, values in tensors.items():
            path = unfinished / f"{name}.safetensors"
            save_file({key: value.detach().contiguous().cpu() for key, value in values.items()}, path)
            _to_disk(path)
        (unfinished / "state.json").write_text(json.dumps(state, indent=1))
        _to_disk(unfinished / "state.json")
        if folder.exists():
            shutil.rmtree(folder)
        unfinished.rename(folder)
    except (OSError, SafetensorError) as error:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise InputError(
            f"{folder}: the checkpoint can't be written ({error}); earlier ones are kept"
        ) from None
    for old in checkpoints(root)[:-keep]:
        shutil.rmtree(old, ignore_errors=True)
    return folder


def checkpoints(root: Path) -> list[Path]:
    """The finished checkpoints under `root`, oldest first."""
    return sorted(p for p in root.glob("[0-9]*") if (p / "state.json").is_file()) if root.is_dir() else []


def load_tensors(path: Path) -> dict[str, Tensor]:
    """A safetensors file.

    Raises:
        InputError: it is missing, truncated, or something else, such as a pickle.
    """
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path}: not a whole safetensors file ({error})") from None


def load_state(folder: Path) -> dict[str, Any]:
    try:
        return json.loads((folder / "state.json").read_text())
    except (OSError, ValueError) as error:
        raise InputError(f"{folder / 'state.json'}: cannot be read ({error})") from None


def _to_disk(path: Path) -> None:
    with open(path, "rb") as file:
        os.fsync(file.fileno())
