"""Whole dialogs at once: many canvases drawn turn by turn, in batches."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import torch
from PIL import Image
from tqdm import tqdm

from cdd_icm.config import to_plain
from cdd_icm.data.dialog import Dialog
from cdd_icm.data.resize import to_square
from cdd_icm.disk import read_json, replacing
from cdd_icm.errors import InputError
from cdd_icm.filmstrip import filmstrip, stack
from cdd_icm.loading import process_state
from cdd_icm.pipeline import CDDICMPipeline


def turn_generator(seed: int, dialog: str, turn: int) -> torch.Generator:
    """The noise of one turn: a function of (seed, dialog, turn) and of nothing else, so that a dialog
    comes out the same whatever else is drawn beside it."""
    digest = hashlib.sha256(f"{seed}/{dialog}/{turn}".encode()).digest()
    return torch.Generator("cpu").manual_seed(int.from_bytes(digest[:7], "big"))


@contextmanager
def without_bar(pipeline: CDDICMPipeline) -> Iterator[None]:
    """Switches the pipeline's progress bar off for the block."""
    before = getattr(pipeline, "_progress_bar_config", {})  # diffusers has no public way to ask
    pipeline.set_progress_bar_config(**{**before, "disable": True})
    try:
        yield
    finally:
        pipeline.set_progress_bar_config(**before)


def draw_dialogs(
    pipeline: CDDICMPipeline,
    dialogs: Sequence[Dialog],
    *,
    batch_size: int = 16,
    seed: int = 0,
    teacher_forced: bool = False,
    progress: bool = True,
    **sampling,
) -> list[np.ndarray]:
    """Draws every dialog from its canvas; its own picture is the next reference (the true one if
    `teacher_forced`).

    Returns:
        For each dialog uint8 (T, R, R, 3), RGB.
    """
    size = pipeline.image_size
    drawn: list[np.ndarray] = []
    turns = sum(len(d.turns) for d in dialogs)
    with (
        without_bar(pipeline),
        tqdm(total=turns, desc="drawing", unit="turns", disable=not progress) as bar,
    ):
        for start in range(0, len(dialogs), batch_size):
            group = dialogs[start : start + batch_size]
            pictures: list[list[np.ndarray]] = [[] for _ in group]
            current = [to_square(d.canvas.decode(), size) for d in group]
            for turn in range(max(len(d.turns) for d in group)):
                live = [i for i, d in enumerate(group) if turn < len(d.turns)]
                if teacher_forced:
                    for i in live:
                        current[i] = to_square(group[i].reference(turn).decode(), size)
                out = pipeline(
                    [Image.fromarray(current[i]) for i in live],
                    [group[i].turns[turn].instruction for i in live],
                    [[t.instruction for t in group[i].turns[:turn]] for i in live],
                    generator=[turn_generator(seed, group[i].id, turn) for i in live],
                    **sampling,
                )
                for i, image in zip(live, out.images, strict=True):
                    current[i] = np.asarray(image)
                    pictures[i].append(current[i])
                bar.update(len(live))
            drawn += [np.stack(p) for p in pictures]
    return drawn


def draw_sheet(
    pipeline: CDDICMPipeline, dialogs: Sequence[Dialog], seed: int = 0, height: int = 160, **sampling
) -> Image.Image:
    """Film strips of free-running dialogs, the truth above each."""
    strips, size = [], pipeline.image_size
    drawn = draw_dialogs(pipeline, dialogs, seed=seed, progress=False, **sampling)
    for dialog, pictures in zip(dialogs, drawn, strict=True):
        canvas = to_square(dialog.canvas.decode(), size)
        truth = [to_square(turn.picture.decode(), size) for turn in dialog.turns]
        texts = [turn.instruction for turn in dialog.turns]
        strips.append(filmstrip([canvas, *truth], [dialog.id, *texts], height))
        strips.append(filmstrip([canvas, *pictures], [""] * (1 + len(pictures)), height))
    return stack(strips)


