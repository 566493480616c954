"""Data loaders, and the generator's training and validation dialogs."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset

from cdd_icm.config import Config, DataConfig
from cdd_icm.data import (
    Dialog,
    PictureCache,
    ResumableSampler,
    ShardTriplets,
    TripletDataset,
    load_dialogs,
    pictures_of,
)
from cdd_icm.data.batch import Batch, Collator
from cdd_icm.data.readers.shards import first_dialogs
from cdd_icm.errors import InputError
from cdd_icm.progress import Progress

TRAIN, VALIDATION = "train", "val"
"""The splits of a data set."""
JOINED = 0.5
"""Share of the samples that the augmentation `join` joins a turn to."""
STREAM_PREVIEW = 500
"""Number of dialogs of a stream that are read before training begins."""


def make_loader(dataset: Dataset, collate: Callable, num_workers: int, **batching: Any) -> DataLoader:
    """The data loader of every recipe; `batching`: batch_sampler or batch_size."""
    return DataLoader(
        dataset,
        collate_fn=collate,
        num_workers=num_workers,
        worker_init_fn=init_worker,
        pin_memory=torch.cuda.is_available(),
        **batching,
    )


def init_worker(_worker: int) -> None:
    """Limits a loader process to one core, and gives it a process group of its own: Ctrl-C must not end the
    loaders before the trainer has finished its step and saved a checkpoint."""
    if sys.platform != "win32":
        os.setpgrp()
    torch.set_num_threads(1)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"


def training_dialogs(data: DataConfig) -> list[Dialog]:
    """The training dialogs; for a stream, the first `STREAM_PREVIEW` ones.

    Raises:
        InputError: a stream without dialogs.
    """
    if data.streams:
        found = first_dialogs(data.path, STREAM_PREVIEW)
        if not found:
            raise InputError(f"{data.path}: no dialogs")
        return found
    return load_dialogs(data.path, TRAIN)


def validation_dialogs(data: DataConfig, training: list[Dialog]) -> list[Dialog]:
    """The validation split, of a stream the shards `val-*.tar` beside those that are trained on. Data without
    one, and what is at a URL, are validated on the `training` dialogs."""
    if data.streams:
        shards = sorted(str(shard) for shard in Path(data.path).parent.glob(f"{VALIDATION}-*.tar"))
        found = first_dialogs(shards, STREAM_PREVIEW)
    else:
        faults: list[InputError] = []
        found = load_dialogs(data.path, VALIDATION, on_fault=faults.append)
        if faults:
            raise faults[0]
    if not found:
        Progress.write(f"{data.path}: no split {VALIDATION!r}; the film strips show training dialogs")
    return found or training


def sample_order(data: DataConfig, dialogs: list[Dialog]) -> list[Any]:
    """What decides the order of the samples: ids and numbers of turns; of a stream, those of its first
    dialogs and the number of its shards."""
    shards = len(ShardTriplets(data.path, data.image_size, 1, 0).shards) if data.streams else 0
    return [shards, *((dialog.id, len(dialog.turns)) for dialog in dialogs)]


def training_batches(
    config: Config,
    dialogs: list[Dialog],
    collate: Collator,
    size: int,
    samples: int,
    rank: int,
    world: int,
) -> Iterator[Batch]:
    """An endless stream of this process's micro-batches of `size`, starting at sample `samples` of the
    run."""
    data = config.data
    order = {
        "batch_size": size * world,
        "seed": config.seed,
        "start_sample": samples,
        "rank": rank,
        "world": world,
    }
    if data.streams:
        dataset = ShardTriplets(data.path, data.image_size, **order)
        return iter(make_loader(dataset, collate, data.num_workers, batch_size=size))
    cache = PictureCache.open_or_build(None, pictures_of(dialogs), data.image_size)
    dataset = TripletDataset(dialogs, cache, JOINED if "join" in config.objective.augmentations else 0.0)
    sampler = ResumableSampler(len(dataset), **order)
    return iter(make_loader(dataset, collate, data.num_workers, batch_sampler=sampler))
