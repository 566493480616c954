"""What a store keeps, finds and refuses: embedded, and the same on a server."""

from __future__ import annotations

import fcntl
import json
import socket

import pytest
import torch
from milvus_lite.adapter.grpc.server import start_server_in_thread
from pymilvus import MilvusClient
from pymilvus.client.search_result import Hit
from torch.nn.functional import normalize

from cdd_icm.errors import InputError
from retrieval.index.store import Entry, Store

WIDTH = 8


def entry(number: int, **changed) -> Entry:
    tags = {"colour": ["red", "blue"][number % 2], "n": number, "nested": {"a": [1, None, "ü"]}}
    known = {"folder": '/a "b" ü%_\\x', "path": f"{number}.png", "width": 10 * number, "height": 5}
    return Entry(f"{number:064d}", **known | {"tags": tags} | changed)


def vectors(number: int) -> torch.Tensor:
    return normalize(torch.randn(number, WIDTH, generator=torch.Generator().manual_seed(0)), dim=1)


@pytest.mark.slow
def test_what_is_put_comes_back(uri):
    entries, given = [entry(0), entry(1, tags={}), entry(2, folder="/other")], vectors(3)
    with Store(uri, "m0de1", WIDTH, create=True) as store:
        store.put(entries, given)
    with Store(uri, "m0de1", WIDTH) as store:
        assert store.get([e.content for e in entries] + ["none"]) == {e.content: e for e in entries}
        assert (store.count(), store.count(entries[0].folder), store.count("/nowhere")) == (3, 2, 0)
        assert {e.path for e in store.entries(entries[0].folder)} == {"0.png", "1.png"}


@pytest.mark.slow
@pytest.mark.parametrize("flushed", [False, True])
def test_changing_replaces_all_but_the_vector_and_removing_removes(uri, flushed):
    with Store(uri, "m0de1", WIDTH, create=True) as store:
        store.put([entry(0), entry(1)], vectors(2))
        if flushed:
            store.flush()
        moved = entry(1, path="moved.png", tags={"new": True})
        store.change([moved])
        assert store.count() == 2
        assert store.get([moved.content]) == {moved.content: moved}
        ((score, best),) = store.search(vectors(2)[1], 1)
        assert best == moved and abs(score - 1) < 1e-5
        store.put([moved], vectors(2)[1:])
        assert store.count() == 2
        store.remove([entry(0).content])
        assert store.count() == 1 and store.get([entry(0).content]) == {}


def test_servers_that_don_t_name_the_key_of_a_hit_are_understood(tmp_path, monkeypatch):
    """Milvus 2.3 leaves the name out, and pymilvus then calls it "id"."""
    found = {"folder": "/a", "path": "0.png", "width": 10, "height": 5, "colour": "red"}
    with Store(str(tmp_path / "mine.db"), "m0de1", WIDTH, create=True) as store:
        hit = Hit({"id": "0" * 64, "distance": 0.5, "entity": found}, pk_name="id")
        monkeypatch.setattr(store._client, "search", lambda *_, **__: [[hit]])
        expected = Entry("0" * 64, "/a", "0.png", 10, 5, {"colour": "red"})
        assert store.search(vectors(1)[0], 1) == [(0.5, expected)]


@pytest.mark.slow
@pytest.mark.parametrize("flushed", [False, True])
def test_search_of_an_embedded_store_is_the_exact_ranking(tmp_path, flushed):
    given, query = vectors(200), vectors(201)[200]
    with Store(str(tmp_path / "mine.db"), "m0de1", WIDTH, create=True) as store:
        store.put([entry(number) for number in range(200)], given)
        if flushed:
            store.flush()
        hits = store.search(query, 10)
        best = (given @ query).topk(10)
        assert [found for _, found in hits] == [entry(number) for number in best.indices.tolist()]
        assert torch.allclose(torch.tensor([score for score, _ in hits]), best.values, atol=1e-6)
        assert len(store.search(query, 300)) == 200


@pytest.mark.slow
@pytest.mark.xfail(
    strict=False, reason="Milvus Lite builds its index in a time of its own, and its faiss warns then"
)
def test_a_store_of_few_pictures_prints_nothing(tmp_path, capfd):
    for _ in range(2):
        with Store(str(tmp_path / "mine.db"), "m0de1", WIDTH, create=True) as store:
            store.put([entry(number) for number in range(3)], vectors(3))
            store.flush()
            assert len(store.search(vectors(1)[0], 3)) == 3
    assert capfd.readouterr().err == ""


