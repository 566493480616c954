"""Generated pictures on disk, so that an evaluation can be stopped, shared between processes and looked at.

    <folder>/settings.json
    <folder>/drawn/<dialog id>-<fingerprint>/1.png, 2.png, ...    what the model drew, turn by turn
    <folder>/true/<dialog id>-<fingerprint>/1.png, 2.png, ...     the true pictures at the same size

`fidelity --input1 <folder>/drawn --input2 <folder>/true --samples-find-deep --fid` reads both.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import quote

import numpy as np
from jaxtyping import UInt8
from PIL import Image
from tqdm import tqdm

from cdd_icm.data import Dialog
from cdd_icm.errors import InputError
from cdd_icm.evaluation import fingerprint
from cdd_icm.evaluation.protocol import true_pictures

Pictures = UInt8[np.ndarray, "T S S 3"]


class DrawnFolder:
    """Raises InputError where the folder holds pictures drawn with other settings."""

    def __init__(self, folder: Path, settings: dict):
        self.folder = folder
        stamp = folder / "settings.json"
        if stamp.exists():
            found = json.loads(stamp.read_text())
            for key in sorted(found.keys() | settings.keys()):
                if found.get(key) != settings.get(key):
                    raise InputError(
                        f"{stamp}: {key}: pictures were drawn with {found.get(key)!r}, not "
                        f"{settings.get(key)!r}; delete the folder or name another report"
                    )
        else:
            folder.mkdir(parents=True, exist_ok=True)
            temporary = stamp.with_suffix(".tmp")
            temporary.write_text(json.dumps(settings, indent=2) + "\n")
            temporary.replace(stamp)

    def missing(self, dialogs: Sequence[Dialog]) -> list[Dialog]:
        return [dialog for dialog in dialogs if not self._of("drawn", dialog).exists()]

    def save(self, dialog: Dialog, pictures: Pictures) -> None:
        """A dialog's folder appears with all its pictures or not at all."""
        _save(self._of("true", dialog), true_pictures(dialog, pictures.shape[1]))
        _save(self._of("drawn", dialog), pictures)

    def load(self, dialog: Dialog) -> Pictures:
        folder = self._of("drawn", dialog)
        turns = range(1, len(dialog.turns) + 1)
        return np.stack([np.asarray(Image.open(folder / f"{turn}.png")) for turn in turns])

    def _of(self, kind: str, dialog: Dialog) -> Path:
        return self.folder / kind / f"{quote(dialog.id, safe='')}-{fingerprint.of_dialog(dialog)}"


def draw_missing(
    dialogs: Sequence[Dialog],
    folder: DrawnFolder,
    draw: Callable[[Sequence[Dialog]], Sequence[Pictures]],
    chunk: int,
    rank: int = 0,
    world: int = 1,
    progress: bool = True,
) -> None:
    """Draws what the folder lacks, `chunk` dialogs at a time; process `rank` of `world` takes its share."""
    share = folder.missing(dialogs)[rank::world]
    with tqdm(total=len(share), desc="drawing dialogs", unit="dialogs", disable=not progress) as bar:
        for start in range(0, len(share), chunk):
            part = share[start : start + chunk]
            for dialog, pictures in zip(part, draw(part), strict=True):
                folder.save(dialog, pictures)
                bar.update()


def _save(folder: Path, pictures: Pictures) -> None:
    temporary = folder.with_name(folder.name + ".tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    for turn, picture in enumerate(pictures, 1):
        Image.fromarray(picture).save(temporary / f"{turn}.png")
    shutil.rmtree(folder, ignore_errors=True)
    temporary.rename(folder)
