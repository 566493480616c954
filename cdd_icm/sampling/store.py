"""Stores generated pictures, so that generation can be resumed and shared between processes.

    <folder>/settings.json                the settings with which the pictures were generated
    <generated>/0.png, 1.png, ...         the model's pictures, turn by turn
    <generated>/instructions.txt          one instruction per line
    <true>/0.png, 1.png, ...              the true pictures at the same size

A `Layout` gives <generated> and <true> for a dialog.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from cdd_icm.config import to_plain
from cdd_icm.data.dialog import Dialog
from cdd_icm.data.files import FolderFiles
from cdd_icm.data.picture import EncodedPicture, to_square
from cdd_icm.device import process_state
from cdd_icm.errors import InputError
from cdd_icm.io import read_json, replacing
from cdd_icm.progress import Progress
from cdd_icm.signals import StopSignal
from cdd_icm.text import read_text

Pictures = UInt8[np.ndarray, "T S S 3"]

Layout = Callable[[Dialog], tuple[str, str]]
"""From a dialog to the folders of its generated and its true pictures, relative to <folder>."""


def geneva(dialog: Dialog) -> tuple[str, str]:
    """<dialog id> and <dialog id>_gt, as in `_save_predictions` of GeNeVA's code (which also puts the
    instructions into the file names)."""
    name = file_name(dialog.id)
    return name, f"{name}_gt"


def file_name(text: str) -> str:
    """`text` as a valid file name; special characters are percent-encoded."""
    return quote(text, safe=" ")


class GeneratedFolder:
    """A folder with the pictures of many dialogs. All processes must construct it together.

    Raises:
        InputError: the folder has pictures that were generated with other settings, or can't be written.
    """

    def __init__(self, folder: Path, settings: dict[str, Any], layout: Layout = geneva):
        self.folder, self.layout = folder, layout
        state, file, settings = process_state(), folder / "settings.json", to_plain(settings)
        # settings without pictures may be replaced
        if state.is_main_process and not (file.exists() and any(folder.rglob("*.png"))):
            with replacing(file) as path:
                path.write_text(json.dumps(settings, indent=1) + "\n", encoding="utf-8")
        state.wait_for_everyone()
        saved = read_json(file)
        for key in sorted(saved.keys() | settings.keys()):
            if saved.get(key) != settings.get(key):
                raise InputError(
                    f"{file}: {key}: the pictures there were generated with {saved.get(key)!r}, not "
                    f"{settings.get(key)!r}; choose another name, or delete that folder"
                )

    def check(self, dialogs: Sequence[Dialog]) -> None:
        """Raises InputError if two dialogs would be written to one folder, such as `a_gt` and `a`."""
        owners: dict[str, Dialog] = {}
        for dialog in dialogs:
            for place in self.layout(dialog):
                other = owners.setdefault(place, dialog)
                if other is not dialog:
                    ids = f"{other.id!r} and {dialog.id!r}"
                    raise InputError(f"{self.folder / place}: dialogs {ids} both map to it; rename one")

    def missing(self, dialogs: Sequence[Dialog]) -> list[Dialog]:
        """The dialogs whose pictures are missing.

        Raises:
            InputError: a dialog's folder has pictures of another dialog.
        """
        return [dialog for dialog in dialogs if not self._is_finished(dialog)]

    def save(self, dialog: Dialog, pictures: Pictures) -> None:
        """Writes a dialog's generated and true pictures.

        Each of the two folders is written atomically. The true pictures are written first, because the folder
        of generated pictures marks the dialog as finished.
        """
        generated, true = self._folders(dialog)
        side = pictures.shape[1]
        _save(true, [to_square(turn.picture.decode(), side) for turn in dialog.turns])
        _save(generated, pictures, _instructions(dialog))

    def load(self, dialog: Dialog) -> Pictures:
        """The generated pictures of a dialog.

        Raises:
            InputError: a picture is missing or damaged, or its size differs from the others'.
        """
        generated, _ = self._folders(dialog)
        files = [generated / f"{turn}.png" for turn in range(len(dialog.turns))]
        pictures = [EncodedPicture(FolderFiles(generated), file.name).decode() for file in files]
        first = pictures[0].shape
        for file, picture in zip(files, pictures, strict=True):
            if picture.shape != first:
                raise InputError(
                    f"{file}: its shape is {picture.shape}, but that of {files[0].name} is {first}"
                )
        return np.stack(pictures)

    def _folders(self, dialog: Dialog) -> tuple[Path, Path]:
        generated, true = self.layout(dialog)
        return self.folder / generated, self.folder / true

    def _is_finished(self, dialog: Dialog) -> bool:
        folder, _ = self._folders(dialog)
        if not folder.exists():
            return False
        file = folder / "instructions.txt"
        if not (file.is_file() and read_text(file) == _instructions(dialog)):
            raise InputError(f"{file}: another dialog of this id is there; choose another folder")
        return True


def generate_missing(
    dialogs: Sequence[Dialog],
    folder: GeneratedFolder,
    generate: Callable[[Sequence[Dialog]], Sequence[Pictures]],
    batch_size: int,
    progress: bool = True,
) -> None:
    """Generates the missing pictures, `batch_size` dialogs at a time. Under `accelerate launch` or `torchrun`
    each process generates its share and does not wait for the others.

    Raises:
        Stopped: after Ctrl-C or SIGTERM, once the current dialogs are saved.
    """
    folder.check(dialogs)
    state = process_state()
    todo = folder.missing(dialogs[state.process_index :: state.num_processes])
    turns = sum(len(dialog.turns) for dialog in todo)
    quiet = not (progress and state.is_main_process)
    with Progress(total=turns, desc="generating", unit="turns", disable=quiet) as bar, StopSignal() as stop:
        for start in range(0, len(todo), batch_size):
            part = todo[start : start + batch_size]
            for dialog, pictures in zip(part, generate(part), strict=True):
                folder.save(dialog, pictures)
                bar.update(len(pictures))
            stop.check(f"{folder.folder}: stopped after {start + len(part)} of {len(todo)} missing dialogs")


def _instructions(dialog: Dialog) -> str:
    return "".join(" ".join(turn.instruction.split()) + "\n" for turn in dialog.turns)


def _save(folder: Path, pictures: Sequence[np.ndarray], instructions: str | None = None) -> None:
    with replacing(folder) as path:
        path.mkdir()
        for turn, picture in enumerate(pictures):
            Image.fromarray(picture).save(path / f"{turn}.png")
        if instructions is not None:
            (path / "instructions.txt").write_text(instructions, encoding="utf-8")