@pytest.mark.slow
def test_a_flushed_picture_is_found_by_its_own_vector(uri):
    """On a server the index may be an approximate one."""
    with Store(uri, "m0de1", WIDTH, create=True) as store:
        store.put([entry(number) for number in range(50)], vectors(50))
        store.flush()
        for number in range(0, 50, 10):
            ((score, found),) = store.search(vectors(50)[number], 1)
            assert found == entry(number) and abs(score - 1) < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize(
    ("filter", "right"),
    [
        ("width >= 50", lambda e: e.width >= 50),
        ('colour == "red" and width < 100', lambda e: e.tags["colour"] == "red" and e.width < 100),
        ("n in [3, 4]", lambda e: e.tags["n"] in (3, 4)),
        ('path like "1%"', lambda e: e.path.startswith("1")),
        ("nothing > 3", lambda e: False),
    ],
)
def test_filters(uri, filter, right):
    entries = [entry(number) for number in range(20)]
    with Store(uri, "m0de1", WIDTH, create=True) as store:
        store.put(entries, vectors(20))
        found = {e.content for _, e in store.search(vectors(1)[0], 20, filter)}
    assert found == {e.content for e in entries if right(e)}


@pytest.mark.slow
def test_a_filter_that_is_none_is_refused(uri):
    with Store(uri, "m0de1", WIDTH, create=True) as store:
        store.put([entry(0)], vectors(1))
        with pytest.raises(InputError, match=r"filter 'width >': ") as refused:
            store.search(vectors(1)[0], 1, "width >")
        assert "\n" not in str(refused.value)
        for k in (0, 16385):
            with pytest.raises(InputError, match=f"k: {k}, expected 1 to 16384"):
                store.search(vectors(1)[0], k)


@pytest.mark.slow
@pytest.mark.parametrize("create", [False, True])
def test_a_store_made_with_another_model_is_refused(uri, create):
    with Store(uri, "m0de1", WIDTH, create=True) as store:
        store.put([entry(0)], vectors(1))
    with pytest.raises(InputError, match="made with model m0de1, but this is model 07he5"):
        Store(uri, "07he5", WIDTH, create)
    with Store(uri, "m0de1", WIDTH) as store:
        assert store.count() == 1


def test_a_server_without_a_store_and_one_that_is_gone(tmp_path):
    server, database, port = start_server_in_thread(str(tmp_path / "server"))
    uri = f"http://127.0.0.1:{port}"
    with pytest.raises(InputError, match=f"{uri}: no pictures were indexed here"):
        Store(uri, "m0de1", WIDTH)
    server.stop(grace=0).wait()
    database.close()
    with pytest.raises(InputError, match=f"^{uri}: .*server unavailable$"):
        Store(uri, "m0de1", WIDTH, create=True)


def test_a_host_that_never_answers_is_given_up(monkeypatch):
    waits = []

    def client(uri, timeout):
        waits.append(timeout)
        return MilvusClient(uri, timeout=timeout)

    monkeypatch.setattr("retrieval.index.store.CONNECT_SECONDS", 0.5)
    monkeypatch.setattr("retrieval.index.store.MilvusClient", client)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes the connection, and says nothing
        uri = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(InputError, match=f"^{uri}: .*server unavailable$"):
            Store(uri, "m0de1", WIDTH)
    assert waits == [0.5]


@pytest.mark.parametrize(
    ("uri", "fault"),
    [
        ("none.db", "none.db: no store here"),
        ("mine", "mine: expected a path that ends in .db, or http://HOST:PORT"),
        ("file.db", "file.db: a store is a folder, but .*file.db is a file"),
        ("file.db/mine.db", "mine.db: a store is a folder, but .*file.db is a file"),
        ("ftp://host:1", "ftp://host:1"),
        ("http://", "http://: it names no host, expected http://HOST:PORT"),
        ("http://:19530", "http://:19530: it names no host"),
        ("https:///mine", "https:///mine: it names no host"),
    ],
)
def test_what_is_no_store_is_refused(tmp_path, uri, fault, caplog):
    (tmp_path / "file.db").write_text("no store")
    with pytest.raises(InputError, match=fault) as refused:
        Store(uri if "://" in uri else str(tmp_path / uri), "m0de1", WIDTH)
    assert "\n" not in str(refused.value)
    assert not caplog.records  # nothing but the refusal is printed
    assert not (tmp_path / "none.db").exists()


