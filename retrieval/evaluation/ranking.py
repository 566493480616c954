"""From vectors to a report: a benchmark's metrics for composed, image-only and text-only queries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from retrieval.benchmarks import Benchmark, Query
from retrieval.evaluation import metrics
from retrieval.evaluation.metrics import Similarity
from retrieval.systems.scores import dot

LEFT_OUT = "left out of the median rank"
"""Name of the number of queries whose target is the excluded reference, and so has no rank. For recall they
count as not found."""


@dataclass(frozen=True)
class Ranking:
    """The positions of each query's right answers (see `metrics`), in the order of the benchmark's
    queries."""

    target: Int[Tensor, " q"]
    """Position of the labelled target in the gallery, or among the query's candidates."""
    targets: Int[Tensor, "q g"]
    """Positions of all targets in the gallery, in ascending order."""
    relevant: Int[Tensor, " q"]
    """How many targets there are."""
    subset: Int[Tensor, " q"]
    """Position of the labelled target in the query's subset; 0 where it has none."""


def evaluate(
    benchmark: Benchmark,
    queries: Float[Tensor, "q ..."],
    pictures: Float[Tensor, "p ..."],
    similarity: Similarity = dot,
    image_features: Float[Tensor, "p d"] | None = None,
    text_features: Float[Tensor, "q d"] | None = None,
) -> dict:
    """The report of one model: the protocol, and a row of figures for the composed queries. Given normalised
    features of pictures and texts in one space, also rows for the reference alone and for the text alone.

    `queries` are in the order of `benchmark.queries`, `pictures` in that of `benchmark.picture_ids`.

    Raises:
        ValueError: a tensor of the wrong length, a vector that isn't finite, or hidden targets.
    """
    rows = {"composed": summarise(benchmark, rank(benchmark, queries, pictures, similarity))}
    if image_features is not None and text_features is not None:
        references = image_features[[benchmark.row[query.reference] for query in benchmark.queries]]
        rows["image only"] = summarise(benchmark, rank(benchmark, references, image_features))
        rows["text only"] = summarise(benchmark, rank(benchmark, text_features, image_features))
    return {"protocol": benchmark.protocol, "partial": benchmark.partial is not None, "rows": rows}


def rank(
    benchmark: Benchmark,
    queries: Float[Tensor, "q ..."],
    pictures: Float[Tensor, "p ..."],
    similarity: Similarity = dot,
) -> Ranking:
    """Ranks the targets of every query in the gallery of its part. Raises as `evaluate`."""
    if not benchmark.labelled:
        raise ValueError(
            f"{benchmark.name} {benchmark.split} hides its targets: only its server can score it"
        )
    width = max(len(query.targets) for query in benchmark.queries)
    target, relevant, subset = torch.zeros(3, len(queries), dtype=torch.long)
    targets = torch.zeros(len(queries), width, dtype=torch.long)
    for chunk in _score(benchmark, queries, pictures, similarity):
        right = chunk.columns([query.targets for query in chunk.queries], width)
        excluded = chunk.references() if benchmark.exclude_reference else None
        in_gallery = metrics.positions(chunk.scores, right, excluded)
        if width == 1:
            first = in_gallery[:, 0]
        else:
            first = metrics.positions(chunk.scores, right[:, :1], excluded)[:, 0]
        if chunk.queries[0].candidates:
            candidates = chunk.columns([query.candidates for query in chunk.queries])
            first = metrics.positions_among(chunk.scores, right[:, 0], candidates)
        if chunk.queries[0].subset:
            members = chunk.columns([query.subset for query in chunk.queries])
            subset[chunk.rows] = metrics.positions_among(chunk.scores, right[:, 0], members).cpu()
        target[chunk.rows], targets[chunk.rows] = first.cpu(), in_gallery.cpu()
        relevant[chunk.rows] = (right >= 0).sum(1).cpu()
    return Ranking(target, targets, relevant, subset)


def summarise(benchmark: Benchmark, ranking: Ranking) -> dict:
    """All figures of a row, in per cent: unweighted means over the parts, then those of each part and each
    tag. The headline is the mean of the metrics that `benchmark.headline` names."""
    queries = benchmark.queries
    parts = {
        part: _figures(benchmark, ranking, [query.part == part for query in queries])
        for part in benchmark.galleries
    }
    names = next(iter(parts.values()))
    row: dict = {name: sum(figures[name] for figures in parts.values()) / len(parts) for name in names}
    row |= _median_rank(ranking.target)
    row["headline"] = sum(row[name] for name in benchmark.headline) / len(benchmark.headline)
    if len(parts) > 1:
        row["parts"] = parts
    if tags := sorted({tag for query in queries for tag in query.tags}):
        row["tags"] = {}
        for tag in tags:
            chosen = [tag in query.tags for query in queries]
            median_rank = _median_rank(ranking.target[torch.tensor(chosen)])
            row["tags"][tag] = {**_figures(benchmark, ranking, chosen), **median_rank}
    return row


