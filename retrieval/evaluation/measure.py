"""Measures a model on a benchmark: from pictures on disk to the rows of a report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from cdd_icm.device import process_state
from cdd_icm.progress import Progress
from retrieval.benchmarks import Benchmark
from retrieval.evaluation.ranking import evaluate, rank, summarise
from retrieval.features import BLANK, Features, FrozenFeatures, preprocessed
from retrieval.model import RetrievalModel
from retrieval.systems.base import Inputs

ROWS = ("composed", "image only", "text only")
"""The rows of a report: the queries whole, without their texts, and without their pictures."""


def in_this_process(function: Callable[[Sequence[int]], list[Any]], items: Sequence[int]) -> list[Any]:
    """`function(items)`, as `Coordinator.spread` of one process."""
    return function(items)


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
    return report(model, benchmark, encode(model, benchmark, ROWS, batch_size, cache_dir, frozen))


def report(model: RetrievalModel, benchmark: Benchmark, encoded: Encoded) -> dict[str, Any]:
    """What `measure` returns, of vectors for all of `ROWS`."""
    pictures, score = encoded.pictures, model.composer.score
    figures = evaluate(benchmark, encoded.queries["composed"], pictures, score)
    for row in ROWS[1:]:
        figures["rows"][row] = summarise(benchmark, rank(benchmark, encoded.queries[row], pictures, score))
    return figures


@torch.no_grad()
def encode(
    model: RetrievalModel,
    benchmark: Benchmark,
    rows: Sequence[str] = ROWS[:1],
    batch_size: int = 64,
    cache_dir: str | Path | None = None,
    frozen: bool = False,
    spread: Callable[[Callable[[Sequence[int]], list[Any]], Sequence[int]], list[Any]] = in_this_process,
) -> Encoded:
    """The vectors of the benchmark's pictures and, for each of `rows`, of its queries, whose targets may be
    hidden. `spread` shares the batches among processes, see `Coordinator.spread`. Other arguments and errors
    are those of `measure`."""
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

    main = process_state().is_main_process

    def encode_pictures(starts: Sequence[int]) -> list[Float[Tensor, "b ..."]]:
        bar = Progress(starts, desc="encoding pictures", unit="batches", disable=not main)
        return [encode_gallery(keys[start : start + batch_size]) for start in bar]

    def encode_queries(starts: Sequence[int]) -> list[dict[str, Float[Tensor, "b E"]]]:
        return [
            {
                row: encode_query(
                    [BLANK] * len(references[part]) if row == "text only" else references[part],
                    [[""]] * len(references[part]) if row == "image only" else prompts[part],
                )
                for row in rows
            }
            for start in Progress(starts, desc="encoding queries", unit="batches", disable=not main)
            for part in [slice(start, start + batch_size)]
        ]

    pictures = torch.cat(spread(encode_pictures, range(0, len(ids), batch_size)))
    batches = spread(encode_queries, range(0, len(queries), batch_size))
    if not batches:
        return Encoded(pictures, {row: torch.empty(0, model.width) for row in rows})
    return Encoded(pictures, {row: torch.cat([batch[row] for batch in batches]) for row in rows})
