"""What an input may ask of this machine: checked before memory is allocated and before a file is opened.

`CDD_ICM_LIMITS=4` in the environment makes every limit four times as large; whoever is refused is told the
number that would do.
"""

from __future__ import annotations

import errno
import math
import os
import stat
from pathlib import Path
from typing import BinaryIO, NamedTuple

import psutil

from cdd_icm.errors import InputError

SETTING = "CDD_ICM_LIMITS"
KIB, MIB, GIB = 2**10, 2**20, 2**30
PIECE = MIB  # read at once from streams of unknown length


class Limit(NamedTuple):
    """The largest `number` of a `unit` that is allowed."""

    number: float
    unit: str = "bytes"

    def check(self, asked: float, what: str) -> None:
        """Raises InputError, starting with `what`, if `asked` is over the limit."""
        if asked > self.number * _factor():
            hint = f"{SETTING}={math.ceil(min(asked, 1e300) / self.number)} allows it"
            raise InputError(
                f"{what} {self._written(asked)}, over the limit of "
                f"{self._written(self.number * _factor())} ({hint})"
            )

    def _written(self, number: float) -> str:
        if self.unit != "bytes":
            return f"{number:.15g} {self.unit}"
        for size, unit in ((2**40, "TiB"), (GIB, "GiB"), (MIB, "MiB"), (KIB, "KiB")):
            if number >= size:
                return f"{number / size:.4g} {unit}"
        return f"{number:.0f} bytes"


def _factor() -> float:
    text = os.environ.get(SETTING) or "1"
    try:
        factor = float(text)
    except ValueError:
        factor = 0
    if not 0 < factor < math.inf:
        raise InputError(f"{SETTING} is {text!r}, expected a positive number")
    return factor


CONFIG = Limit(MIB)
"""A YAML file."""
TEXT = Limit(GIB)
"""JSON and other text, unpacked: CoDraw is 145 MiB."""
MEMBER = Limit(256 * MIB)
"""A picture's file, a file in a zip or a tar, an array or a chunk in an HDF5 file."""
PIXELS = Limit(64_000_000, "pixels")
"""Of a picture, by its header."""
ANY_SIZE = Limit(math.inf)
"""An archive: what is read of it at once has a limit of its own."""
FILES = Limit(100_000, "files")
"""That a brace pattern names."""
TENSORS = Limit(5_000, "tensors")
"""Of a model."""
WORKERS = Limit(1024, "processes")
"""Loader processes of a run."""


def memory() -> int:
    """The bytes of memory that this process may use: the machine's, or fewer in a container."""
    found = psutil.virtual_memory().total
    try:
        allowed = int(Path("/sys/fs/cgroup/memory.max").read_bytes())
    except (OSError, ValueError):  # no container, or "max"
        return found
    return min(found, allowed)


MEMORY = Limit(memory())
"""Of one file of weights, a model, a store, or a training step."""


def check_file(path: str | Path, limit: Limit = MEMBER) -> None:
    """Checks that `path`, links followed, is a regular file within the limit.

    Raises:
        InputError: it is a device, a named pipe or a socket, or larger than `limit`.
        OSError: it is missing, a folder, or can't be reached.
    """
    found = os.stat(path)
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(found.st_mode):
        kind = next((name for test, name in _KINDS.items() if test(found.st_mode)), "special")
        target = os.path.realpath(path)
        kind += f" ({target})" if target != str(path) else ""
        raise InputError(f"{path}: {kind}, expected a regular file")
    limit.check(found.st_size, f"{path}: the file has")


def check_files(folder: Path) -> None:
    """`check_file` for every file in a folder that other libraries will open, at any depth."""
    for file in sorted(folder.rglob("*")):
        if file.exists() and not file.is_dir():
            check_file(file, MEMORY)


_KINDS = {
    stat.S_ISFIFO: "a named pipe",
    stat.S_ISCHR: "a device",
    stat.S_ISBLK: "a device",
    stat.S_ISSOCK: "a socket",
}


def open_file(path: str | Path, limit: Limit = MEMBER) -> BinaryIO:
    """Opens a local file for reading, after `check_file`."""
    check_file(path, limit)
    return open(path, "rb")


def read_local(path: str | Path, limit: Limit = TEXT) -> bytes:
    """The content of a local file.

    Raises:
        InputError: it is missing, no regular file, or over the limit; the message names it.
    """
    try:
        with open_file(path, limit) as file:
            return read_stream(file, limit, str(path))
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error


def read_stream(stream: BinaryIO, limit: Limit, where: str) -> bytes:
    """The rest of a stream, read in pieces: a file system such as /proc, or a packed file, may give more than
    was declared. Raises InputError, starting with `where`, at the first byte over the limit."""
    pieces, size = [], 0
    while piece := stream.read(PIECE):
        pieces.append(piece)
        size += len(piece)
        limit.check(size, f"{where}: unpacks to at least")
    return b"".join(pieces)
