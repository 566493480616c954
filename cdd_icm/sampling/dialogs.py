"""Whole dialogs at once: many canvases drawn turn by turn, in batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from tqdm import tqdm

from cdd_icm.data.dialog import Dialog
from cdd_icm.data.picture import to_square
from cdd_icm.device import process_state
from cdd_icm.filmstrip import filmstrip, stack
from cdd_icm.hashing import derive_seed, tensor_digest
from cdd_icm.sampling.pipeline import CDDICMPipeline
from cdd_icm.sampling.store import DrawnFolder, draw_missing


def turn_generator(seed: int, dialog: str, turn: int) -> torch.Generator:
    """The noise of one turn: a function of (seed, dialog, turn) and of nothing else, so that a dialog
    comes out the same whatever else is drawn beside it."""
    return torch.Generator("cpu").manual_seed(derive_seed(seed, dialog, turn))


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
    pipeline: CDDICMPipeline,
    dialogs: Sequence[Dialog],
    seed: int = 0,
    height: int = 160,
    truth: bool = True,
    **sampling,
) -> Image.Image:
    """Film strips of free-running dialogs, the `truth` above each."""
    strips, size = [], pipeline.image_size
    drawn = draw_dialogs(pipeline, dialogs, seed=seed, progress=False, **sampling)
    for dialog, pictures in zip(dialogs, drawn, strict=True):
        canvas = to_square(dialog.canvas.decode(), size)
        captions = [dialog.id, *(turn.instruction for turn in dialog.turns)]
        if truth:
            true = [to_square(turn.picture.decode(), size) for turn in dialog.turns]
            strips.append(filmstrip([canvas, *true], captions, height))
            captions = [""] * len(captions)
        strips.append(filmstrip([canvas, *pictures], captions, height))
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
    """Draws every dialog into the folders that GeNeVA's own code writes: see `drawn`.

    A dialog's folder appears whole or not at all, and finished ones are skipped: the same call goes on where
    an earlier one was killed. Under `accelerate launch` or `torchrun` each process draws its share, on a
    pipeline of its own.

    Raises:
        InputError: `out` holds pictures of other settings, another model or other dialogs, or can't be
            written.
    """
    settings = {
        "model": fingerprint(pipeline),
        "scheduler": type(pipeline.scheduler).__name__,
        "seed": seed,
        **pipeline.settings(**sampling),
    }

    def draw(part: Sequence[Dialog]) -> list[np.ndarray]:
        return draw_dialogs(pipeline, part, batch_size=batch_size, seed=seed, progress=False, **sampling)

    draw_missing(dialogs, DrawnFolder(out, settings), draw, batch_size, progress)
    process_state().wait_for_everyone()


def fingerprint(pipeline: CDDICMPipeline) -> str:
    """Hex digest of all weights and of the number format that they are in."""
    return tensor_digest(
        (f"{name}.{key}", tensor)
        for name, module in sorted(pipeline.components.items())
        if isinstance(module, torch.nn.Module)
        for key, tensor in module.state_dict().items()
    )
