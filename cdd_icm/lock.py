"""One process at a time writes into a folder, and one thread at a time uses an object.

A folder's lock is one of the operating system's on the file `.lock` in it, so that it ends with its process,
however that ends. Across machines it holds as far as the network file system supports `flock` (NFS, Lustre
mounted with `flock`); see docs/reliability.md.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import wraps
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from cdd_icm.console import say
from cdd_icm.errors import InputError
from cdd_icm.io import read_json, remove_leftovers, writing

NAME = ".lock"


@contextmanager
def claimed(folder: Path, patience: float = 0.0) -> Iterator[None]:
    """Holds `folder`, which is made if it is missing, for this process during the block. What killed
    processes left in it unfinished is removed first.

    Args:
        patience: seconds to wait for another process that holds it.

    Raises:
        InputError: another process holds it still, which the message names, or the folder can't be written.
    """
    with held(folder / NAME, patience):
        for part, folders, _ in os.walk(folder):
            # a folder within that has its own lock is another process's
            folders[:] = [name for name in folders if not (Path(part) / name / NAME).exists()]
            with suppress(OSError):
                remove_leftovers(Path(part), of_all_hosts=True)
        yield


@contextmanager
def held(file: Path, patience: float = -1) -> Iterator[None]:
    """Holds the lock on `file`, which is made, and removed at the end.

    Args:
        patience: seconds to wait for another process that holds it, -1: for ever. Where it waits, it says for
            whom.

    Raises:
        InputError: another process holds it still, which the message names, or the file can't be written.
    """
    made = not file.parent.exists()
    with writing(file.parent):
        file.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(file, thread_local=False)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            holder = _holder(file)
            try:
                if patience:
                    say(f"{file.parent}: waiting for {holder}", file=sys.stderr)
                lock.acquire(timeout=patience)
            except Timeout:
                raise InputError(f"{file.parent}: in use by {holder}") from None
    try:
        with writing(file.parent):
            file.write_text(json.dumps(_this_process()) + "\n", encoding="utf-8")
        yield
    finally:
        with suppress(OSError):
            file.unlink()  # before the release: who waits for it sees that it is gone, and makes another
            if made:
                file.parent.rmdir()  # only if it is empty: the work was refused
        lock.release()


def _this_process() -> dict[str, Any]:
    return {"pid": os.getpid(), "host": socket.gethostname(), "command": " ".join(sys.argv)}


def _holder(file: Path) -> str:
    """Who holds the lock, as far as the file says."""
    try:
        holder = read_json(file)
        return f"process {int(holder['pid'])} on {holder['host']} ({holder['command']})"
    except (ValueError, LookupError, TypeError):  # it has only just been made
        return "another process"


@contextmanager
def unchanged(folder: Path) -> Iterator[None]:
    """Makes sure that a folder is not replaced while the block reads its files, which would mix old and new.

    Raises:
        InputError: it was replaced or removed.
    """

    def identity() -> tuple[int, int] | None:
        try:
            status = folder.stat()
        except OSError:
            return None
        return status.st_dev, status.st_ino

    before = identity()
    try:
        yield
    finally:
        if before is not None and identity() != before:
            raise InputError(f"{folder}: it was replaced while it was read; run the command again")


class ThreadLock:
    """A lock of an object, which its thread may take again. A copy of the object has its own."""

    def __init__(self):
        self._lock = threading.RLock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_) -> None:
        self._lock.release()

    def __reduce__(self):  # for copies and pickles
        return ThreadLock, ()


def serial(method: Callable) -> Callable:
    """A method that one thread at a time runs: the others wait for the object's `_lock`, a `ThreadLock`."""

    @wraps(method)
    def waiting(self, *args, **kwargs):
        with self._lock:
            return method(self, *args, **kwargs)

    return waiting
