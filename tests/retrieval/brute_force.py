"""The metrics' definitions, read word by word and computed the slow way: one query, one list at a time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def ranking(
    scores: Sequence[float], ids: Sequence[str], right: Sequence[str], excluded: str | None = None
) -> list[str]:
    """The ids by falling score; among equal scores, wrong answers first."""
    ids = np.asarray(ids)
    ranked = ids[np.lexsort((np.isin(ids, right), -np.asarray(scores)))]
    return ranked[ranked != excluded].tolist() if excluded is not None else ranked.tolist()


def recall(rankings: Sequence[Sequence[str]], targets: Sequence[str], k: int) -> float:
    hits = sum(target in ranked[:k] for ranked, target in zip(rankings, targets, strict=True))
    return 100 * hits / len(targets)


def average_precision(ranked: Sequence[str], ground_truths: Sequence[str], k: int) -> float:
    total, hits = 0.0, 0
    for place, id in enumerate(ranked[:k], 1):
        if id in ground_truths:
            hits += 1
            total += hits / place
    return total / min(len(ground_truths), k)


def mean_average_precision(
    rankings: Sequence[Sequence[str]], ground_truths: Sequence[Sequence[str]], k: int
) -> float:
    averages = [
        average_precision(ranked, truths, k) for ranked, truths in zip(rankings, ground_truths, strict=True)
    ]
    return 100 * sum(averages) / len(averages)
