"""Generated pictures on disk, so that drawing can be stopped, shared between processes and looked at.

    <folder>/settings.json            what the pictures were drawn with
    <drawn>/0.png, 1.png, ...         what the model drew, turn by turn
    <drawn>/instructions.txt          an instruction a line
    <true>/0.png, 1.png, ...          the true pictures at the same size

A `Layout` says where <drawn> and <true> of a dialog lie.
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

Pictures = UInt8[np.ndarray, "T S S 3"]

Layout = Callable[[Dialog], tuple[str, str]]
"""The folders of a dialog's drawn and true pictures, inside the whole."""


def geneva(dialog: Dialog) -> tuple[str, str]:
    """What GeNeVA's own code writes (`_save_predictions`; it has the instructions in the file names):
    <dialog id> and <dialog id>_gt."""
    name = file_name(dialog.id)
    return name, f"{name}_gt"


def file_name(text: str) -> str:
    """`text` as the name of a file, whatever characters are in it."""
    return quote(text, safe=" ")


class DrawnFolder:
    """The pictures of many dialogs; all processes make it together.

    Raises:
        InputError: the folder holds pictures that were drawn with other settings, or can't be written.
    """

    def __init__(self, folder: Path, settings: dict[str, Any], layout: Layout = geneva):
        self.folder, self.layout = folder, layout
        state, stamp, settings = process_state(), folder / "settings.json", to_plain(settings)
        # settings with which nothing was drawn, such as an unknown preset, bind nobody
        if state.is_main_process and not (stamp.exists() and any(folder.rglob("*.png"))):
            with replacing(stamp) as path:
                path.write_text(json.dumps(settings, indent=1) + "\n")
        state.wait_for_everyone()
        found = read_json(stamp)
        for key in sorted(found.keys() | settings.keys()):
            if found.get(key) != settings.get(key):
                raise InputError(
                    f"{stamp}: {key}: the pictures there were drawn with {found.get(key)!r}, not "
                    f"{settings.get(key)!r}; give another name, or delete that folder"
                )

    def check(self, dialogs: Sequence[Dialog]) -> None:
        """Raises InputError where two dialogs would lie in one folder, such as those of `a_gt` and of `a`."""
        owners: dict[str, Dialog] = {}
        for dialog in dialogs:
            for place in self.layout(dialog):
                other = owners.setdefault(place, dialog)
                if other is not dialog:
                    ids = f"{other.id!r} and {dialog.id!r}"
                    raise InputError(f"{self.folder / place}: dialogs {ids} both go there; rename one")

    def missing(self, dialogs: Sequence[Dialog]) -> list[Dialog]:
        """Raises InputError where another dialog is found under the name of one of these."""
        return [dialog for dialog in dialogs if not self._is_finished(dialog)]

    def save(self, dialog: Dialog, pictures: Pictures) -> None:
        """A dialog's folder appears whole or not at all; the true pictures come first, as the folder of the
        drawn ones says that the dialog is finished."""
        drawn, true = self._places(dialog)
        side = pictures.shape[1]
        _save(true, [to_square(turn.picture.decode(), side) for turn in dialog.turns])
        _save(drawn, pictures, _instructions(dialog))

    def load(self, dialog: Dialog) -> Pictures:
        """What was drawn.

        Raises:
            InputError: a picture is missing or damaged, or not of the size of the others.
        """
        drawn, _ = self._places(dialog)
        files = [drawn / f"{turn}.png" for turn in range(len(dialog.turns))]
        pictures = [EncodedPicture(FolderFiles(drawn), file.name).decode() for file in files]
        first = pictures[0].shape
        for file, picture in zip(files, pictures, strict=True):
            if picture.shape != first:
                raise InputError(f"{file}: its shape is {picture.shape}, that of {files[0].name} {first}")
        return np.stack(pictures)

    def _places(self, dialog: Dialog) -> tuple[Path, Path]:
        drawn, true = self.layout(dialog)
        return self.folder / drawn, self.folder / true

    def _is_finished(self, dialog: Dialog) -> bool:
        folder, _ = self._places(dialog)
        if not folder.exists():
            return False
        file = folder / "instructions.txt"
        if not (file.is_file() and file.read_text(encoding="utf-8") == _instructions(dialog)):
            raise InputError(f"{file}: another dialog of that id is there; name another folder")
        return True


def draw_missing(
    dialogs: Sequence[Dialog],
    folder: DrawnFolder,
    draw: Callable[[Sequence[Dialog]], Sequence[Pictures]],
    batch_size: int,
    progress: bool = True,
) -> None:
    """Draws what the folder lacks, `batch_size` dialogs at a time. Under `accelerate launch` or `torchrun`
    each process draws its share; it returns when its own is done."""
    folder.check(dialogs)
    state = process_state()
    todo = folder.missing(dialogs[state.process_index :: state.num_processes])
    turns = sum(len(dialog.turns) for dialog in todo)
    quiet = not (progress and state.is_main_process)
    with Progress(total=turns, desc="drawing", unit="turns", disable=quiet) as bar:
        for start in range(0, len(todo), batch_size):
            part = todo[start : start + batch_size]
            for dialog, pictures in zip(part, draw(part), strict=True):
                folder.save(dialog, pictures)
                bar.update(len(pictures))


def _instructions(dialog: Dialog) -> str:
    return "".join(" ".join(turn.instruction.split()) + "\n" for turn in dialog.turns)


def _save(folder: Path, pictures: Sequence[np.ndarray], instructions: str | None = None) -> None:
    with replacing(folder) as path:
        path.mkdir()
        for turn, picture in enumerate(pictures):
            Image.fromarray(picture).save(path / f"{turn}.png")
        if instructions is not None:
            (path / "instructions.txt").write_text(instructions, encoding="utf-8")
