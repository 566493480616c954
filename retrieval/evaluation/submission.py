"""Files for the servers of CIRR and CIRCO: written, and checked before they are uploaded.

CIRR:   {"version": "rc2", "metric": "recall" or "recall_subset", "<pairid>": [50 or 3 image names], ...}
CIRCO:  {"<query id>": [50 image numbers], ...}
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from cdd_icm.errors import InputError
from cdd_icm.io import parse_json, replacing
from cdd_icm.limits import read_local
from retrieval.benchmarks import Benchmark, Query

SERVER_SPLITS = (("cirr", "test1"), ("circo", "test"))
CIRR_VERSION = "rc2"
CIRR_LENGTHS = {"recall": 50, "recall_subset": 3}
CIRR_QUERIES, CIRCO_QUERIES = 4148, 800
CIRR_BYTES = 5_000_000
CIRCO_LENGTH = 50
_NUMBER = re.compile("0|[1-9][0-9]*")


def write_cirr(
    folder: str | Path,
    benchmark: Benchmark,
    ranked: Sequence[Sequence[str]],
    ranked_subsets: Sequence[Sequence[str]],
) -> tuple[Path, Path]:
    """Writes both files, `recall.json` and `recall_subset.json`. The rankings are in the order of the
    benchmark's queries and at least 50 and 3 long (see `ranking.ranked_ids` and `ranking.ranked_subsets`).

    Raises:
        InputError: the server would refuse a ranking.
    """
    paths = []
    for (metric, length), rankings in zip(CIRR_LENGTHS.items(), (ranked, ranked_subsets), strict=True):
        content = {"version": CIRR_VERSION, "metric": metric}
        for query, ranking in zip(benchmark.queries, rankings, strict=True):
            content[query.id] = list(ranking[:length])
        paths.append(_write(Path(folder) / f"{metric}.json", content, benchmark))
    return paths[0], paths[1]


def write_circo(path: str | Path, benchmark: Benchmark, ranked: Sequence[Sequence[str]]) -> Path:
    """Writes the file. The ranking is in the order of the benchmark's queries and at least 50 long.

    Raises:
        InputError: the server would refuse a ranking.
    """
    content = {
        query.id: [int(id) for id in ranking[:CIRCO_LENGTH]]
        for query, ranking in zip(benchmark.queries, ranked, strict=True)
    }
    return _write(Path(path), content, benchmark)


def check(
    path: str | Path, benchmark: Benchmark | None = None, circo_queries: Sequence[Query] | None = None
) -> str:
    """Checks a file for either server and returns a line that describes it. Query ids and images are checked
    only against a given `benchmark` (CIRR test1, CIRCO test). Given `circo_queries`, which can be read
    without COCO's list of images, query ids alone are checked.

    Raises:
        InputError: the first reason for which a server would refuse the file or score it wrongly.
    """
    path = Path(path)
    return _check(path, read_local(path), benchmark, circo_queries)


def _write(path: Path, content: Mapping[str, object], benchmark: Benchmark) -> Path:
    encoded = json.dumps(content, separators=(",", ":")).encode()
    _check(path, encoded, benchmark)
    with replacing(path) as unfinished:
        unfinished.write_bytes(encoded)
    return path


def _check(
    path: Path, encoded: bytes, benchmark: Benchmark | None, circo_queries: Sequence[Query] | None = None
) -> str:
    content = _parse(path, encoded)
    is_cirr = "version" in content or "metric" in content
    if benchmark is not None:
        if benchmark.partial is not None:
            raise InputError(f"{path}: a partial run of {benchmark.name} can't be submitted")
        if (benchmark.name, benchmark.split) not in SERVER_SPLITS:
            raise InputError(f"{path}: there is no server for {benchmark.name} {benchmark.split}")
        for_circo = benchmark.name == "circo"
        queries = benchmark.queries
    else:
        for_circo = circo_queries is not None or not is_cirr
        queries = circo_queries
    if is_cirr and for_circo:
        raise InputError(f"{path}: a file for CIRR, not for CIRCO")
    if for_circo:
        return _check_circo(path, content, queries, benchmark)
    return _check_cirr(path, content, len(encoded), benchmark)


def _check_cirr(path: Path, content: dict, size: int, benchmark: Benchmark | None) -> str:
    version, metric = content.pop("version", None), content.pop("metric", None)
    if version != CIRR_VERSION:
        raise InputError(f"{path}: version: {version!r:.60} instead of {CIRR_VERSION!r}")
    if not isinstance(metric, str) or metric not in CIRR_LENGTHS:
        raise InputError(f"{path}: metric: {metric!r:.60} is not one of {', '.join(CIRR_LENGTHS)}")
    if size > CIRR_BYTES:
        raise InputError(f"{path}: {size} bytes, over the server's limit of {CIRR_BYTES}")
    _check_keys(path, content, CIRR_QUERIES, benchmark and benchmark.queries)
    _check_lists(path, content, CIRR_LENGTHS[metric], str)
    for id, images in content.items():
        if suffixed := [image for image in images if image.endswith(".png")]:
            raise InputError(f"{path}: query {id}: {suffixed[0]!r} must be named without its suffix")
    if benchmark is None:
        return f"CIRR {metric}: {len(content)} queries; image names and query ids not checked"
    gallery = frozenset(benchmark.galleries["all"])
    for query in benchmark.queries:
        allowed = query.subset if metric == "recall_subset" else gallery
        for image in content[query.id]:
            if image == query.reference:
                raise InputError(f"{path}: query {query.id}: the reference {image!r} is ranked")
            if image not in allowed:
                reason = "not of its image set" if image in gallery else "not an image of the split"
                raise InputError(f"{path}: query {query.id}: {image!r} is {reason}")
    return f"CIRR {metric}: {len(content)} queries, all checked"


def _check_circo(
    path: Path, content: dict, queries: Sequence[Query] | None, benchmark: Benchmark | None
) -> str:
    _check_keys(path, content, CIRCO_QUERIES, queries)
    if wrong := content.keys() - set(map(str, range(CIRCO_QUERIES))):
        raise InputError(f"{path}: query id {min(wrong)!r:.60} is not one of 0 to {CIRCO_QUERIES - 1}")
    _check_lists(path, content, CIRCO_LENGTH, int)
    if benchmark is None:
        return f"CIRCO: {len(content)} queries; image numbers not checked"
    gallery = frozenset(benchmark.galleries["all"])
    for id, images in content.items():
        for image in images:
            if str(image) not in gallery:
                raise InputError(f"{path}: query {id}: {image} is not an image of unlabeled2017")
    return f"CIRCO: {len(content)} queries, all checked"


def _check_keys(path: Path, content: dict, number: int, queries: Sequence[Query] | None) -> None:
    if queries is not None:
        ids = {query.id for query in queries}
        for problem, keys in (("missing", ids - content.keys()), ("unknown", content.keys() - ids)):
            if keys:
                some = [f"{key:.60}" for key in sorted(keys)[:3]] + ["..."] * (len(keys) > 3)
                raise InputError(f"{path}: {len(keys)} {problem} query ids: {', '.join(some)}")
    elif len(content) != number:
        raise InputError(f"{path}: {len(content)} queries instead of {number}")
    for id in content:
        if not _NUMBER.fullmatch(id):
            raise InputError(f"{path}: query id {id!r:.60} is not a whole number")


def _check_lists(path: Path, content: dict, length: int, kind: type) -> None:
    for id, images in content.items():
        if not isinstance(images, list):
            raise InputError(f"{path}: query {id}: {images!r:.60} is not a list")
        if len(images) != length:
            raise InputError(f"{path}: query {id}: {len(images)} images instead of {length}")
        for image in images:
            if type(image) is not kind:
                wanted = "a name" if kind is str else "a number"
                raise InputError(f"{path}: query {id}: image {image!r:.60} is not {wanted}")
        if len(set(images)) != length:
            twice = next(image for image in images if images.count(image) > 1)
            raise InputError(f"{path}: query {id}: image {twice!r} is ranked twice")


def _parse(path: Path, encoded: bytes) -> dict:
    def unique(pairs: list[tuple[str, object]]) -> dict:
        content = dict(pairs)
        if len(content) != len(pairs):
            keys = [key for key, _ in pairs]
            twice = next(key for key in keys if keys.count(key) > 1)
            raise InputError(f"{path}: query id {twice!r} appears twice")
        return content

    content = parse_json(encoded, str(path), pairs=unique)
    if not isinstance(content, dict):
        raise InputError(f"{path}: not a JSON object")
    return content
