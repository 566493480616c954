"""The folder that dialogs are rendered into, in GeNeVA's layout. A dialog is whole, or it is rendered again.

images/CLEVR_<split>_<id>_<turn>.webp    scenes/CLEVR_<split>_<id>.json
text/CLEVR_<split>_<id>.txt              background.png    render.json
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from cdd_icm.errors import InputError
from cdd_icm.io import read_json, replacing, to_json
from render.dialogs import ToRender

SETTINGS = "render.json"
"""What all pictures of a folder have in common, so that a resumed run does not mix different kinds."""

BACKGROUND = "background.png"
QUALITY = 95
"""Of WebP, from 0 to 100: that of the re-rendered i-CLEVR, whose files have the same quantiser."""


def open_output(folder: Path, settings: dict[str, Any]) -> None:
    """Writes the settings into a new folder, or compares them with those that are there.

    Raises:
        InputError: the folder has other settings, which the message names, or other files.
    """
    file = folder / SETTINGS
    if file.is_file():
        written = read_json(file)
        for name in sorted({*written, *settings}):
            if written.get(name) != settings.get(name):
                raise InputError(
                    f"{folder}: it was begun with {name}={written.get(name)!r}, not {settings.get(name)!r}; "
                    "give another folder, or the same settings"
                )
        return
    if folder.is_dir() and any(not each.name.startswith(".") for each in folder.iterdir()):
        raise InputError(f"{folder}: it has other files; give a new folder")
    _write(file, (to_json(settings, indent=1) + "\n").encode())


def is_done(folder: Path, dialog: ToRender) -> bool:
    """Whether the dialog is whole: its scene is written last."""
    return _scene(folder, dialog).is_file()


def write_picture(folder: Path, dialog: ToRender, turn: int, picture: UInt8[np.ndarray, "h w 3"]) -> None:
    """Writes the picture of a turn, from 0."""
    encoded = io.BytesIO()
    Image.fromarray(picture).save(encoded, "WEBP", quality=QUALITY, method=4)
    _write(picture_file(folder, dialog, turn), encoded.getvalue())


def write_background(folder: Path, picture: UInt8[np.ndarray, "h w 3"]) -> None:
    encoded = io.BytesIO()
    Image.fromarray(picture).save(encoded, "PNG")
    _write(folder / BACKGROUND, encoded.getvalue())


def finish(folder: Path, dialog: ToRender) -> None:
    """Writes the text and then the scene of a dialog whose pictures are all written."""
    _write(folder / "text" / f"{dialog.id}.txt", ("\n".join(dialog.texts) + "\n").encode())
    _write(_scene(folder, dialog), to_json(dialog.scene, separators=(",", ":")).encode())


def picture_file(folder: Path, dialog: ToRender, turn: int) -> Path:
    return folder / "images" / f"{dialog.id}_{turn}.webp"


def _scene(folder: Path, dialog: ToRender) -> Path:
    return folder / "scenes" / f"{dialog.id}.json"


def _write(file: Path, content: bytes) -> None:
    with replacing(file) as unfinished:
        unfinished.write_bytes(content)
