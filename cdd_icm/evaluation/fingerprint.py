"""Short digests that tell whether two figures speak of the same data and the same model."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import cdd_icm
from cdd_icm import hashing
from cdd_icm.data import Dialog
from cdd_icm.errors import InputError

CODE = Path(cdd_icm.__file__).parent


def of_parts(parts: Iterable[str]) -> str:
    return hashing.fingerprint(list(parts))


def of_dialog(dialog: Dialog) -> str:
    """Changes with the id, any instruction and any pixel."""
    turns = [part for turn in dialog.turns for part in (turn.instruction, turn.picture.key)]
    return of_parts([dialog.id, dialog.canvas.key, *turns])


def of_data(dialogs: Iterable[Dialog]) -> str:
    """Changes with every dialog, and with the annotation that models are judged by too."""
    return of_parts(
        part for dialog in dialogs for part in (of_dialog(dialog), repr([t.objects for t in dialog.turns]))
    )


def of_code() -> str:
    """Of the modules that draw: by what rules is planned and painted stands in them, not in a model."""
    return of_parts(file.read_text(encoding="utf-8") for file in sorted(CODE.glob("*.py")))


def of_folder(folder: Path) -> str:
    """Of a model folder: names and contents of its weights and configs.

    Raises:
        InputError: no such folder, or nothing of the kind in it.
    """
    files = sorted(f for f in folder.rglob("*") if f.suffix in (".json", ".safetensors", ".yaml"))
    if not files:
        raise InputError(f"{folder}: no model here (no weights, no config)")
    return of_parts(
        part
        for file in files
        for part in (file.relative_to(folder).as_posix(), hashing.content_digest(file.read_bytes()))
    )
