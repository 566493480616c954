"""Reads, writes and streams WebDataset shards: dialogs in tar files, for data sets larger than a disk.

A sample is one complete dialog:

    00000012.json        {"id", "split", "canvas": "canvas.png",
                          "turns": [{"instruction", "picture": "0.webp", "objects"}, ...]}
    00000012.canvas.png  00000012.0.webp  00000012.1.webp  ...   the pictures in their original encoding, else
    PNG
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from glob import glob
from itertools import islice
from pathlib import Path, PurePosixPath
from random import Random
from typing import Any, BinaryIO

import numpy as np
import webdataset
from jaxtyping import UInt8
from PIL import Image
from torch.utils.data import IterableDataset, get_worker_info
from webdataset.tariterators import base_plus_ext, group_by_keys

from cdd_icm.data.dialog import Dialog, Picture, Turn
from cdd_icm.data.faults import OnFault, stop
from cdd_icm.data.fields import field, scene_object, valid_file_name
from cdd_icm.data.files import Files, Member, MemoryFiles, TarFiles
from cdd_icm.data.picture import EncodedPicture, to_square
from cdd_icm.data.triplets import Triplet, triplet
from cdd_icm.errors import InputError
from cdd_icm.hashing import content_digest
from cdd_icm.io import parse_json, replacing, to_json, writing
from cdd_icm.limits import TEXT
from cdd_icm.lock import claimed
from cdd_icm.progress import Progress
from cdd_icm.sources import expand, open_stream, scheme_of

KIND = "shards"
DESCRIPTION = "WebDataset shards"


def convert(
    dialogs: Sequence[Dialog], out: Path, max_dialogs_per_shard: int = 500, progress: bool = True
) -> list[Path]:
    """Writes `out/<split>-<number>.tar` and returns their paths.

    `out` is created only when all shards are complete. A killed conversion resumes after its last shard.

    Raises:
        InputError: a picture can't be read, or `out` exists or can't be written.
    """
    if out.exists():
        raise InputError(f"{out}: already exists")
    # another conversion gets another temporary folder
    conversion = json.dumps([max_dialogs_per_shard, [(dialog.split, dialog.id) for dialog in dialogs]])
    partial = out.with_name(f"{out.name}.{content_digest(conversion)[:8]}.partial")
    with writing(out):
        partial.mkdir(parents=True, exist_ok=True)
        options = {"desc": "writing shards", "unit": "dialogs", "disable": not progress}
        with claimed(partial), Progress(total=len(dialogs), **options) as bar:
            for split in sorted({dialog.split for dialog in dialogs}):
                of_split = [dialog for dialog in dialogs if dialog.split == split]
                for start in range(0, len(of_split), max_dialogs_per_shard):
                    shard = partial / f"{split}-{start // max_dialogs_per_shard:06d}.tar"
                    chunk = of_split[start : start + max_dialogs_per_shard]
                    if not shard.exists():
                        _write(shard, chunk, start)
                    bar.update(len(chunk))
        partial.rename(out)
    return sorted(out.iterdir())


def kind_of(path: Path) -> str | None:
    return KIND if _local_shards(str(path)) else None


def read(path: Path, split: str | None = None, on_fault: OnFault = stop) -> list[Dialog]:
    """The dialogs of local shards: a .tar, a folder of them, a glob or brace pattern. Pictures are not
    loaded.

    Raises:
        InputError: a tar is truncated, or a sample lacks a file or a field.
    """
    dialogs = []
    for shard in _local_shards(str(path)):
        files = TarFiles(Path(shard))
        try:
            names = sorted(files.names())
        except InputError as fault:
            on_fault(fault)
            continue
        for name in names:
            if name.endswith(".json"):
                try:
                    dialogs.append(_dialog(files, name.removesuffix(".json")))
                except InputError as fault:
                    on_fault(fault)
    return [dialog for dialog in dialogs if split in (None, dialog.split)]


class ShardTriplets(IterableDataset):
    """An endless stream of triplets from local or remote shards, decoded and resized on the fly.

    The shards are divided among all workers of all processes, so that each triplet occurs once per epoch. A
    worker shuffles its shards in each epoch, and their triplets in a buffer; the order is a pure function of
    (seed, world, workers). With `start_sample` the stream continues like one that has yielded that many
    samples over all processes with the same world, workers and batch; skipped samples are read but not
    decoded.

    Use it in a DataLoader with `batch_size = global batch // world` and `collate_fn=collate`.
    """

    def __init__(
        self,
        shards: str | Sequence[str],
        size: int,
        batch_size: int,
        seed: int,
        start_sample: int = 0,
        rank: int = 0,
        world: int = 1,
        shuffle_buffer: int = 1000,
    ):
        """Args:
        shards: a path, glob, brace pattern or URL (`https://host/train-{000000..000063}.tar`), or several;
            see `cdd_icm.sources`.
        size: side of the pictures in pixels.
        batch_size: the global batch, over all processes.
        shuffle_buffer: number of undecoded triplets from which the next one is drawn at random.

        Raises:
            InputError: there are no shards, or `start_sample` is not at the start of a batch.
        """
        if batch_size % world:
            raise ValueError(f"a global batch of {batch_size} can't be split over {world} processes")
        if start_sample % batch_size:
            raise InputError(
                f"data.path: sample {start_sample} is not the end of a batch of {batch_size} on {world} "
                "processes; resume a stream with the number of processes it began with"
            )
        self.shards = _shards(shards)
        self.size, self.seed, self.rank, self.world = size, seed, rank, world
        self.share, self.start_batch = batch_size // world, start_sample // batch_size
        self.shuffle_buffer = shuffle_buffer

    def __iter__(self) -> Iterator[Triplet]:
        info = get_worker_info()
        workers, worker = (info.num_workers, info.id) if info else (1, 0)
        # a loader takes batches from worker 0, 1, ... in turn; after a resume another worker is first
        worker = (worker + self.start_batch) % workers
        slot, slots = self.rank * workers + worker, self.world * workers
        if len(self.shards) < slots:
            raise InputError(
                f"{len(self.shards)} shards are too few for {slots} workers; make smaller shards"
            )
        batches_seen = len(range(worker, self.start_batch, workers))
        skip = batches_seen * self.share
        for epoch in self._epochs(slot, slots):
            turns = 0
            for turns, (dialog, turn, draw) in enumerate(epoch, 1):  # noqa: B007
                if skip:
                    skip -= 1
                else:
                    yield triplet(dialog, turn, draw, self._pixels)
            if not turns:
                raise InputError(f"{self.shards[slot]}: no dialogs in the shards of this worker")

    def _pixels(self, picture: Picture) -> UInt8[np.ndarray, "3 size size"]:
        return to_square(picture.decode(), self.size).transpose(2, 0, 1)

    def _epochs(self, slot: int, slots: int) -> Iterator[Iterator[tuple[Dialog, int, int]]]:
        epoch = 0
        while True:
            rng = Random(f"{self.seed} {epoch} {slot}")
            shards = self.shards[slot::slots]
            rng.shuffle(shards)
            turns = (
                (dialog, turn, rng.randrange(2**31))
                for dialog in _stream(shards)
                for turn in range(len(dialog.turns))
            )
            yield webdataset.shuffle(self.shuffle_buffer, initial=self.shuffle_buffer, rng=rng)(turns)
            epoch += 1


def first_dialogs(shards: str | Sequence[str], n: int) -> list[Dialog]:
    """The first `n` dialogs of shards, given as for `ShardTriplets`, with pictures in memory; the rest is not
    read."""
    return list(islice(_stream(_shards(shards)), n))


def _write(shard: Path, dialogs: Sequence[Dialog], first: int) -> None:
    # without timestamps the same dialogs give the same bytes
    with replacing(shard) as file, webdataset.TarWriter(str(file), encoder=False, mtime=0) as writer:
        for number, dialog in enumerate(dialogs, first):
            writer.write(_sample(dialog, f"{number:08d}"))


def _sample(dialog: Dialog, key: str) -> dict[str, str | bytes]:
    """One dialog in TarWriter's format: file contents by the suffix of their names."""
    suffix, encoded = _encoded(dialog.canvas)
    members = {f"canvas{suffix}": encoded}
    record = {"id": dialog.id, "split": dialog.split, "canvas": f"canvas{suffix}", "turns": []}
    for number, turn in enumerate(dialog.turns):
        suffix, encoded = _encoded(turn.picture)
        members[f"{number}{suffix}"] = encoded
        objects = None if turn.objects is None else [asdict(obj) for obj in turn.objects]
        record["turns"].append(
            {"instruction": turn.instruction, "picture": f"{number}{suffix}", "objects": objects}
        )
    return {"__key__": key, "json": to_json(record).encode(), **members}


