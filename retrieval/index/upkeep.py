"""Compares a store with the files on disk, and removes pictures from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from cdd_icm.data.files import FolderFiles
from cdd_icm.errors import InputError
from cdd_icm.hashing import content_digest
from cdd_icm.progress import Progress
from cdd_icm.sources import local_path
from retrieval.index.store import Entry, Store

READERS = 8


@dataclass
class Status:
    """The pictures of a store: how many each indexed folder has, and the files that are not as indexed."""

    folders: Counter[str] = field(default_factory=Counter)
    gone: list[Entry] = field(default_factory=list)
    changed: list[Entry] = field(default_factory=list)


def status(store: Store, progress: bool = True) -> Status:
    """Reads the file of every picture in the store.

    Raises:
        InputError: what `Store` raises.
    """
    found, entries = Status(), sorted(store.entries(), key=lambda entry: (entry.folder, entry.path))
    with ThreadPoolExecutor(READERS) as pool:
        contents = Progress(
            pool.map(_content, entries), "reading", len(entries), unit="pictures", disable=not progress
        )
        for entry, content in zip(entries, contents, strict=True):
            found.folders[entry.folder] += 1
            if content is None:
                found.gone.append(entry)
            elif content != entry.content:
                found.changed.append(entry)
    return found


def remove(path: str | Path, store: Store) -> int:
    """Removes the picture `path`, or all pictures in the folder `path`, from the store, whether the file or
    folder exists or not. No file is deleted. Returns the number of pictures.

    Raises:
        InputError: the store has none of them; the message names its folders.
    """
    target = local_path(path).resolve()
    return _remove(store, lambda entry: entry.file.is_relative_to(target), f"{path}: no picture of it")


def remove_gone(store: Store) -> int:
    """Removes all pictures whose file is gone from the store, and returns their number.

    Raises:
        InputError: there are none.
    """
    return _remove(store, lambda entry: not entry.file.exists(), "no picture whose file is gone")


def _remove(store: Store, chosen: Callable[[Entry], bool], none: str) -> int:
    entries = list(store.entries())
    contents = [entry.content for entry in entries if chosen(entry)]
    if not contents:
        folders = ", ".join(sorted({entry.folder for entry in entries})) or "none"
        raise InputError(f"{none} is in {store.uri}; its folders: {folders}")
    store.remove(contents)
    store.flush()
    return len(contents)


def _content(entry: Entry) -> str | None:
    """The digest of the file of a picture, or None if it can't be read."""
    try:
        return content_digest(FolderFiles(entry.file.parent).read(entry.file.name))
    except InputError:
        return None