def generate_split(
    pipeline: CDDICMPipeline,
    dialogs: Sequence[Dialog],
    out: Path,
    *,
    batch_size: int = 16,
    seed: int = 0,
    progress: bool = True,
    **sampling,
) -> None:
    """Draws every dialog into the folders that GeNeVA's own code writes (`_save_predictions`):

        out/<dialog id>/0.png, 1.png, ...       what the model drew, turn by turn
        out/<dialog id>/instructions.txt        an instruction a line (GeNeVA has them in the file names)
        out/<dialog id>_gt/0.png, 1.png, ...    the true pictures at the same size
        out/settings.json                       model, seed and sampling settings

    A dialog's folder appears whole or not at all, and finished ones are skipped: the same call goes on where
    an earlier one was killed. Under `accelerate launch` or `torchrun` each process draws its share, on a
    pipeline of its own.

    Raises:
        InputError: `out` holds pictures of other settings, another model or other dialogs, or can't be
            written.
    """
    state = process_state()
    stamp = {
        "model": fingerprint(pipeline),
        "scheduler": type(pipeline.scheduler).__name__,
        "seed": seed,
        **to_plain(pipeline.settings(**sampling)),
    }
    if state.is_main_process and not (out / "settings.json").exists():
        with replacing(out / "settings.json") as path:
            path.write_text(json.dumps(stamp, indent=1) + "\n")
    state.wait_for_everyone()
    _check_stamp(out / "settings.json", stamp)

    share = dialogs[state.process_index :: state.num_processes]
    todo = [dialog for dialog in share if not _is_finished(out, dialog)]
    turns = sum(len(d.turns) for d in todo)
    with tqdm(
        total=turns, desc="drawing", unit="turns", disable=not (progress and state.is_main_process)
    ) as bar:
        for start in range(0, len(todo), batch_size):
            group = todo[start : start + batch_size]
            drawn = draw_dialogs(
                pipeline, group, batch_size=batch_size, seed=seed, progress=False, **sampling
            )
            for dialog, pictures in zip(group, drawn, strict=True):
                _write_dialog(out, dialog, pictures)
                bar.update(len(pictures))
    state.wait_for_everyone()


def fingerprint(pipeline: CDDICMPipeline) -> str:
    """Hex digest of all weights and of the number format that they are in."""
    digest = hashlib.sha256()
    for name, module in sorted(pipeline.components.items()):
        if isinstance(module, torch.nn.Module):
            for key, tensor in module.state_dict().items():
                digest.update(f"{name}.{key} {tensor.dtype} {tuple(tensor.shape)}".encode())
                digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()


def _check_stamp(file: Path, mine: dict[str, Any]) -> None:
    theirs = read_json(file)
    for key, value in mine.items():
        if theirs.get(key) != value:
            raise InputError(
                f"{file}: {key}: the pictures there were drawn with {theirs.get(key)!r}, not {value!r}; "
                "name another folder"
            )


def _folder(out: Path, dialog: Dialog) -> Path:
    return out / quote(dialog.id, safe=" ")


def _instructions(dialog: Dialog) -> str:
    return "".join(" ".join(turn.instruction.split()) + "\n" for turn in dialog.turns)


def _is_finished(out: Path, dialog: Dialog) -> bool:
    folder = _folder(out, dialog)
    file = folder / "instructions.txt"
    if folder.exists() and not (file.is_file() and file.read_text(encoding="utf-8") == _instructions(dialog)):
        raise InputError(f"{file}: another dialog of that id is there; name another folder")
    return folder.exists()


def _write_dialog(out: Path, dialog: Dialog, pictures: np.ndarray) -> None:
    """The true pictures first: the folder of the drawn ones says that the dialog is finished."""
    folder, size = _folder(out, dialog), pictures.shape[1]
    true = [to_square(turn.picture.decode(), size) for turn in dialog.turns]
    for place, content in ((folder.with_name(f"{folder.name}_gt"), true), (folder, pictures)):
        with replacing(place) as path:
            path.mkdir()
            for turn, picture in enumerate(content):
                Image.fromarray(picture).save(path / f"{turn}.png")
            if place is folder:
                (path / "instructions.txt").write_text(_instructions(dialog), encoding="utf-8")