def _encoded(picture: Picture) -> tuple[str, bytes]:
    """File suffix and bytes of a picture: those of its file, else a PNG. Raises InputError if it is
    damaged."""
    pixels = picture.decode()
    if isinstance(picture, EncodedPicture):
        return PurePosixPath(picture.name).suffix.lower(), picture.encoded()
    png = io.BytesIO()
    Image.fromarray(pixels).save(png, "png")
    return ".png", png.getvalue()


def _dialog(files: Files, key: str) -> Dialog:
    """The inverse of `_sample`; pictures are not decoded."""
    name = f"{key}.json"
    where = files.where(name)
    record = parse_json(files.read(name), where)
    turns = field(record, "turns", list, where)
    dialog = Dialog(
        id=valid_file_name(field(record, "id", str, where), "id", where, forbidden=""),
        split=valid_file_name(field(record, "split", str, where), "split", where),
        canvas=EncodedPicture(files, f"{key}.{field(record, 'canvas', str, where)}"),
        turns=tuple(_turn(files, key, turn, f"{where}: turns[{i}]") for i, turn in enumerate(turns)),
    )
    if not dialog.turns or not all(turn.instruction.strip() for turn in dialog.turns):
        raise InputError(f"{where}: turns: the dialog, or a turn of it, has no text")
    return dialog


