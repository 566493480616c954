"""A memory-mapped cache of decoded pictures at the training size, keyed by content."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from cdd_icm.data.dialog import Picture
from cdd_icm.data.picture import METHOD, to_square
from cdd_icm.data.rows import GrowingRows
from cdd_icm.errors import InputError
from cdd_icm.lock import held
from cdd_icm.progress import Progress

Preprocess = Callable[[UInt8[np.ndarray, "h w 3"]], UInt8[np.ndarray, "size size 3"]]


def default_folder() -> Path:
    """`$XDG_CACHE_HOME/cdd-icm`, or `~/.cache/cdd-icm`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "cdd-icm"


class PictureCache:
    """`cache[picture.key]` is that picture as uint8 (3, size, size), a view of the mapped file.

    There is one file of `GrowingRows` per size. Several data sets may share a folder; cached pictures are not
    decoded again.
    """

    def __init__(self, folder: Path, size: int, method: str = METHOD):
        self.folder, self.size, self.method = folder, size, method
        self._rows = GrowingRows(
            folder / f"{size}px-{method}.rgb", (3, size, size), np.uint8, f"side {size}", "picture cache"
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
            with held(folder / f"{size}px-{method}.lock"):
                cache = cls(folder, size, method)
                missing = {key: picture for key, picture in by_key.items() if key not in cache}
                if missing:
                    cache._add(missing, preprocess or partial(to_square, size=size), progress)
        except OSError as error:
            reason = error.strerror or error
            raise InputError(f"{folder}: the picture cache can't be written ({reason})") from error
        return cache

    def _add(self, pictures: Mapping[str, Picture], preprocess: Preprocess, progress: bool) -> None:
        title = f"decoding to {self.size} px"
        with (
            Progress(total=len(pictures), desc=title, unit="pictures", disable=not progress) as bar,
            ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool,
        ):

            def pixels(key: str) -> bytes:
                return preprocess(pictures[key].decode()).transpose(2, 0, 1).tobytes()

            def encode(keys: Sequence[str]) -> Iterator[bytes]:
                for encoded in pool.map(pixels, keys):
                    yield encoded
                    bar.update()

            self._rows.append(list(pictures), encode)

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, key: str) -> bool:
        return key in self._rows

    def __getitem__(self, key: str) -> UInt8[np.ndarray, "3 size size"]:
        return self._rows[key]

    def __reduce__(self):
        # loader processes map the file again: pickling would copy its content
        return PictureCache, (self.folder, self.size, self.method)
