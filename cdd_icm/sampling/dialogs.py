"""Generates whole dialogs in batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image

from cdd_icm.data.dialog import Dialog
from cdd_icm.data.picture import to_square
from cdd_icm.device import process_state
from cdd_icm.filmstrip import filmstrip, stack
from cdd_icm.hashing import derive_seed, tensor_digest
from cdd_icm.lock import claimed
from cdd_icm.progress import Progress
from cdd_icm.sampling.inputs import without_scheduler
from cdd_icm.sampling.pipeline import CDDICMPipeline
from cdd_icm.sampling.store import GeneratedFolder, generate_missing


def turn_generator(seed: int, dialog: str, turn: int) -> torch.Generator:
    """The random generator of one turn. It depends on (seed, dialog, turn) only, so that a dialog's pictures
    do not depend on its batch."""
    return torch.Generator("cpu").manual_seed(derive_seed(seed, dialog, turn))


@contextmanager
def without_progress_bar(pipeline: CDDICMPipeline) -> Iterator[None]:
    """Disables the pipeline's progress bar in the block."""
    before = getattr(pipeline, "_progress_bar_config", {})  # diffusers has no public getter
    pipeline.set_progress_bar_config(**{**before, "disable": True})
    try:
        yield
    finally:
        pipeline.set_progress_bar_config(**before)


def generate_dialogs(
    pipeline: CDDICMPipeline,
    dialogs: Sequence[Dialog],
    *,
    batch_size: int = 16,
    seed: int = 0,
    teacher_forced: bool = False,
    progress: bool = True,
    **sampling,
) -> list[np.ndarray]:
    """Generates the pictures of every dialog, starting from its canvas. The reference of a turn is the
    picture generated in the previous turn, or the true one if `teacher_forced`. `sampling`: settings of
    `CDDICMPipeline.__call__`.

    Returns:
        For each dialog uint8 (T, R, R, 3), RGB, with T its number of turns and R the model's image size.
    """
    size, settings = pipeline.image_size, pipeline.settings(**sampling)
    generated: list[np.ndarray] = []
    turns = sum(len(d.turns) for d in dialogs)
    with (
        without_progress_bar(pipeline),
        Progress(total=turns, desc="generating", unit="turns", disable=not progress) as bar,
    ):
        for start in range(0, len(dialogs), batch_size):
            group = dialogs[start : start + batch_size]
            pictures: list[list[np.ndarray]] = [[] for _ in group]
            current = [to_square(d.canvas.decode(), size) for d in group]
            for turn in range(max(len(d.turns) for d in group)):
                active = [i for i, d in enumerate(group) if turn < len(d.turns)]
                if teacher_forced:
                    for i in active:
                        current[i] = to_square(group[i].reference(turn).decode(), size)
                out = pipeline.draw(
                    [Image.fromarray(current[i]) for i in active],
                    [group[i].turns[turn].instruction for i in active],
                    [[t.instruction for t in group[i].turns[:turn]] for i in active],
                    settings,
                    [turn_generator(seed, group[i].id, turn) for i in active],
                )
                for i, image in zip(active, out.images, strict=True):
                    current[i] = np.asarray(image)
                    pictures[i].append(current[i])
                bar.update(len(active))
            generated += [np.stack(p) for p in pictures]
    return generated


def draw_sheet(
    pipeline: CDDICMPipeline,
    dialogs: Sequence[Dialog],
    seed: int = 0,
    height: int = 160,
    truth: bool = True,
    **sampling,
) -> Image.Image:
    """The `dialog_sheet` of the dialogs as `generate_dialogs` generates them."""
    generated = generate_dialogs(pipeline, dialogs, seed=seed, progress=False, **sampling)
    return dialog_sheet(dialogs, generated, height, truth)


def dialog_sheet(
    dialogs: Sequence[Dialog],
    generated: Sequence[UInt8[np.ndarray, "T R R 3"]],
    height: int = 160,
    truth: bool = True,
) -> Image.Image:
    """A sheet with a film strip of each generated dialog, below one of its true pictures if `truth`."""
    strips = []
    for dialog, pictures in zip(dialogs, generated, strict=True):
        size = pictures.shape[1]
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
    """Generates every dialog into a folder, in GeNeVA's layout (see `store.geneva`).

    A dialog's folder is written atomically, and finished ones are skipped, so that the same call resumes a
    killed one. Under `accelerate launch` or `torchrun` each process generates its share with its own
    pipeline.

    Raises:
        InputError: `out` has pictures of other settings, another model or other dialogs, is in use by another
            process, or can't be written.
        Stopped: after Ctrl-C or SIGTERM, once the current dialogs are saved.
    """
    settings = {
        "model": weights_fingerprint(pipeline),
        "scheduler": type(pipeline.scheduler).__name__,
        "seed": seed,
        **without_scheduler(pipeline.settings(**sampling)),
    }

    def generate(part: Sequence[Dialog]) -> list[np.ndarray]:
        return generate_dialogs(pipeline, part, batch_size=batch_size, seed=seed, progress=False, **sampling)

    state = process_state()
    with claimed(out) if state.is_main_process else nullcontext():
        generate_missing(dialogs, GeneratedFolder(out, settings), generate, batch_size, progress)
        state.wait_for_everyone()


def weights_fingerprint(pipeline: CDDICMPipeline) -> str:
    """A hex digest of all weights and their number formats."""
    return tensor_digest(
        (f"{name}.{key}", tensor)
        for name, module in sorted(pipeline.components.items())
        if isinstance(module, torch.nn.Module)
        for key, tensor in module.state_dict().items()
    )