def _turn(files: Files, key: str, record: object, where: str) -> Turn:
    objects = field(record, "objects", list | None, where)
    return Turn(
        instruction=field(record, "instruction", str, where),
        picture=EncodedPicture(files, f"{key}.{field(record, 'picture', str, where)}"),
        objects=None if objects is None else tuple(scene_object(obj, where) for obj in objects),
    )


def _stream(shards: Sequence[str]) -> Iterator[Dialog]:
    for shard in shards:
        try:
            # webdataset's own opener would pass addresses to a shell
            with open_stream(shard) as stream:
                for sample in group_by_keys(_members(stream, shard)):
                    key = sample["__key__"]
                    members = {f"{key}.{suffix}": data for suffix, data in sample.items() if suffix[0] != "_"}
                    yield _dialog(MemoryFiles(shard, members), key)
        except InputError as error:
            where = "" if str(error).startswith(shard) else f"{shard}/"
            raise InputError(f"{where}{error}") from error
        except Exception as error:  # each scheme's package raises errors of its own
            if scheme_of(shard):  # their text contains Python objects and is not deterministic
                raise InputError(f"{shard}: can't be reached, or is not a complete tar") from error
            if not isinstance(error, tarfile.TarError | OSError | EOFError | ValueError):
                raise
            reason = getattr(error, "strerror", None) or next(iter(error.args), "unexpected end of file")
            raise InputError(f"{shard}: not a readable tar ({reason})") from error


def _members(stream: BinaryIO, shard: str) -> Iterator[dict[str, Any]]:
    """The files in a tar, which may be compressed, in webdataset's form. A member and a whole dialog may not
    be larger than their limits."""
    last, size = None, 0
    with tarfile.open(fileobj=stream, mode="r|*", tarinfo=Member) as tar:
        for member in tar:
            tar.members = []  # tarfile would keep them all
            if member.isreg():
                key, _ = base_plus_ext(member.name)
                size = member.size + (size if key == last else 0)
                last = key
                TEXT.check(size, f"{key}: the dialog has")
                data = tar.extractfile(member).read()
                yield {"fname": member.name, "data": data, "__url__": shard}


def _shards(shards: str | Sequence[str]) -> list[str]:
    patterns = [shards] if isinstance(shards, str) else shards
    return [shard for pattern in patterns for shard in _local_shards(pattern) or _urls(pattern)]


def _local_shards(pattern: str) -> list[str]:
    if scheme_of(pattern):
        return []
    if Path(pattern).is_dir():
        return sorted(str(shard) for shard in Path(pattern).glob("*.tar"))
    return sorted(shard for name in expand(pattern) for shard in glob(name) if shard.endswith(".tar"))


def _urls(pattern: str) -> list[str]:
    if scheme_of(pattern) is None:
        raise InputError(f"{pattern}: no shards (*.tar) here")
    return expand(pattern)
