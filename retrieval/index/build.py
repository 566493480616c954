"""Indexes a folder of pictures into a store; reading, decoding, encoding and writing run in parallel."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from time import perf_counter

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from cdd_icm.data.files import FolderFiles
from cdd_icm.data.picture import decode
from cdd_icm.errors import InputError
from cdd_icm.hashing import content_digest
from cdd_icm.progress import Progress
from cdd_icm.signals import StopSignal
from cdd_icm.sources import local_path
from cdd_icm.walk import files_below
from retrieval.images import SUFFIXES
from retrieval.index import several
from retrieval.index.encoder import Encoder
from retrieval.index.store import MAX_TEXT_BYTES, Entry, Store
from retrieval.index.tags import read_tags

READERS = 8  # threads; decoding a picture releases the interpreter lock
PRUNE_SHARE = 0.1
"""The share of a store that `index` removes without `prune`: more is rather a disk that is not mounted."""
AHEAD = 2  # batches prepared ahead of the model
BEHIND = 2  # encoded batches waiting to be written to the store


@dataclass
class Indexed:
    """The counts of a run of `index`."""

    added: int = 0
    """Pictures that the model encoded."""
    updated: int = 0
    """Pictures whose path or tags in the store were changed; they were not encoded again."""
    unchanged: int = 0
    duplicates: int = 0
    """Files with the same content as another file of the folder."""
    removed: int = 0
    """Pictures of the store that are no longer in the folder."""
    kept: int = 0
    """Pictures that are no longer in the folder, but stay because they are more than `PRUNE_SHARE`."""
    unreadable: list[str] = field(default_factory=list)
    """One line for each file that was left out."""
    seconds: float = 0.0
    model_seconds: float = 0.0
    """How many of the `seconds` the model spent encoding."""
    stopped: int = 0
    """The number of the signal, Ctrl-C's or SIGTERM's, that ended it; the next run continues."""


def index(
    folder: str | Path,
    store: Store,
    encoder: Encoder,
    batch_size: int = 64,
    progress: bool = True,
    prune: bool = False,
) -> Indexed:
    """Updates the store to the pictures of the folder, at any depth and through symbolic links.

    Identical files are encoded and stored once, under the first of their paths. Pictures already in the store
    are not encoded again, so that a run that was stopped or killed resumes when started again. Entries of
    this folder whose file is gone or has other content are removed at the end; without `prune`, none whose
    file is gone is removed if these are more than `PRUNE_SHARE` of the store. Files without a picture's
    suffix are ignored; pictures that can't be read, and broken links, are left out and listed, and what the
    store has of them stays.

    Raises:
        InputError: no such folder, no pictures in it, a faulty metadata.jsonl, or what `Store` raises.
    """
    if batch_size < 1:
        raise InputError(f"batch_size: {batch_size}, expected at least 1")
    files, names, tags = _read_folder(folder)
    batches = [names[at : at + batch_size] for at in range(0, len(names), batch_size)]
    done, started = Indexed(), perf_counter()
    with (
        ThreadPoolExecutor(READERS) as readers,
        ThreadPoolExecutor(1) as preparer,
        ThreadPoolExecutor(1) as store_thread,  # makes all calls to the store, one after the other
        Progress(total=len(names), desc="indexing", unit="pictures", disable=not progress) as bar,
        StopSignal() as stop,
    ):
        run = _Run(files, names, store, encoder, readers, store_thread, tags)
        puts: list[Future] = []
        for batch in _ahead(map(run.prepare, batches), preparer):
            done.unreadable += batch.unreadable
            done.unchanged += batch.unchanged
            done.updated += len(batch.changed)
            done.added += len(batch.new)
            done.duplicates += batch.duplicates
            puts.append(store_thread.submit(store.change, batch.changed))
            if batch.new:
                begun = perf_counter()
                vectors = encoder.encode_gallery(batch.pixels).cpu()  # on a GPU, this waits for the result
                done.model_seconds += perf_counter() - begun
                puts.append(store_thread.submit(store.put, batch.new, vectors))
            while len(puts) > BEHIND:
                puts.pop(0).result()
            bar.update(len(batch.names))
            if stop.received:
                done.stopped = stop.received
                break
        for put in puts:
            put.result()
        if not done.stopped:
            done.removed, done.kept = store_thread.submit(run.remove_gone, prune).result()
        store_thread.submit(store.flush).result()
    done.seconds = perf_counter() - started
    return done


def check(folder: str | Path, encoder: Encoder) -> None:
    """Raises InputError, before a store is created, where the folder can't be indexed, or where a store can't
    hold as many vectors a picture as the model has."""
    _read_folder(folder)
    several.check_size(encoder.vectors, encoder.width)


def _read_folder(folder: str | Path) -> tuple[FolderFiles, list[str], dict[str, dict]]:
    """The folder, the names of its pictures and their tags."""
    root = local_path(folder).resolve()
    if not root.is_dir():
        raise InputError(f"{folder}: no such folder")
    files = _FilesAndLinks(root)
    # a broken link may be a folder of pictures on a disk that is not mounted
    names = sorted(name for name in files.names() if _is_picture(name) or not (root / name).exists())
    if not any(map(_is_picture, names)):
        raise InputError(f"{folder}: no pictures here ({', '.join(SUFFIXES)})")
    return files, names, read_tags(files)


def _is_picture(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in SUFFIXES


class _FilesAndLinks(FolderFiles):
    """Also lists broken links: their targets may reappear."""

    def names(self) -> Iterator[str]:
        for file in files_below(self.root):
            if file.is_file() or (file.is_symlink() and not file.exists()):
                yield file.relative_to(self.root).as_posix()


@dataclass
class _Batch:
    names: Sequence[str]
    new: list[Entry] = field(default_factory=list)
    pixels: UInt8[Tensor, "B 3 H W"] | None = None
    """The preprocessed pictures of `new`."""
    changed: list[Entry] = field(default_factory=list)
    unchanged: int = 0
    duplicates: int = 0
    unreadable: list[str] = field(default_factory=list)


class _Run:
    """The state shared by the threads of one run. One of them calls `prepare`, in the order of the names."""

    def __init__(
        self,
        files: FolderFiles,
        names: Sequence[str],
        store: Store,
        encoder: Encoder,
        readers: ThreadPoolExecutor,
        store_thread: ThreadPoolExecutor,
        tags: dict[str, dict],
    ):
        self.files, self.store, self.encoder = files, store, encoder
        self.names = frozenset(names)
        self.readers, self.store_thread, self.tags = readers, store_thread, tags
        self.folder = str(files.root)
        self.path: dict[str, str] = {}
        """The first path of each content digest."""
        self.left_out: set[str] = set()
        """Names of unreadable files."""
        self.undecodable: set[str] = set()
        """Content digests of files that can't be decoded."""

    def prepare(self, names: Sequence[str]) -> _Batch:
        batch = _Batch(names)
        encoded: dict[str, bytes] = {}
        copies: list[tuple[str, str]] = []
        for name, read in zip(names, self.readers.map(self._read, names), strict=True):
            if isinstance(read, InputError):
                self._leave_out(batch, name, read)
                continue
            content, data = read
            if content in self.path:
                copies.append((name, content))
            else:
                self.path[content], encoded[content] = name, data
        stored = self.store_thread.submit(self.store.get, list(encoded)).result()
        for content, entry in stored.items():
            path = self.path[content]
            current = replace(entry, folder=self.folder, path=path, tags=self.tags.get(path, {}))
            if current == entry:
                batch.unchanged += 1
            else:
                batch.changed.append(current)
        new = [content for content in encoded if content not in stored]
        pixels = []
        for content, decoded in zip(
            new, self.readers.map(lambda content: self._decode(content, encoded[content]), new), strict=True
        ):
            path = self.path[content]
            if isinstance(decoded, InputError):
                self._leave_out(batch, path, decoded)
                self.undecodable.add(content)
                continue
            square, height, width = decoded
            pixels.append(square)
            batch.new.append(Entry(content, self.folder, path, width, height, self.tags.get(path, {})))
        for name, content in copies:
            if content in self.undecodable:
                first = self.files.where(self.path[content])
                self._leave_out(
                    batch, name, InputError(f"{self.files.where(name)}: the same file as {first}")
                )
            else:
                batch.duplicates += 1
        if pixels:
            batch.pixels = torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2)
        return batch

    def remove_gone(self, prune: bool) -> tuple[int, int]:
        """Removes the folder's entries whose file is gone or has other content, and returns how many were
        removed and how many stay for want of `prune`. Entries of unreadable files and of what is below broken
        links stay."""
        if self.store.count(self.folder) == len(self.path) - len(self.undecodable):
            return 0, 0
        old = [
            entry
            for entry in self.store.entries(self.folder)
            if self.path.get(entry.content) != entry.path
            and self.left_out.isdisjoint([entry.path, *map(str, PurePosixPath(entry.path).parents)])
        ]
        gone = [entry for entry in old if entry.path not in self.names]
        if not prune and len(gone) > PRUNE_SHARE * self.store.count():
            old = [entry for entry in old if entry.path in self.names]
        else:
            gone = []
        self.store.remove([entry.content for entry in old])
        return len(old), len(gone)

    def _read(self, name: str) -> tuple[str, bytes] | InputError:
        try:
            if len(name.encode()) > MAX_TEXT_BYTES:
                return InputError(f"{self.files.where(name)[:80]}...: the path is too long")
            encoded = self.files.read(name)
        except UnicodeEncodeError:
            return InputError(f"{self.files.where(name)!a}: the name is not UTF-8")
        except InputError as error:
            return error
        return content_digest(encoded), encoded

    def _decode(self, content: str, encoded: bytes) -> tuple[np.ndarray, int, int] | InputError:
        try:
            pixels = decode(encoded, self.files.where(self.path[content]))
        except InputError as error:
            return error
        return self.encoder.preprocess(pixels), *pixels.shape[:2]

    def _leave_out(self, batch: _Batch, name: str, error: InputError) -> None:
        batch.unreadable.append(str(error))
        self.left_out.add(name)


def _ahead(batches: Iterable[_Batch], thread: ThreadPoolExecutor) -> Iterator[_Batch]:
    """The batches, of which `thread` prepares the next few in the background."""
    batches = iter(batches)
    made = [thread.submit(next, batches, None) for _ in range(AHEAD)]
    while (batch := made.pop(0).result()) is not None:
        made.append(thread.submit(next, batches, None))
        yield batch