def test_one_process_at_a_time(tmp_path):
    uri = tmp_path / "mine.db"
    Store(str(uri), "m0de1", WIDTH, create=True).close()
    with open(uri / "LOCK") as lock:  # as another process does
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(InputError, match="mine.db: another process holds the lock"):
            Store(str(uri), "m0de1", WIDTH)
    Store(str(uri), "m0de1", WIDTH).close()


class TestHalfWritten:
    """What a process leaves behind that is killed at the worst of times."""

    @pytest.fixture
    def uri(self, tmp_path):
        return tmp_path / "mine.db"

    @pytest.fixture
    def collection(self, uri):
        return uri / "collections" / "pictures_m0de1"

    def test_before_the_collection_was_whole(self, uri, collection):
        collection.mkdir(parents=True)
        (collection / "schema.json.tmp").write_text('{"fie')
        with pytest.raises(InputError, match="no pictures were indexed here"):
            Store(str(uri), "m0de1", WIDTH)
        with Store(str(uri), "m0de1", WIDTH, create=True) as store:
            store.put([entry(0)], vectors(1))
            assert store.count() == 1

    def test_before_it_had_an_index(self, uri, monkeypatch):
        class Killed(Exception):
            pass

        def killed(*_, **__):
            raise Killed

        with monkeypatch.context() as patch:
            patch.setattr("retrieval.index.store.MilvusClient.create_index", killed)
            with pytest.raises(Killed):
                Store(str(uri), "m0de1", WIDTH, create=True)
        with Store(str(uri), "m0de1", WIDTH) as store:
            store.put([entry(0)], vectors(1))
            assert len(store.search(vectors(1)[0], 1)) == 1

    @pytest.mark.slow
    @pytest.mark.parametrize("length", [0, 60, -40])
    def test_in_the_middle_of_an_index(self, uri, collection, length):
        with Store(str(uri), "m0de1", WIDTH, create=True) as store:
            store.put([entry(number) for number in range(20)], vectors(20))
        (index,) = collection.rglob("*.idx")
        whole = index.read_bytes()
        index.write_bytes(whole[:length])
        with Store(str(uri), "m0de1", WIDTH) as store:
            assert len(store.search(vectors(1)[0], 20)) == 20
        assert index.read_bytes() == whole

    @pytest.mark.slow
    def test_in_the_middle_of_a_row(self, uri, collection):
        store = Store(str(uri), "m0de1", WIDTH, create=True)
        store.put([entry(0)], vectors(1))
        store.put([entry(1)], vectors(2)[1:])
        (log,) = (collection / "wal").glob("wal_data_*")
        written = log.read_bytes()
        store.close()
        for partition in (collection / "partitions").rglob("*.parquet"):
            partition.unlink()
        (collection / "manifest.json").unlink(missing_ok=True)
        (collection / "manifest.json.prev").unlink(missing_ok=True)
        log.write_bytes(written[:-20])
        with Store(str(uri), "m0de1", WIDTH) as store:
            assert set(store.get([entry(0).content, entry(1).content])) == {entry(0).content}
            store.put([entry(1)], vectors(2)[1:])
            assert store.count() == 2

    @pytest.mark.slow
    def test_a_damaged_schema_is_one_line_and_nothing_is_lost(self, uri, collection):
        with Store(str(uri), "m0de1", WIDTH, create=True) as store:
            store.put([entry(0)], vectors(1))
        schema = (collection / "schema.json").read_text()
        (collection / "schema.json").write_text(schema[:40])
        for create in (False, True):
            with pytest.raises(InputError, match=r"mine\.db: .") as refused:
                Store(str(uri), "m0de1", WIDTH, create)
            assert "\n" not in str(refused.value)
        (collection / "schema.json").unlink()
        for create in (False, True):
            with pytest.raises(InputError, match=r"mine\.db: damaged: .*/schema\.json is missing$"):
                Store(str(uri), "m0de1", WIDTH, create)
        (collection / "schema.json").write_text(json.dumps(json.loads(schema)))
        with Store(str(uri), "m0de1", WIDTH) as store:
            assert store.count() == 1
