"""Checks of a data set before training: counts, faults, and a preview of its pictures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from cdd_icm.data import Dialog, Picture, kind_of, load_dialogs, pictures_of
from cdd_icm.errors import InputError
from cdd_icm.filmstrip import filmstrip, stack
from cdd_icm.progress import Progress


@dataclass
class SplitInfo:
    """The counts of one split."""

    dialogs: int = 0
    turns: int = 0
    words: list[int] = field(default_factory=list)
    """The number of words of each instruction."""
    objects: Counter[str] = field(default_factory=Counter)
    """For each class, the number of turns that add such an object."""
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    """For each (width, height), the number of distinct pictures."""


@dataclass
class Info:
    """The result of `info`; `cdd-icm data info` prints its `str()`."""

    path: str
    kind: str
    splits: dict[str, SplitInfo]
    faults: list[str]

    def __str__(self) -> str:
        lines = [f"{self.path}: {self.kind}"]
        for name, split in self.splits.items():
            words = np.percentile(split.words, (0, 50, 95, 100)).astype(int)
            sizes = ", ".join(f"{w}x{h} ({n})" for (w, h), n in split.sizes.most_common(4))
            mean = split.turns / split.dialogs
            lines += [
                f"{name}: {split.dialogs} dialogs, {split.turns} turns ({mean:.2f} per dialog)",
                "  words per instruction: min {}, median {}, 95th percentile {}, max {}".format(*words),
                f"  distinct pictures by size: {sizes}",
            ]
            if split.objects:
                counts = (f"{name} {count}" for name, count in sorted(split.objects.items()))
                lines.append(f"  {len(split.objects)} classes, turns that add one: {', '.join(counts)}")
        lines.append(f"{len(self.faults)} fault" + "s" * (len(self.faults) != 1))
        return "\n".join(lines)


def info(path: str | Path, progress: bool = True, **options) -> Info:
    """Reads a whole data set, decodes every picture, and lists all faults instead of raising the first.

    Raises:
        InputError: `path` is not data of a known kind.
    """
    kind, faults = kind_of(path), []
    dialogs = load_dialogs(path, on_fault=faults.append, **options)
    splits: dict[str, SplitInfo] = {}
    pictures: dict[str, tuple[Picture, str]] = {}
    for dialog in dialogs:
        split = splits.setdefault(dialog.split, SplitInfo())
        split.dialogs += 1
        split.turns += len(dialog.turns)
        split.words += [len(turn.instruction.split()) for turn in dialog.turns]
        split.objects += _added(dialog)
        for picture in pictures_of([dialog]):
            try:
                pictures.setdefault(picture.key, (picture, dialog.split))
            except InputError as fault:
                faults.append(fault)
    for (_, split), size in zip(pictures.values(), _sizes(list(pictures.values()), progress), strict=True):
        if isinstance(size, InputError):
            faults.append(size)
        else:
            splits[split].sizes[size] += 1
    if not dialogs and not faults:
        faults.append(f"{path}: no dialogs")
    return Info(str(path), kind, dict(sorted(splits.items())), list(dict.fromkeys(map(str, faults))))


def preview(path: str | Path, n: int = 8, split: str | None = None, **options) -> Image.Image:
    """A sheet of `n` dialogs spread evenly over the data, one per row: the canvas, then the turns, each above
    its instruction.

    Raises:
        InputError: as `load_dialogs`, or a picture can't be decoded.
    """
    dialogs = load_dialogs(path, split=split, **options)
    chosen = [dialogs[i * len(dialogs) // n] for i in range(n)] if n < len(dialogs) else dialogs
    return stack([dialog_strip(dialog) for dialog in chosen])


def dialog_strip(dialog: Dialog) -> Image.Image:
    """The film strip of a dialog's own pictures."""
    pictures = [dialog.canvas.decode(), *(turn.picture.decode() for turn in dialog.turns)]
    return filmstrip(pictures, [dialog.id, *(turn.instruction for turn in dialog.turns)])


def _added(dialog: Dialog) -> Counter[str]:
    """Counts, for each class, the turns whose picture has it and whose reference does not."""
    added, before = Counter(), set()
    for turn in dialog.turns:
        names = {obj.name for obj in turn.objects or ()}
        added.update(names - before)
        before = names
    return added


def _sizes(pictures: Sequence[tuple[Picture, str]], progress: bool) -> list[tuple[int, int] | InputError]:
    def size(picture: Picture) -> tuple[int, int] | InputError:
        try:
            height, width, _ = picture.decode().shape
        except InputError as fault:
            return fault
        return width, height

    with ThreadPoolExecutor() as pool:
        sizes = pool.map(size, (picture for picture, _ in pictures))
        return list(
            Progress(sizes, "decoding", len(pictures), unit="pictures", disable=not (progress and pictures))
        )
