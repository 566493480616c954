"""A memory-mapped cache of decoded pictures at the training size, keyed by content."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from cdd_icm.data.dialog import Picture
from cdd_icm.data.picture import METHOD, to_square
from cdd_icm.errors import InputError
from cdd_icm.io import replacing
from cdd_icm.lock import held
from cdd_icm.progress import Progress

Preprocess = Callable[[UInt8[np.ndarray, "h w 3"]], UInt8[np.ndarray, "size size 3"]]

CHUNK = 1024  # pictures between two writes of the index; a killed process loses at most these


def default_folder() -> Path:
    """`$XDG_CACHE_HOME/cdd-icm`, or `~/.cache/cdd-icm`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "cdd-icm"


class PictureCache:
    """`cache[picture.key]` is that picture as uint8 (3, size, size), a view of the mapped file.

    There are two files per size: the pictures one after the other, and an index of their keys in that order.
    The index is replaced atomically after its pictures are on disk, so that it never lists a missing picture.
    Several data sets may share a folder; cached pictures are not decoded again.
    """

    def __init__(self, folder: Path, size: int, method: str = METHOD):
        self.folder, self.size, self.method = folder, size, method
        keys = _trusted_keys(folder, size, method)
        self._rows = {key: row for row, key in enumerate(keys)}
        shape = (len(keys), 3, size, size)
        # an empty file can't be mapped
        self._pictures = (
            np.memmap(_data(folder, size, method), np.uint8, "r", shape=shape) if keys else np.empty(shape)
        )

    @classmethod
    def open_or_build(
        cls,
        folder: Path | None,
        pictures: Iterable[Picture],
        size: int,
        progress: bool = True,
        preprocess: Preprocess | None = None,
        method: str = METHOD,
    ) -> PictureCache:
        """Opens the cache in `folder` (None: the default) and adds those of `pictures` that it lacks.

        One process decodes while the others wait. Pictures that a killed process had indexed are reused.

        Args:
            preprocess: maps a decoded picture to uint8 (size, size, 3); None: `to_square`.
            method: name of `preprocess`, part of the file names.

        Raises:
            InputError: a picture can't be decoded, the index is damaged, or the folder can't be written.
        """
        folder = Path(folder) if folder is not None else default_folder()
        by_key = {picture.key: picture for picture in pictures}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with held(_index(folder, size, method).with_suffix(".lock")):
                keys = _trusted_keys(folder, size, method)
                known = set(keys)
                missing = [picture for key, picture in by_key.items() if key not in known]
                if missing:
                    preprocess = preprocess or partial(to_square, size=size)
                    _append(folder, size, keys, missing, progress, preprocess, method)
        except OSError as error:
            reason = error.strerror or error
            raise InputError(f"{folder}: the picture cache can't be written ({reason})") from error
        return cls(folder, size, method)

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, key: str) -> bool:
        return key in self._rows

    def __getitem__(self, key: str) -> UInt8[np.ndarray, "3 size size"]:
        return self._pictures[self._rows[key]]

    def __reduce__(self):
        # loader processes map the file again: pickling would copy its content
        return PictureCache, (self.folder, self.size, self.method)


def _data(folder: Path, size: int, method: str) -> Path:
    return folder / f"{size}px-{method}.u8"


def _index(folder: Path, size: int, method: str) -> Path:
    return folder / f"{size}px-{method}.json"


def _trusted_keys(folder: Path, size: int, method: str) -> list[str]:
    """The keys in the index whose pictures are complete in the data file."""
    index, data = _index(folder, size, method), _data(folder, size, method)
    if not index.exists() or not data.exists():
        return []
    try:
        keys = json.loads(index.read_text())["keys"]
        if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
            raise TypeError("keys is not a list of strings")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(f"{index}: damaged index of the picture cache; delete it ({error!r})") from error
    return keys[: data.stat().st_size // (3 * size * size)]


def _append(
    folder: Path,
    size: int,
    keys: list[str],
    pictures: list[Picture],
    progress: bool,
    preprocess: Preprocess,
    method: str,
) -> None:
    def pixels(picture: Picture) -> bytes:
        return preprocess(picture.decode()).transpose(2, 0, 1).tobytes()

    data, index = _data(folder, size, method), _index(folder, size, method)
    bar = Progress(total=len(pictures), desc=f"decoding to {size} px", unit="pictures", disable=not progress)
    with bar, open(data, "ab") as file, ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        file.truncate(len(keys) * 3 * size * size)  # remove pictures that are not in the index
        for start in range(0, len(pictures), CHUNK):
            chunk = pictures[start : start + CHUNK]
            for encoded in pool.map(pixels, chunk):
                file.write(encoded)
                bar.update()
            file.flush()
            os.fsync(file.fileno())
            keys += [picture.key for picture in chunk]
            with replacing(index) as unfinished:
                unfinished.write_text(json.dumps({"size": size, "method": method, "keys": keys}))
