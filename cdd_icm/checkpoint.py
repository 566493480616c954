"""Checkpoints: safetensors and JSON, written whole or not at all, rotated."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from cdd_icm.disk import replacing
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
    folder = root / f"{samples:012d}"
    with replacing(folder) as unfinished:
        unfinished.mkdir()
        for name, values in tensors.items():
            whole = {key: value.detach().contiguous().cpu() for key, value in values.items()}
            save_file(whole, unfinished / f"{name}.safetensors")
        (unfinished / "state.json").write_text(json.dumps(state, indent=1))
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
