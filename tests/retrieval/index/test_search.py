"""Queries with a picture, a text or both; and conversations of them."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from cdd_icm.errors import InputError
from retrieval.index.build import index
from retrieval.index.search import search, sheet
from retrieval.index.store import Store
from retrieval.session import RetrievalSession
from tests.retrieval.colours import Colours, paint

PAIRS = [("red", "red"), ("red", "green"), ("red", "blue"), ("green", "blue"), ("blue", "blue")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    for left, right in PAIRS:
        paint(folder / f"{left} {right}.png", left, right)
    rows = (f'{{"file_name": "{a} {b}.png", "left": "{a}"}}\n' for a, b in PAIRS)
    (folder / "metadata.jsonl").write_text("".join(rows))
    return folder


@pytest.fixture(scope="module")
def store(folder, tmp_path_factory):
    uri = tmp_path_factory.mktemp("store") / "mine.db"
    with Store(str(uri), Colours().fingerprint, Colours.width, create=True) as store:
        index(folder, store, Colours(), progress=False)
        yield store


def found(hits):
    return [hit.entry.path.removesuffix(".png") for hit in hits]


def test_a_picture_finds_itself_and_then_similar_ones(store, folder):
    hits = search(store, Colours(), Image.open(folder / "red green.png"), k=2)
    assert found(hits)[0] == "red green" and abs(hits[0].score - 1) < 1e-5
    assert np.array_equal(hits[0].picture(), Image.open(folder / "red green.png"))


def test_a_text_alone_and_both(store, folder):
    assert found(search(store, Colours(), text="something blue"))[0] == "blue blue"
    red = Image.open(folder / "red red.png")
    bluer, greener = (found(search(store, Colours(), red, text)) for text in ("but bluer", "but greener"))
    assert bluer.index("red blue") < bluer.index("red green")
    assert greener.index("red green") < greener.index("red blue")


def test_filters_and_k(store):
    hits = search(store, Colours(), text="blue", k=10, filter='left == "red"')
    assert {hit.entry.tags["left"] for hit in hits} == {"red"} and len(hits) == 3
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert len(search(store, Colours(), text="blue", k=2)) == 2


@pytest.mark.parametrize(
    ("query", "fault"),
    [
        ({}, "neither a picture nor a text"),
        ({"text": " "}, "text: ' ' is empty"),
        ({"text": "blue", "k": 0}, "k: 0"),
        ({"text": "blue", "filter": "left ="}, "filter 'left ='"),
        ({"picture": Image.new("I;16", (4, 4))}, "more than 8 bits"),
    ],
)
def test_invalid_queries(store, query, fault):
    with pytest.raises(InputError, match=fault):
        search(store, Colours(), **query)


def test_a_sheet_shows_query_and_hits(store, folder):
    hits = search(store, Colours(), text="blue", k=5)
    drawn = sheet(None, "blue", hits, height=40)
    assert drawn.width >= 5 * 48 and drawn.height >= 2 * 40
    blue = (np.asarray(drawn) == (0, 0, 255)).all(2).sum()
    assert blue > 2 * 40 * 40  # blue blue, and two halves
    gone = hits[0].entry.file
    kept = gone.read_bytes()
    gone.unlink()
    try:
        assert hits[0].gone and not hits[1].gone
        without = np.asarray(sheet(None, "blue", hits, height=40))
        assert (without == (0, 0, 255)).all(2).sum() <= blue - 40 * 40
        with pytest.raises(InputError, match="blue blue.png: No such file"):
            hits[0].picture()
    finally:
        gone.write_bytes(kept)


class TestSession:
    @pytest.fixture
    def session(self, store, folder):
        return RetrievalSession(store, Colours(), Image.open(folder / "red red.png"), k=3)

    def test_each_sentence_goes_on_from_the_best_hit_and_the_history(self, session, store, monkeypatch):
        first = session.say("some blue")
        assert np.array_equal(session.reference, first[0].picture())
        second = session.say("more blue")
        expected = search(store, Colours(), first[0].picture(), "more blue", 4, history=["some blue"])
        assert found(second) == [path for path in found(expected) if path != found(first)[0]][:3]
        assert [turn.text for turn in session.turns] == ["some blue", "more blue"]

    def test_pick_chooses_what_is_refined(self, session):
        hits = session.say("some blue")
        assert np.array_equal(session.pick(2), hits[1].picture())
        assert np.array_equal(session.reference, hits[1].picture())
        assert found(hits)[1] not in found(session.say("green"))
        for rank in (0, 4):
            with pytest.raises(InputError, match=f"pick: {rank}, expected a rank from 1 to 3"):
                session.pick(rank)

    def test_undo_and_redo(self, session, folder):
        first, second = session.say("some blue"), session.say("green")
        assert session.undo() == first and session.hits == first
        assert session.redo() == second
        session.undo()
        assert session.say("green") == second  # the same again
        assert session.undo() == first and session.undo() == []
        assert np.array_equal(session.reference, Image.open(folder / "red red.png"))
        with pytest.raises(InputError, match="undo: there is no turn yet"):
            session.undo()
        session.say("red")
        with pytest.raises(InputError, match="redo: no turn was undone"):
            session.redo()

    def test_bad_input_leaves_it_as_it_was(self, session):
        hits = session.say("some blue")
        with pytest.raises(InputError, match="is empty"):
            session.say(" ")
        assert session.hits == hits and len(session.turns) == 1

    def test_words_alone_and_nothing_found(self, store):
        session = RetrievalSession(store, Colours(), k=2, filter='left == "green"')
        assert session.reference is None
        assert found(session.say("green")) == ["green blue"]
        assert session.say("redder") == []  # the only one is the reference
        assert session.say("green") != [] and len(session.turns) == 3

    def test_sheet(self, session):
        with pytest.raises(InputError, match="sheet: there is no turn yet"):
            session.sheet()
        session.say("blue")
        one = session.sheet()
        session.say("green")
        assert session.sheet().height > one.height
