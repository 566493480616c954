"""Training samples: (reference, instruction, target) triplets in a resumable random order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypedDict

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from cdd_icm.data.cache import PictureCache
from cdd_icm.data.dialog import Dialog, Picture, SceneObject

PICTURES = ("reference", "target", "other")
"""The fields of a triplet that are pictures."""


class Triplet(TypedDict):
    """One turn. The pictures are uint8, RGB, 0..255."""

    reference: UInt8[Tensor, "3 size size"]
    target: UInt8[Tensor, "3 size size"]
    other: UInt8[Tensor, "3 size size"]
    """A hard negative for the matcher, see `other_picture`."""
    instruction: str
    history: tuple[str, ...]
    """All earlier instructions of the dialog, oldest first."""
    dialog: str
    turn: int
    former: tuple[SceneObject, ...] | None
    before: tuple[SceneObject, ...] | None
    after: tuple[SceneObject, ...] | None
    """The objects before the turn before, those of the reference and those of the target; None if the data is
    not annotated."""
    draw: int
    """The sample's random integer, 0 to 2^31 - 1: it chooses the negative and seeds all other random
    choices."""


def other_picture(dialog: Dialog, turn: int, draw: int) -> Picture:
    """A wrong picture for the turn: one from another turn of the dialog that differs from this turn's
    reference and target, or the canvas if there is none. `draw`, an integer >= 0, chooses among them."""
    taken = {dialog.reference(turn).key, dialog.turns[turn].picture.key}
    others = [other.picture for other in dialog.turns if other.picture.key not in taken]
    return others[draw % len(others)] if others else dialog.canvas


def triplet(
    dialog: Dialog, turn: int, draw: int, pixels: Callable[[Picture], UInt8[np.ndarray, "3 size size"]]
) -> Triplet:
    """The triplet of one turn; `draw` chooses its negative, `pixels` returns a picture at the training
    size."""

    def tensor(picture: Picture) -> UInt8[Tensor, "3 size size"]:
        return torch.from_numpy(np.array(pixels(picture)))

    return Triplet(
        reference=tensor(dialog.reference(turn)),
        target=tensor(dialog.turns[turn].picture),
        other=tensor(other_picture(dialog, turn, draw)),
        instruction=dialog.turns[turn].instruction,
        history=tuple(earlier.instruction for earlier in dialog.turns[:turn]),
        dialog=dialog.id,
        turn=turn,
        former=dialog.turns[turn - 2].objects if turn > 1 else (),
        before=dialog.turns[turn - 1].objects if turn else (),
        after=dialog.turns[turn].objects,
        draw=draw,
    )


def join_triplets(one: Triplet, first: Triplet) -> Triplet | None:
    """`one` combined with `first`, the first turn of another dialog: the instructions are concatenated in
    random order, and the pixels that `first` changes are pasted on target and negative. None if both have an
    object of the same class, which would make the text ambiguous."""
    names = {obj.name for obj in (*(one["before"] or ()), *(one["after"] or ()))}
    if names & {obj.name for obj in first["after"] or ()}:
        return None
    changed = (first["target"] != first["reference"]).any(dim=0)  # (size, size)
    texts = [one["instruction"], first["instruction"]]
    return one | Triplet(
        target=torch.where(changed, first["target"], one["target"]),
        other=torch.where(changed, first["target"], one["other"]),
        instruction=" ".join(texts[:: -1 if one["draw"] >> 21 & 1 else 1]),
        after=None if one["after"] is None else (*one["after"], *(first["after"] or ())),
    )


def pictures_of(dialogs: Sequence[Dialog]) -> Iterator[Picture]:
    """All pictures of the dialogs, canvases included."""
    for dialog in dialogs:
        yield dialog.canvas
        for turn in dialog.turns:
            yield turn.picture


class TripletDataset(Dataset):
    """Every turn of every dialog, with pictures from the cache. `dataset[i, draw]` chooses the negative by
    `draw`; `dataset[i]` is `dataset[i, 0]`. A share `join` of the samples is combined with a first turn, see
    `join_triplets`."""

    def __init__(self, dialogs: Sequence[Dialog], cache: PictureCache, join: float = 0.0):
        self.cache, self.join = cache, join
        self.turns = [(dialog, turn) for dialog in dialogs for turn in range(len(dialog.turns))]
        self.firsts = [index for index, (_, turn) in enumerate(self.turns) if turn == 0]

    def __len__(self) -> int:
        return len(self.turns)

    def __getitem__(self, item: int | tuple[int, int]) -> Triplet:
        index, draw = item if isinstance(item, tuple) else (item, 0)
        one = self._triplet(index, draw)
        rng = np.random.default_rng(draw)
        if rng.random() >= self.join:
            return one
        return join_triplets(one, self._triplet(self.firsts[rng.integers(len(self.firsts))], draw)) or one

    def _triplet(self, index: int, draw: int) -> Triplet:
        dialog, turn = self.turns[index]
        return triplet(dialog, turn, draw, lambda picture: self.cache[picture.key])


class ResumableSampler(Sampler[list[tuple[int, int]]]):
    """Endless batches of (item, draw) in an order that is a pure function of (seed, samples seen).

    Each epoch is a new permutation; a batch may span two epochs. `batch_size` is the global batch, which does
    not depend on `world`; process `rank` yields its slice of it. A run that starts at `start_sample`
    continues exactly like one that has seen that many samples over all processes.
    """

    def __init__(
        self, n_items: int, batch_size: int, seed: int, start_sample: int = 0, rank: int = 0, world: int = 1
    ):
        if n_items < 1:
            raise ValueError("no items to sample from")
        if batch_size % world:
            raise ValueError(f"a global batch of {batch_size} can't be split over {world} processes")
        self.n_items, self.batch_size, self.seed, self.start_sample = n_items, batch_size, seed, start_sample
        self.rank, self.share = rank, batch_size // world

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        epoch, items = -1, []
        batch_start = self.start_sample
        while True:
            batch = []
            first = batch_start + self.rank * self.share
            for position in range(first, first + self.share):
                if position // self.n_items != epoch:
                    epoch = position // self.n_items
                    items = self._epoch(epoch)
                batch.append(items[position % self.n_items])
            yield batch
            batch_start += self.batch_size

    def _epoch(self, epoch: int) -> list[tuple[int, int]]:
        rng = np.random.default_rng((self.seed, epoch))
        order = rng.permutation(self.n_items)
        draws = rng.integers(2**31, size=self.n_items)
        return list(zip(order.tolist(), draws.tolist(), strict=True))


def collate(items: Sequence[Triplet]) -> dict[str, Tensor | list]:
    """Stacks the pictures to uint8 (B, 3, size, size) and collects all other fields in lists."""
    return {
        name: torch.stack([item[name] for item in items])
        if isinstance(value, Tensor)
        else [item[name] for item in items]
        for name, value in items[0].items()
    }
