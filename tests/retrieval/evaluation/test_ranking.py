"""Whole reports against a brute-force reading of each benchmark's definitions, on random scores and the
official annotations: equal to the last digit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from cdd_icm.errors import InputError
from retrieval.benchmarks import Benchmark, Query, circo, cirr, fashioniq, genecis
from retrieval.evaluation.ranking import evaluate, rank, ranked_ids, ranked_subsets
from tests.retrieval import brute_force

DIM = 16


def random_vectors(benchmark: Benchmark) -> tuple[torch.Tensor, torch.Tensor]:
    """Vectors of small whole numbers: inner products are exact in any order of summing, and many are tied."""
    generator = torch.Generator().manual_seed(0)
    queries = torch.randint(-2, 3, (len(benchmark.queries), DIM), generator=generator).float()
    pictures = torch.randint(-2, 3, (len(benchmark.picture_ids), DIM), generator=generator).float()
    # a little of the first target, so that not everything is missed
    for row, query in enumerate(benchmark.queries):
        queries[row] += pictures[benchmark.row[query.targets[0]]]
    return queries, pictures


def every(benchmark: Benchmark, step: int, first: int = 0) -> Benchmark:
    """One query in `step`; the galleries stay whole."""
    return replace(benchmark, queries=benchmark.queries[first::step])


def rankings(benchmark, queries, pictures, part="all", right=lambda query: query.targets[:1], ids=None):
    gallery, vectors, ranked, tied = np.array(benchmark.galleries[part]), pictures.numpy(), [], False
    of_gallery = vectors[[benchmark.row[id] for id in benchmark.galleries[part]]]
    for query, vector in zip(benchmark.queries, queries.numpy(), strict=True):
        if query.part == part:
            among = np.array(ids(query)) if ids else gallery
            seen = vectors[[benchmark.row[id] for id in among]] if ids else of_gallery
            scores = seen @ vector
            tied |= (scores == scores[among == query.targets[0]]).sum() > 1
            excluded = query.reference if benchmark.exclude_reference else None
            ranked.append(brute_force.ranking(scores, among, right(query), excluded))
    assert tied  # else nothing is said of ties
    return ranked


@pytest.mark.parametrize(
    ("quarter", "gallery", "exclude_reference"),
    [(0, "original", False), (1, "original", True), (2, "union", False), (3, "union", True)],
)
def test_fashioniq(cir, quarter, gallery, exclude_reference):
    benchmark = every(fashioniq.read(cir / "fashion-iq", "val", gallery, exclude_reference), 4, quarter)
    queries, pictures = random_vectors(benchmark)
    row = evaluate(benchmark, queries, pictures)["rows"]["composed"]
    for k in (10, 50):
        recalls = {}
        for part in benchmark.galleries:
            targets = [query.targets[0] for query in benchmark.queries if query.part == part]
            recalls[part] = brute_force.recall(rankings(benchmark, queries, pictures, part), targets, k)
            assert row["parts"][part][f"R@{k}"] == recalls[part]
        assert row[f"R@{k}"] == sum(recalls.values()) / 3
    assert row["headline"] == (row["R@10"] + row["R@50"]) / 2
    assert 0 < row["headline"] < 100


def test_cirr(cir):
    benchmark = cirr.read(cir / "CIRR")
    queries, pictures = random_vectors(benchmark)
    row = evaluate(benchmark, queries, pictures)["rows"]["composed"]
    targets = [query.targets[0] for query in benchmark.queries]
    ranked = rankings(benchmark, queries, pictures)
    subsets = rankings(benchmark, queries, pictures, ids=lambda query: query.subset)
    for k in (1, 5, 10, 50):
        assert row[f"R@{k}"] == brute_force.recall(ranked, targets, k)
    for k in (1, 2, 3):
        assert row[f"R_subset@{k}"] == brute_force.recall(subsets, targets, k)
    assert row["headline"] == (row["R@5"] + row["R_subset@1"]) / 2
    ranks = sorted(ranked[i].index(target) + 1 for i, target in enumerate(targets))
    assert row["median rank"] == (ranks[(len(ranks) - 1) // 2] + ranks[len(ranks) // 2]) / 2


def test_circo(cir):
    queries = circo.read_queries(cir / "CIRCO")
    named = (id for query in queries for id in (query.reference, *query.targets))
    gallery = tuple(dict.fromkeys([*named, *(f"other {i}" for i in range(3000))]))
    benchmark = Benchmark(
        name="circo",
        split="val",
        queries=queries,
        galleries={"all": gallery},
        recall_at=(5, 10, 25, 50),
        map_at=(5, 10, 25, 50),
        headline=("mAP@5",),
    )
    vectors, pictures = random_vectors(benchmark)
    row = evaluate(benchmark, vectors, pictures)["rows"]["composed"]
    ranked = rankings(benchmark, vectors, pictures, right=lambda query: query.targets)
    by_target = rankings(benchmark, vectors, pictures)
    truths = [query.targets for query in queries]
    for k in (5, 10, 25, 50):
        assert row[f"mAP@{k}"] == brute_force.mean_average_precision(ranked, truths, k)
        assert row[f"R@{k}"] == brute_force.recall(by_target, [targets[0] for targets in truths], k)
    assert row["headline"] == row["mAP@5"]
    assert len(row["tags"]) == 9
    chosen = [i for i, query in enumerate(queries) if "negation" in query.tags]
    expected = brute_force.mean_average_precision(
        [ranked[i] for i in chosen], [truths[i] for i in chosen], 10
    )
    assert row["tags"]["negation"]["mAP@10"] == expected


def test_genecis(cir):
    benchmark = every(genecis.read(cir / "genecis", ("change_object", "focus_object")), 20)
    queries, pictures = random_vectors(benchmark)
    row = evaluate(benchmark, queries, pictures)["rows"]["composed"]
    for k in (1, 2, 3):
        recalls = []
        for part in benchmark.galleries:
            ranked = rankings(benchmark, queries, pictures, part, ids=lambda query: query.candidates)
            targets = [query.targets[0] for query in benchmark.queries if query.part == part]
            recalls.append(brute_force.recall(ranked, targets, k))
            assert row["parts"][part][f"R@{k}"] == recalls[-1]
        assert row[f"R@{k}"] == sum(recalls) / 2
    assert row["headline"] == row["R@1"]


def small(**changes) -> Benchmark:
    queries = (
        Query("a", "r", ("redder",), ("x",), tags=("short",)),
        Query("b", "x", ("bluer",), ("y",)),
    )
    whole = Benchmark("mine", "val", queries, {"all": ("x", "y", "z")}, recall_at=(1, 2), headline=("R@1",))
    return replace(whole, **changes)


def test_report_has_the_protocol_and_the_rows_of_each_modality_alone():
    benchmark = small()
    assert benchmark.picture_ids == ("x", "y", "z", "r")
    image_features = torch.eye(4)
    text_features = torch.eye(4)[[0, 1]]  # the texts describe their targets
    report = evaluate(benchmark, torch.eye(4)[[1, 1]], image_features, image_features=image_features,
                      text_features=text_features)  # fmt: skip
    assert report["protocol"] == benchmark.protocol and report["partial"] is False
    rows = report["rows"]
    assert list(rows) == ["composed", "image only", "text only"]
    assert rows["composed"]["R@1"] == 50
    assert rows["text only"]["R@1"] == 100
    assert rows["image only"]["R@1"] == 0  # the reference itself comes first
    assert rows["composed"]["tags"] == {"short": {"R@1": 0, "R@2": 0, "median rank": 3}}


def test_excluding_the_reference_lets_the_next_one_win():
    queries, pictures = torch.tensor([[1.0, 0], [1, 0]]), torch.tensor([[2.0, 0], [1, 0], [0, 0], [9, 0]])
    assert rank(small(), queries, pictures).target.tolist() == [1, 2]
    assert rank(small(exclude_reference=True), queries, pictures).target.tolist() == [1, 1]


def test_any_similarity_may_rank():
    def most_alike_token(queries, pictures):
        return (queries[:, None, None] @ pictures.transpose(1, 2)).squeeze(2).amax(2)

    pictures = torch.zeros(4, 2, 3)
    pictures[0, 1], pictures[1, 0] = torch.tensor([0, 5.0, 0]), torch.tensor([4.0, 0, 0])
    ranking = rank(small(), torch.eye(3)[[1, 0]], pictures, most_alike_token)
    assert ranking.target.tolist() == [1, 1]


def test_ranked_ids_leave_out_the_reference_and_subsets_stay_within(cir):
    benchmark = every(cirr.read(cir / "CIRR", "test1"), 40)
    generator = torch.Generator().manual_seed(0)
    queries = torch.randn(len(benchmark.queries), DIM, generator=generator)
    pictures = torch.randn(len(benchmark.picture_ids), DIM, generator=generator)
    for query, ids, within in zip(
        benchmark.queries,
        ranked_ids(benchmark, queries, pictures, 50),
        ranked_subsets(benchmark, queries, pictures, 3),
        strict=True,
    ):
        assert len(set(ids)) == 50 and query.reference not in ids
        assert len(set(within)) == 3 and set(within) < set(query.subset)
    with pytest.raises(ValueError, match="2314 pictures to rank, not 2315"):
        ranked_ids(benchmark, queries, pictures, 2315)


@pytest.mark.parametrize(
    ("queries", "pictures", "fault"),
    [
        (torch.ones(3, 2), torch.ones(4, 2), "3 vectors for 2 queries"),
        (torch.ones(2, 2), torch.ones(3, 2), "3 vectors for 4 pictures"),
        (torch.full((2, 2), torch.nan), torch.ones(4, 2), "queries are not all finite"),
        (torch.ones(2, 2), torch.full((4, 2), torch.inf), "pictures are not all finite"),
    ],
)
def test_unfit_vectors_are_refused(queries, pictures, fault):
    with pytest.raises(ValueError, match=fault):
        rank(small(), queries, pictures)


def test_hidden_targets_are_not_scored(cir):
    with pytest.raises(ValueError, match="hides its targets"):
        rank(cirr.read(cir / "CIRR", "test1"), torch.ones(1), torch.ones(1))


def test_a_partial_run_is_marked():
    benchmark = small().without(["y"])
    assert [query.id for query in benchmark.queries] == ["a"]
    assert benchmark.picture_ids == ("x", "z", "r")
    assert benchmark.protocol["PARTIAL, left out"] == {"pictures": 1, "queries": 1}
    report = evaluate(benchmark, torch.ones(1, 2), torch.ones(3, 2))
    assert report["partial"] is True
    with pytest.raises(InputError, match="no queries"):
        small().without(["x"])


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"queries": ()}, "no queries"),
        (
            {"queries": (Query("a", "r", ("t",), ("q",)),)},
            "query a: targets: picture 'q' is not in the gallery",
        ),
        ({"queries": (Query("a", "r", (), ("x",)),)}, "query a: no text"),
        ({"galleries": {"all": ("x", "y", "x")}}, "gallery 'all' has a duplicate picture"),
        ({"queries": (Query("a", "r", ("t",), ("x",), ("y",)),)}, "candidates: the target is not among them"),
    ],
)
def test_a_benchmark_that_contradicts_itself_is_refused(changes, fault):
    with pytest.raises(InputError, match=fault):
        small(**changes)