def ranked_ids(
    benchmark: Benchmark,
    queries: Float[Tensor, "q ..."],
    pictures: Float[Tensor, "p ..."],
    k: int,
    similarity: Similarity = dot,
) -> list[tuple[str, ...]]:
    """The ids of the k best pictures of each query's gallery, best first, without the reference where the
    protocol excludes it.

    Raises:
        ValueError: a gallery has fewer than k pictures to rank, and as `evaluate`.
    """
    ranked: list[tuple[str, ...]] = [()] * len(queries)
    for chunk in _score(benchmark, queries, pictures, similarity):
        available = len(chunk.gallery) - benchmark.exclude_reference
        if k > available:
            raise ValueError(f"the gallery has {available} pictures to rank, not {k}")
        excluded = chunk.references() if benchmark.exclude_reference else None
        for row, best in zip(chunk.rows, metrics.top_k(chunk.scores, k, excluded).tolist(), strict=True):
            ranked[row] = tuple(chunk.gallery[column] for column in best)
    return ranked


def ranked_subsets(
    benchmark: Benchmark,
    queries: Float[Tensor, "q ..."],
    pictures: Float[Tensor, "p ..."],
    k: int,
    similarity: Similarity = dot,
) -> list[tuple[str, ...]]:
    """The ids of the k best pictures of each query's subset, best first. Raises as `ranked_ids`."""
    ranked: list[tuple[str, ...]] = [()] * len(queries)
    for chunk in _score(benchmark, queries, pictures, similarity):
        for row, query, scores in zip(chunk.rows, chunk.queries, chunk.scores, strict=True):
            if k > len(query.subset):
                raise ValueError(f"query {query.id}: its subset has {len(query.subset)} pictures, not {k}")
            members = scores[[chunk.column[id] for id in query.subset]]
            ranked[row] = tuple(query.subset[i] for i in members.topk(k).indices.tolist())
    return ranked


@dataclass(frozen=True)
class _Chunk:
    """Some queries of one part, and their scores with that part's gallery."""

    rows: list[int]
    queries: list[Query]
    gallery: Sequence[str]
    column: Mapping[str, int]
    scores: Float[Tensor, "b n"]

    def columns(self, ids: Sequence[Sequence[str]], width: int = 0) -> Int[Tensor, "b m"]:
        """The gallery columns of lists of pictures, padded with -1."""
        width = max(width, *map(len, ids))
        rows = [[self.column[id] for id in some] + [-1] * (width - len(some)) for some in ids]
        return torch.tensor(rows, device=self.scores.device)

    def references(self) -> Int[Tensor, " b"]:
        columns = [self.column.get(query.reference, -1) for query in self.queries]
        return torch.tensor(columns, device=self.scores.device)


def _score(
    benchmark: Benchmark, queries: Tensor, pictures: Tensor, similarity: Similarity
) -> Iterator[_Chunk]:
    for name, vectors, number in (
        ("queries", queries, len(benchmark.queries)),
        ("pictures", pictures, len(benchmark.picture_ids)),
    ):
        if len(vectors) != number:
            raise ValueError(
                f"{len(vectors)} vectors for {number} {name} of {benchmark.name} {benchmark.split}"
            )
        # a finite sum has only finite terms, and is ten times faster than testing each
        if not vectors.sum().isfinite() and not vectors.isfinite().all():
            raise ValueError(f"the vectors of the {name} are not all finite")
    for part, gallery in benchmark.galleries.items():
        rows = [row for row, query in enumerate(benchmark.queries) if query.part == part]
        picture_rows = [benchmark.row[id] for id in gallery]
        first, last = picture_rows[0], picture_rows[-1] + 1
        consecutive = picture_rows == list(range(first, last))
        # a slice is a view and copies nothing
        vectors = pictures[first:last] if consecutive else pictures[picture_rows]
        column = {id: column for column, id in enumerate(gallery)}
        for some, scores in metrics.score_chunks(queries[rows], vectors, similarity):
            chunk = [benchmark.queries[row] for row in rows[some]]
            yield _Chunk(rows[some], chunk, gallery, column, scores)


def _median_rank(positions: Int[Tensor, " q"]) -> dict[str, float | int | None]:
    """The median rank of the target and, if there are any, the number of queries without a rank."""
    never = int((positions == metrics.NEVER).sum())
    return {"median rank": metrics.median_rank(positions), **({LEFT_OUT: never} if never else {})}


def _figures(benchmark: Benchmark, ranking: Ranking, chosen: Sequence[bool]) -> dict[str, float]:
    rows = torch.tensor(chosen).nonzero().squeeze(1)
    return {
        **{f"R@{k}": metrics.recall(ranking.target[rows], k) for k in benchmark.recall_at},
        **{f"R_subset@{k}": metrics.recall(ranking.subset[rows], k) for k in benchmark.subset_recall_at},
        **{
            f"mAP@{k}": metrics.mean_average_precision(ranking.targets[rows], ranking.relevant[rows], k)
            for k in benchmark.map_at
        },
    }
