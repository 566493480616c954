"""Finds the pictures of a benchmark in a folder or a zip, at any depth and with any suffix."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import takewhile
from pathlib import Path, PurePosixPath

import numpy as np

from cdd_icm.data import Picture
from cdd_icm.data.files import Files, FolderFiles, ZipFiles
from cdd_icm.data.picture import EncodedPicture
from cdd_icm.errors import InputError
from cdd_icm.hashing import content_digest
from cdd_icm.sources import local_path
from retrieval.benchmarks import Benchmark, Location
from retrieval.benchmarks.genecis import crop

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif")
"""In order of preference, where files differ only in their suffix."""


@dataclass(frozen=True)
class CroppedPicture:
    """A box of a picture, cut as GeneCIS does."""

    whole: Picture
    box: tuple[float, float, float, float]

    @cached_property
    def key(self) -> str:
        return content_digest(f"{self.whole.key} {self.box}")

    def decode(self) -> np.ndarray:
        return crop(self.whole.decode(), self.box)


@dataclass(frozen=True)
class Found:
    """The pictures of a benchmark by id, and the ids of the missing ones."""

    pictures: Mapping[str, Picture]
    missing: tuple[str, ...]


def find(benchmark: Benchmark, images: str | Path) -> Found:
    """Looks for every picture of the benchmark below `images`. No picture is opened.

    Pictures are matched by name without the suffix. Where several of the benchmark's pictures have the same
    name, their folders must match too. Where several files match, the one that shares most folders is taken.

    Raises:
        InputError: `images` can't be read, two files with different content match equally well, or the
            benchmark comes with its pictures, as dialogs do.
    """
    if benchmark.pictures:
        raise InputError(f"{images}: {benchmark.name} comes with its pictures")
    files = _open(local_path(images))
    by_stem: dict[str, list[PurePosixPath]] = defaultdict(list)
    for name in files.names():
        path = PurePosixPath(name)
        if path.suffix.lower() in SUFFIXES:
            by_stem[path.stem].append(path)
    wanted = {id: _without_suffix(benchmark.locations[id].path) for id in benchmark.picture_ids}
    sharing = Counter(path.name for path in set(wanted.values()))
    pictures: dict[str, Picture] = {}
    for id, path in wanted.items():
        found = _best(files, path, by_stem.get(path.name, []), whole=sharing[path.name] > 1)
        if found is not None:
            pictures[id] = _picture(found, benchmark.locations[id])
    return Found(pictures, tuple(id for id in wanted if id not in pictures))


def resolve(benchmark: Benchmark, images: str | Path, allow_missing: bool = False) -> Benchmark:
    """The benchmark with its pictures. With `allow_missing`, it is reduced to the pictures that were found,
    and marked partial.

    Raises:
        InputError: pictures are missing without `allow_missing`, no query is left, or what `find` raises.
    """
    found = find(benchmark, images)
    if found.missing and not allow_missing:
        first = ", ".join(f"{id} ({benchmark.named_in[id]})" for id in found.missing[:3])
        first += ", ..." if len(found.missing) > 3 else ""
        raise InputError(
            f"{images}: {len(found.missing)} of the {len(benchmark.picture_ids)} pictures "
            f"of {benchmark.name} {benchmark.split} are missing: {first}"
        )
    return replace(benchmark.without(found.missing), pictures=found.pictures)


def _open(images: Path) -> Files:
    if images.is_dir():
        return FolderFiles(images)
    if images.suffix == ".zip" and images.is_file():
        return ZipFiles(images)
    raise InputError(f"{images}: not a folder or zip of pictures")


def _without_suffix(path: str) -> PurePosixPath:
    parsed = PurePosixPath(path)
    return parsed.with_suffix("") if parsed.suffix.lower() in SUFFIXES else parsed


def _best(
    files: Files, wanted: PurePosixPath, paths: list[PurePosixPath], whole: bool
) -> EncodedPicture | None:
    """The file that shares most of its innermost folders with `wanted`; where `whole`, it must share all."""
    if not paths:
        return None
    shared = {path: _shared(path.parent, wanted.parent) for path in paths}
    most = max(shared.values())
    if whole and most < len(wanted.parent.parts):
        return None
    best = [path for path in paths if shared[path] == most]
    suffix = min((path.suffix.lower() for path in best), key=SUFFIXES.index)
    candidates = sorted(str(path) for path in best if path.suffix.lower() == suffix)
    pictures = [EncodedPicture(files, name) for name in candidates]
    if len(pictures) > 1 and len({picture.key for picture in pictures}) > 1:
        raise InputError(
            f"{files.where(candidates[0])}: another picture of this name is {files.where(candidates[1])}"
        )
    return pictures[0]


def _shared(path: PurePosixPath, wanted: PurePosixPath) -> int:
    """How many folders the two have in common, counted from the end."""
    pairs = zip(reversed(path.parts), reversed(wanted.parts), strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _picture(picture: EncodedPicture, location: Location) -> Picture:
    return picture if location.box is None else CroppedPicture(picture, location.box)
