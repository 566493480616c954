"""`GrowingRows`: rows of one size in a file that only grows, with an index of their keys."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import DTypeLike

from cdd_icm.errors import InputError
from cdd_icm.limits import read_local

CHUNK = 1024
"""Rows that are written before their keys are, and so the most that a killed process loses."""


class GrowingRows:
    """`rows[key]` is an array of `shape`, a view of the mapped `file`.

    There are two files, which only ever grow: the rows end to end, and beside them, as `.keys`, an index of a
    `header` line and then one line for each key, in the same order. A key is written once its row has reached
    the disk, so that every row that the index names is complete even if the writer dies. The next writer cuts
    off whatever is left beyond that: part of a line, or rows without a key.

    Args:
        header: what all rows have in common, such as their width.
        owner: whose index it is, for messages.

    Raises:
        InputError: the index is damaged; the message names it.
    """

    def __init__(self, file: Path, shape: tuple[int, ...], dtype: DTypeLike, header: str, owner: str):
        self.file, self.index = file, file.with_name(f"{file.stem}.keys")
        self.shape, self.dtype, self.owner = shape, np.dtype(dtype), owner
        self.header = f"{header}\n".encode()
        self.map()

    def map(self) -> None:
        """Maps the file anew, with what was added to it since."""
        keys = self._read_keys()
        self.numbers = {key: number for number, key in enumerate(keys)}
        shape = (len(keys), *self.shape)
        # an empty file can't be mapped
        self.values = np.memmap(self.file, self.dtype, "r", shape=shape) if keys else np.empty(shape, "u1")

    def append(self, keys: Sequence[str], compute: Callable[[Sequence[str]], Iterable[bytes]]) -> None:
        """Adds rows: `keys` are new ones, without line breaks; `compute` gives the bytes of their rows, in
        order. No other process may write meanwhile, and `map` must have been called since the last one did.

        Raises:
            OSError: the disk refuses.
        """
        with open(self.file, "ab") as file, open(self.index, "ab") as index:
            file.truncate(self._row_bytes * len(self.numbers))
            index.truncate(len(self.header + _lines(self.numbers)) if self.numbers else 0)
            if not self.numbers:
                index.write(self.header)
            for start in range(0, len(keys), CHUNK):
                chunk = keys[start : start + CHUNK]
                for row in compute(chunk):
                    file.write(row)
                _fsync(file)
                index.write(_lines(chunk))
                _fsync(index)
        self.map()

    def __getitem__(self, key: str) -> np.ndarray:
        return self.values[self.numbers[key]]

    def __contains__(self, key: str) -> bool:
        return key in self.numbers

    def __iter__(self) -> Iterator[str]:
        return iter(self.numbers)

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def _row_bytes(self) -> int:
        return self.dtype.itemsize * math.prod(self.shape)

    def _read_keys(self) -> list[str]:
        """The keys whose rows are in the file."""
        if not self.index.exists() or not self.file.exists():
            return []
        header, *lines = read_local(self.index).split(b"\n")[:-1] or [self.header.strip()]
        try:
            keys = [line.decode() for line in lines]
            if header + b"\n" != self.header or len(set(keys)) < len(keys):
                raise ValueError("another header, or a duplicate key")
        except ValueError as error:
            reason = f"damaged index of the {self.owner}; delete it ({error})"
            raise InputError(f"{self.index}: {reason}") from error
        return keys[: self.file.stat().st_size // self._row_bytes]


def _lines(keys: Iterable[str]) -> bytes:
    return "".join(f"{key}\n" for key in keys).encode()


def _fsync(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())
