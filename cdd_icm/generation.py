"""Whole dialogs at once: many canvases drawn turn by turn, in batches."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from tqdm import tqdm

from cdd_icm.data.dialog import Dialog
from cdd_icm.data.resize import to_square
from cdd_icm.pipeline import CDDICMPipeline


def turn_generator(seed: int, dialog: str, turn: int) -> torch.Generator:
    """The noise of one turn: a function of (seed, dialog, turn) and of nothing else, so that a dialog comes out the
    same whatever else is drawn beside it."""
    import hashlib

    digest = hashlib.sha256(f"{seed}/{dialog}/{turn}".encode()).digest()
    return torch.Generator("cpu").manual_seed(int.from_bytes(digest[:7], "big"))


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
    """Draws every dialog from its canvas; its own picture is the next reference (the true one if `teacher_forced`).

    Returns:
        For each dialog uint8 (T, R, R, 3), RGB.
    """
    size = pipeline.image_size
    drawn: list[np.ndarray] = []
    bar = tqdm(total=sum(len(d.turns) for d in dialogs), desc="drawing", unit="turns", disable=not progress)
    quiet = dict(getattr(pipeline, "_progress_bar_config", {}))
    pipeline.set_progress_bar_config(disable=True)
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
    bar.close()
    pipeline.set_progress_bar_config(**quiet)
    return drawn
