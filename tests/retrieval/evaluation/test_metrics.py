from __future__ import annotations

import pytest
import torch

from retrieval.evaluation import metrics
from tests.retrieval import brute_force

IDS = [str(i) for i in range(60)]


def tied_scores(queries: int, seed: int = 0) -> torch.Tensor:
    """Scores of few different values, so that most are tied."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 12, (queries, len(IDS)), generator=generator).float()


def random_targets(queries: int, width: int, seed: int = 1) -> torch.Tensor:
    """1 to `width` different pictures a query, then -1."""
    generator = torch.Generator().manual_seed(seed)
    rows = torch.stack([torch.randperm(len(IDS), generator=generator)[:width] for _ in range(queries)])
    number = torch.randint(1, width + 1, (queries, 1), generator=generator)
    return torch.where(torch.arange(width) < number, rows, -1)


@pytest.mark.parametrize("excluding", [False, True])
def test_positions_and_figures_equal_the_definitions_on_tied_scores(excluding):
    scores, targets = tied_scores(300), random_targets(300, 5)
    excluded = (
        torch.randint(-1, 60, (300,), generator=torch.Generator().manual_seed(2)) if excluding else None
    )
    places = metrics.positions(scores, targets, excluded)
    firsts = metrics.positions(scores, targets[:, :1], excluded)[:, 0]

    right = [[IDS[i] for i in row if i >= 0] for row in targets.tolist()]
    left_out = [IDS[i] if i >= 0 else None for i in excluded.tolist()] if excluding else [None] * 300
    rankings = [
        brute_force.ranking(row, IDS, truths, out)
        for row, truths, out in zip(scores.tolist(), right, left_out, strict=True)
    ]
    for row, ranked, truths, out in zip(places.tolist(), rankings, right, left_out, strict=True):
        found = [ranked.index(id) + 1 for id in truths if id != out]
        assert row == sorted(found) + [metrics.NEVER] * (5 - len(found))

    single = [
        brute_force.ranking(row, IDS, truths[:1], out)
        for row, truths, out in zip(scores.tolist(), right, left_out, strict=True)
    ]
    number = (targets >= 0).sum(1)
    for k in (1, 2, 5, 10, 50, 100):
        assert metrics.recall(firsts, k) == brute_force.recall(single, [row[0] for row in right], k)
        expected = brute_force.mean_average_precision(rankings, right, k)
        assert metrics.mean_average_precision(places, number, k) == expected


def test_map_divides_by_the_smaller_of_the_ground_truths_and_k():
    # found at 1 and 3 of three ground truths: (1/1 + 2/3) / 3 at K=10, and (1/1) / 2 at K=2
    scores = torch.tensor([[9.0, 8.0, 7.0, 6.0]])
    places = metrics.positions(scores, torch.tensor([[0, 2, -1]]))
    assert places.tolist() == [[1, 3, metrics.NEVER]]
    three = torch.tensor([3])
    assert metrics.mean_average_precision(places, three, 10) == pytest.approx(100 * (1 + 2 / 3) / 3)
    assert metrics.mean_average_precision(places, three, 2) == pytest.approx(100 * 1 / 2)


def test_position_among_members_counts_ties_against_the_target():
    scores = torch.tensor([[5.0, 5.0, 9.0, 1.0, 5.0]])
    members = torch.tensor([[0, 1, 3, -1]])
    assert metrics.positions_among(scores, torch.tensor([0]), members).tolist() == [2]
    assert metrics.positions_among(scores, torch.tensor([3]), members).tolist() == [3]


def test_a_constant_score_finds_nothing():
    """A collapsed model must not look perfect."""
    targets = torch.arange(60)[:, None]
    assert metrics.positions(torch.zeros(60, 60), targets).unique().tolist() == [60]
    assert metrics.positions(torch.full((60, 60), torch.nan), targets).unique().tolist() == [60]


def test_an_excluded_target_is_beyond_every_k():
    place = metrics.positions(torch.ones(1, 3), torch.tensor([[1]]), torch.tensor([1]))
    assert metrics.recall(place[:, 0], 1000) == 0


def test_chunks_are_bounded_and_make_the_whole():
    generator = torch.Generator().manual_seed(0)
    queries, pictures = torch.randn(50, 8, generator=generator), torch.randn(30, 8, generator=generator)
    chunks = list(metrics.score_chunks(queries, pictures, score_bytes=30 * 4 * 7))
    assert max(len(scores) for _, scores in chunks) == 7
    torch.testing.assert_close(torch.cat([scores for _, scores in chunks]), queries @ pictures.T)
    # a budget below one query's scores still goes on, one query at a time
    assert len(list(metrics.score_chunks(queries, pictures, score_bytes=1))) == 50


def test_top_k_is_the_head_of_the_ranking_without_the_excluded():
    scores = torch.randn(40, 60, generator=torch.Generator().manual_seed(3))
    excluded = torch.arange(-1, 39)
    expected = [
        brute_force.ranking(row, IDS, (), IDS[out] if out >= 0 else None)[:10]
        for row, out in zip(scores.tolist(), excluded.tolist(), strict=True)
    ]
    best = metrics.top_k(scores, 10, excluded)
    assert [[IDS[i] for i in row] for row in best.tolist()] == expected


def test_median_rank():
    assert metrics.median_rank(torch.tensor([1, 2, 9])) == 2
    assert metrics.median_rank(torch.tensor([1, 4])) == 2.5
    # a target that is the excluded reference has no rank, and is not averaged
    assert metrics.median_rank(torch.tensor([1, metrics.NEVER])) == 1
    assert metrics.median_rank(torch.tensor([metrics.NEVER])) is None
    assert metrics.median_rank(torch.tensor([1, 2, 5, 9])) == 3.5
