"""Several vectors a picture in a store: what is found, how it is scored, and what a server is asked."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from cdd_icm.errors import InputError
from retrieval.index import several
from retrieval.index.store import Store
from retrieval.systems.scores import max_over_vectors
from tests.retrieval.index.test_store import WIDTH, entry

COUNT = 4


def vectors(number: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return normalize(torch.randn(number, COUNT, WIDTH, generator=generator), dim=-1)


@pytest.mark.slow
@pytest.mark.parametrize("flushed", [False, True])
def test_the_best_vector_of_each_picture_ranks_it(uri, flushed):
    given, query = vectors(60), vectors(61)[60, 0]
    entries = [entry(number) for number in range(60)]
    with Store(uri, "m0de1", WIDTH, create=True, vectors=COUNT) as store:
        store.put(entries, given)
        if flushed:
            store.flush()
        best = max_over_vectors(query[None], given)[0].topk(10)
        hits = store.search(query, 10)
        assert [found for _, found in hits] == [entries[number] for number in best.indices.tolist()]
        torch.testing.assert_close(torch.tensor([score for score, _ in hits]), best.values)
        red = [found for _, found in store.search(query, 60, 'colour == "red"')]
        assert len(red) == 30 and all(found.tags["colour"] == "red" for found in red)
        assert store.search(query, 5, "width < 0") == []


@pytest.mark.slow
def test_changing_and_opening_again_keep_the_vectors(uri):
    with Store(uri, "m0de1", WIDTH, create=True, vectors=COUNT) as store:
        store.put([entry(0), entry(1)], vectors(2))
        store.change([entry(1, path="moved.png")])
    with Store(uri, "m0de1", WIDTH, vectors=COUNT) as store:
        ((score, found),) = store.search(vectors(2)[1, 3], 1)
        assert found == entry(1, path="moved.png") and abs(score - 1) < 1e-6


@pytest.mark.slow
def test_candidates_are_those_with_the_nearest_mean(tmp_path, monkeypatch):
    """With fewer candidates than pictures, one whose mean is far may be missed, and the scores stay exact."""
    monkeypatch.setattr(several, "CANDIDATES", 20)
    given, query = vectors(60), vectors(61)[60, 0]
    with Store(str(tmp_path / "mine.db"), "m0de1", WIDTH, create=True, vectors=COUNT) as store:
        store.put([entry(number) for number in range(60)], given)
        candidates = (normalize(given.mean(1), dim=-1) @ query).topk(20).indices
        score = max_over_vectors(query[None], given)[0]
        expected = candidates[score[candidates].argsort(descending=True)][:5]
        assert [found for _, found in store.search(query, 5)] == [entry(n) for n in expected.tolist()]


def test_vectors_come_back_to_the_bit_and_others_are_refused():
    (given,) = vectors(1).numpy()
    text = several.packed(given)
    assert np.array_equal(several.unpacked(text, COUNT, WIDTH, "mine.db"), given)
    for damaged in ("", text[:-4], "?" + text[1:], several.packed(given[:3])):
        with pytest.raises(InputError, match=r"^mine\.db: damaged: vectors: .* is not 4 of 8 numbers$"):
            several.unpacked(damaged, COUNT, WIDTH, "mine.db")


def test_more_vectors_than_a_store_can_hold_are_refused():
    several.check_size(32, 256)
    with pytest.raises(
        InputError, match="model: 64 vectors of 256 numbers a picture are 87384 bytes as text"
    ):
        several.check_size(64, 256)


@pytest.mark.parametrize(
    ("version", "has"),
    [("2.6.4", True), ("v2.6.10-dev", True), ("3.0.0", True), ("2.6.3", False), ("milvus_lite-3.2.2", False)],
)
def test_a_server_is_asked_for_its_own_search_where_it_has_one(version, has):
    class Client:
        def get_server_version(self):
            return version

    assert several.has_max_sim(Client()) is has


@pytest.mark.slow
def test_a_server_that_passes_over_the_column_is_searched_by_the_mean(uri, monkeypatch):
    """Milvus Lite accepts the schema of a newer server and drops the column."""
    monkeypatch.setattr(several, "has_max_sim", lambda client: True)
    with Store(uri, "m0de1", WIDTH, create=True, vectors=COUNT) as store:
        assert not store._max_sim
        store.put([entry(0), entry(1)], vectors(2))
        assert store.search(vectors(2)[0, 2], 1)[0][1] == entry(0)


def test_what_milvus_s_own_search_is_given():
    """By its documentation: no such server can run here."""
    given = vectors(1)[0].numpy()
    schema = several.MilvusClient.create_schema()
    several.add_fields(schema, COUNT, WIDTH, max_sim=True)
    (struct,) = schema.to_dict()["struct_fields"]
    assert struct["name"] == "rows"
    row = several.columns(given, max_sim=True)
    assert [np.array_equal(part["vector"], own) for part, own in zip(row["rows"], given, strict=True)] == [
        True
    ] * COUNT
    arguments = several.search_arguments(given[0])
    assert arguments["anns_field"] == "rows[vector]" and arguments["data"][0].dim == WIDTH
    assert arguments["search_params"]["metric_type"] == "MAX_SIM_IP"
