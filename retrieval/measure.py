"""A model on a benchmark: from the pictures on the disk to a report's rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize
from tqdm import tqdm

from cdd_icm.data import PictureCache
from retrieval.benchmarks import Benchmark
from retrieval.evaluate import evaluate, rank, summarise
from retrieval.model import RetrievalModel

ROWS = ("composed", "image only", "text only")
"""Of a report: the queries, and what they find without their texts or without their pictures."""


@dataclass(frozen=True)
class Encoded:
    """A benchmark's vectors of one model."""

    pictures: Float[Tensor, "p ..."]
    """In the order of `benchmark.picture_ids`."""
    queries: Mapping[str, Float[Tensor, "q E"]]
    """By row, such as `composed`, in the order of `benchmark.queries`."""


def measure(
    model: RetrievalModel, benchmark: Benchmark, batch_size: int = 64, cache_dir: str | Path | None = None
) -> dict[str, Any]:
    """The report of `evaluate`: the composed queries, and beside them those that lack the text or the
    picture. `benchmark` must have its pictures (see `images.resolve`).

    Raises:
        InputError: a picture can't be decoded.
    """
    encoded = encode(model, benchmark, ROWS, batch_size, cache_dir)
    pictures, score = encoded.pictures, model.composer.score
    report = evaluate(benchmark, encoded.queries["composed"], pictures, score)
    for row in ROWS[1:]:
        report["rows"][row] = summarise(benchmark, rank(benchmark, encoded.queries[row], pictures, score))
    return report


def encode(
    model: RetrievalModel,
    benchmark: Benchmark,
    rows: Sequence[str] = ROWS[:1],
    batch_size: int = 64,
    cache_dir: str | Path | None = None,
) -> Encoded:
    """The vectors of the benchmark's pictures and, for some of `ROWS`, of its queries, whose targets may be
    hidden; raises as `measure`."""
    found = [benchmark.pictures[id] for id in benchmark.picture_ids]
    folder = Path(cache_dir) if cache_dir else None
    cache = PictureCache.open_or_build(folder, found, model.image_size)
    keys = {id: picture.key for id, picture in zip(benchmark.picture_ids, found, strict=True)}

    def stored(ids: Sequence[str]) -> Tensor:
        return torch.from_numpy(np.stack([cache[keys[id]] for id in ids]))

    ids, queries = benchmark.picture_ids, benchmark.queries
    pictures = []
    vectors = {row: torch.empty(len(queries), model.width) for row in rows}
    with tqdm(total=len(ids) + len(queries), desc="encoding", unit="items") as bar:
        for start in range(0, len(ids), batch_size):
            pictures.append(model.encode_gallery(stored(ids[start : start + batch_size])).cpu())
            bar.update(len(pictures[-1]))
        for start in range(0, len(queries), batch_size):
            part = slice(start, start + batch_size)
            some = queries[part]
            seen = stored([query.reference for query in some])
            texts = [list(query.texts) for query in some]
            past = [query.history for query in some]
            for row in rows:
                if row == "image only":
                    vectors[row][part] = model.encode_query(seen, None).cpu()
                else:
                    vectors[row][part] = _of_wordings(model, seen if row == "composed" else None, texts, past)
            bar.update(len(some))
    return Encoded(torch.cat(pictures), vectors)


def _of_wordings(
    model: RetrievalModel, seen: Tensor | None, texts: list[list[str]], past: list[tuple[str, ...]]
) -> Float[Tensor, "b E"]:
    """Each query's mean direction over its wordings."""
    owner = torch.tensor([row for row, wordings in enumerate(texts) for _ in wordings])
    flat = [text for wordings in texts for text in wordings]
    pictures = None if seen is None else seen[owner]
    vectors = model.encode_query(pictures, flat, [past[row] for row in owner.tolist()]).cpu()
    if len(flat) == len(texts):
        return vectors
    return normalize(torch.zeros(len(texts), model.width).index_add_(0, owner, vectors), dim=-1)
