"""Measures a model on a benchmark: from pictures on disk to the rows of a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from cdd_icm.progress import Progress
from retrieval.benchmarks import Benchmark
from retrieval.evaluation.ranking import evaluate, rank, summarise
from retrieval.features import BLANK, Features, FrozenFeatures, preprocessed
from retrieval.model import RetrievalModel
from retrieval.systems.base import Inputs

ROWS = ("composed", "image only", "text only")
"""The rows of a report: the queries whole, without their texts, and without their pictures."""


@dataclass(frozen=True)
class Encoded:
    """One model's vectors for a benchmark."""

    pictures: Float[Tensor, "p ..."]
    """In the order of `benchmark.picture_ids`."""
    queries: Mapping[str, Float[Tensor, "q E"]]
    """By row, such as `composed`, in the order of `benchmark.queries`."""


def measure(
    model: RetrievalModel,
    benchmark: Benchmark,
    batch_size: int = 64,
    cache_dir: str | Path | None = None,
    frozen: bool = False,
) -> dict[str, Any]:
    """The report of `ranking.evaluate`, with a row of figures for each of `ROWS`. `benchmark` must have its
    pictures (see `images.resolve`).

    Args:
        cache_dir: cache of decoded pictures and of features; None is the user's cache folder.
        frozen: whether the backbone was frozen in training. Its features are then cached, because other
            models share it. Those of a trained backbone are not, because every checkpoint would add its own.

    Raises:
        InputError: a picture can't be decoded.
    """
    encoded = encode(model, benchmark, ROWS, batch_size, cache_dir, frozen)
    pictures, score = encoded.pictures, model.composer.score
    report = evaluate(benchmark, encoded.queries["composed"], pictures, score)
    for row in ROWS[1:]:
        report["rows"][row] = summarise(benchmark, rank(benchmark, encoded.queries[row], pictures, score))
    return report


@torch.no_grad()
def encode(
    model: RetrievalModel,
    benchmark: Benchmark,
    rows: Sequence[str] = ROWS[:1],
    batch_size: int = 64,
    cache_dir: str | Path | None = None,
    frozen: bool = False,
) -> Encoded:
    """The vectors of the benchmark's pictures and, for each of `rows`, of its queries, whose targets may be
    hidden. Other arguments and errors are those of `measure`."""
    ids, queries, composer = benchmark.picture_ids, benchmark.queries, model.composer
    found = [benchmark.pictures[id] for id in ids]
    folder = Path(cache_dir) if cache_dir else None
    cache = preprocessed(folder, model, found)
    keys = [picture.key for picture in found]
    references = [keys[benchmark.row[query.reference]] for query in queries]
    prompts = [[model.prompt(text, query.history) for text in query.texts] for query in queries]
    features = Features(model, cache)
    if frozen:
        sides = ((references, composer.query_inputs), (keys, composer.gallery_inputs))
        used = [key for side, inputs in sides if inputs & Inputs.FEATURES for key in side]
        features = FrozenFeatures(folder, model, cache, used, [text for texts in prompts for text in texts])

    def encode_gallery(keys: list[str]) -> Float[Tensor, "b ..."]:
        return composer.encode_gallery(features.images(keys, composer.gallery_inputs)).float().cpu()

    def encode_query(references: list[str], prompts: list[list[str]]) -> Float[Tensor, "b E"]:
        """The normalised mean of each query's vectors over its wordings."""
        owner = [row for row, texts in enumerate(prompts) for _ in texts]
        text = features.texts([text for texts in prompts for text in texts])
        images = features.images(references, composer.query_inputs)
        vectors = composer.encode_query(images[owner], text).float().cpu()
        if len(owner) == len(prompts):
            return vectors
        total = torch.zeros(len(prompts), model.width).index_add_(0, torch.tensor(owner), vectors)
        return normalize(total, dim=-1)

    pictures = []
    vectors = {row: torch.empty(len(queries), model.width) for row in rows}
    with Progress(total=len(ids) + len(queries), desc="encoding", unit="items") as bar:
        for start in range(0, len(ids), batch_size):
            pictures.append(encode_gallery(keys[start : start + batch_size]))
            bar.update(len(pictures[-1]))
        for start in range(0, len(queries), batch_size):
            part = slice(start, start + batch_size)
            n = len(references[part])
            for row in rows:
                vectors[row][part] = encode_query(
                    [BLANK] * n if row == "text only" else references[part],
                    [[""]] * n if row == "image only" else prompts[part],
                )
            bar.update(n)
    return Encoded(torch.cat(pictures), vectors)
