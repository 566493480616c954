"""Exact ranking and the field's metrics. Ties always count against the right answer.

Ranks and positions start at 1. Figures are percentages. Pictures and queries are given by their row; -1 pads
rows of unequal length.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from statistics import median

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from retrieval.systems.scores import dot

Similarity = Callable[[Tensor, Tensor], Tensor]
"""(queries (b, ...), pictures (n, ...)) -> scores (b, n); higher is more similar."""

SCORE_BYTES = 2**28
"""Memory for the scores of one chunk of queries; a chunk has at least one query."""

COUNT_BYTES = 2**20
"""About the size of a core's cache."""

NEVER = torch.iinfo(torch.int64).max
"""The position of a picture that is not ranked: beyond every K."""


def score_chunks(
    queries: Float[Tensor, "q ..."],
    pictures: Float[Tensor, "n ..."],
    similarity: Similarity = dot,
    score_bytes: int = SCORE_BYTES,
) -> Iterator[tuple[slice, Float[Tensor, "b n"]]]:
    """The scores of all queries with every picture, chunk by chunk: the rows of the queries, and their
    scores."""
    step = max(1, score_bytes // (4 * len(pictures)))
    for start in range(0, len(queries), step):
        rows = slice(start, min(start + step, len(queries)))
        yield rows, similarity(queries[rows], pictures)


def positions(
    scores: Float[Tensor, "b n"], relevant: Int[Tensor, "b g"], excluded: Int[Tensor, " b"] | None = None
) -> Int[Tensor, "b g"]:
    """The positions of each query's relevant pictures in its ranking, in ascending order; `NEVER` for a -1.

    Relevant pictures are ranked among each other by their scores. Any other picture comes before a relevant
    one unless it scores lower, also if its score is NaN. The picture `excluded` is left out of the ranking:
    if it is relevant itself, its position is `NEVER`.
    """
    n = scores.shape[1]
    absent = relevant < 0
    if excluded is not None:
        absent = absent | (relevant == excluded[:, None])
    wanted = scores.gather(1, relevant.clamp(min=0)).masked_fill(absent, -torch.inf)
    wanted = wanted.sort(dim=1, descending=True).values
    # not (s < t) rather than s >= t, so that NaN counts against the target
    ahead = torch.stack([n - _lower(scores, score) for score in wanted.T], dim=1)
    relevant_ahead = (~(wanted[:, None, :] < wanted[:, :, None]) & _present(absent)[:, None, :]).sum(2)
    ahead -= relevant_ahead
    if excluded is not None:
        reference = scores.gather(1, excluded.clamp(min=0)[:, None])
        ahead -= (~(reference < wanted) & (excluded >= 0)[:, None]).long()
    position = ahead + torch.arange(1, wanted.shape[1] + 1, device=scores.device)
    return torch.where(_present(absent), position, NEVER)


def positions_among(
    scores: Float[Tensor, "b n"], target: Int[Tensor, " b"], members: Int[Tensor, "b m"]
) -> Int[Tensor, " b"]:
    """The target's position among `members`, which include it."""
    score = scores.gather(1, target[:, None])
    behind = scores.gather(1, members.clamp(min=0)) < score
    return ((members >= 0) & (members != target[:, None]) & ~behind).sum(1) + 1


def top_k(
    scores: Float[Tensor, "b n"], k: int, excluded: Int[Tensor, " b"] | None = None
) -> Int[Tensor, "b k"]:
    """The k pictures with the highest scores, best first, without `excluded`, whose score in `scores` is
    overwritten."""
    if excluded is not None:
        some = (excluded >= 0).nonzero().squeeze(1)
        scores[some, excluded[some]] = -torch.inf
    return scores.topk(k, dim=1).indices


def recall(ranks: Int[Tensor, " q"], k: int) -> float:
    """Share of queries whose target is among the first k."""
    return 100 * int((ranks <= k).sum()) / len(ranks)


def median_rank(ranks: Int[Tensor, " q"]) -> float | None:
    """The median position of the target over the queries whose target is ranked; None if there is none."""
    ranked = ranks[ranks != NEVER].tolist()
    return float(median(ranked)) if ranked else None


def mean_average_precision(ranks: Int[Tensor, "q g"], relevant: Int[Tensor, " q"], k: int) -> float:
    """mAP@K as CIRCO defines it (Baldrati et al. 2023): the precisions at the positions of the relevant
    pictures among the first K, summed, over min(number of relevant pictures, K). `ranks` are as from
    `positions`."""
    total = torch.zeros(len(ranks), dtype=torch.float64, device=ranks.device)
    for found, rank in enumerate(ranks.T, 1):
        total += torch.where(rank <= k, found / rank.double(), 0.0)
    averages = total / relevant.clamp(max=k)
    return 100 * sum(averages.tolist()) / len(averages)


def _lower(scores: Float[Tensor, "b n"], limit: Float[Tensor, " b"]) -> Int[Tensor, " b"]:
    """How many scores of each row are lower than its limit. Counting in floats is several times faster than
    in booleans; float32 holds every integer up to 2^24. On a CPU, a few rows at a time stay in the cache
    until they are summed."""
    kind = torch.float32 if scores.shape[1] <= 2**24 else torch.float64
    step = max(1, COUNT_BYTES // (4 * scores.shape[1])) if scores.device.type == "cpu" else len(scores)
    lower = torch.empty(step, scores.shape[1], device=scores.device)
    counts = []
    for some, limits in zip(scores.split(step), limit.split(step), strict=True):
        torch.lt(some, limits[:, None], out=lower[: len(some)])
        counts.append(lower[: len(some)].sum(1, dtype=kind))
    return torch.cat(counts).long()


def _present(absent: Bool[Tensor, "b g"]) -> Bool[Tensor, "b g"]:
    """Which columns hold pictures once each row is sorted: absent ones, at -inf, come last."""
    number = (~absent).sum(1, keepdim=True)
    return torch.arange(absent.shape[1], device=absent.device) < number
