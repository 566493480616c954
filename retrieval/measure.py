"""A model on a benchmark: from the pictures on the disk to a report's rows."""

from __future__ import annotations

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


def measure(
    model: RetrievalModel, benchmark: Benchmark, batch_size: int = 64, cache_dir: str | Path | None = None
) -> dict[str, Any]:
    """The report of `evaluate`: the composed queries, and beside them those that lack the text or the
    picture. `benchmark` must have its pictures (see `images.resolve`).

    Raises:
        InputError: a picture can't be decoded.
    """
    found = [benchmark.pictures[id] for id in benchmark.picture_ids]
    folder = Path(cache_dir) if cache_dir else None
    cache = PictureCache.open_or_build(folder, found, model.image_size)
    keys = {id: picture.key for id, picture in zip(benchmark.picture_ids, found, strict=True)}

    def stored(ids: list[str]) -> Tensor:
        return torch.from_numpy(np.stack([cache[keys[id]] for id in ids]))

    ids, queries = benchmark.picture_ids, benchmark.queries
    encoded = []
    vectors = {row: torch.empty(len(queries), model.width) for row in ("composed", "image only", "text only")}
    with tqdm(total=len(ids) + len(queries), desc="encoding", unit="items") as bar:
        for start in range(0, len(ids), batch_size):
            rows = slice(start, start + batch_size)
            encoded.append(model.encode_gallery(stored(list(ids[rows]))).cpu())
            bar.update(len(encoded[-1]))
        for start in range(0, len(queries), batch_size):
            rows = slice(start, start + batch_size)
            some = queries[rows]
            seen = stored([query.reference for query in some])
            texts = [list(query.texts) for query in some]
            past = [query.history for query in some]
            vectors["image only"][rows] = model.encode_query(seen, None).cpu()
            vectors["composed"][rows] = _of_wordings(model, seen, texts, past)
            vectors["text only"][rows] = _of_wordings(model, None, texts, past)
            bar.update(len(some))
    pictures, score = torch.cat(encoded), model.composer.score
    report = evaluate(benchmark, vectors.pop("composed"), pictures, score)
    report["rows"] |= {
        row: summarise(benchmark, rank(benchmark, of, pictures, score)) for row, of in vectors.items()
    }
    return report


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
