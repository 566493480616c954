"""Eight threads on one object: each gets what one thread alone gets."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import numpy as np
import pytest
import torch
from PIL import Image

from cdd_icm import DrawingSession
from cdd_icm.model.tokenizer import learn_tokenizer, tokenize
from retrieval.index.search import search
from retrieval.index.store import Entry, Store
from retrieval.session import RetrievalSession
from tests.cdd_icm.conftest import tiny_pipeline  # noqa: F401
from tests.retrieval.colours import Colours, paint
from tests.retrieval.conftest import make_model, uri  # noqa: F401

THREADS = 8
COLOURS = ("red", "green", "blue", "white")
TEXTS = [f"add a {colour} cube {place}" for colour in COLOURS for place in ("on the left", "on the right")]


def at_once(work):
    """`work(n)` for n from 0 to 7, all begun together."""
    barrier = Barrier(THREADS)

    def begin(number):
        barrier.wait()
        return work(number)

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(begin, range(THREADS)))


@pytest.mark.slow
def test_a_pipeline(tiny_pipeline):  # noqa: F811
    canvas = tiny_pipeline.canvas

    def draw(number):
        steps = []

        def note(pipeline, step, timestep, tensors):
            steps.append((step, int(timestep), tensors["latents"].clone()))

        out = tiny_pipeline(
            canvas,
            TEXTS[number],
            num_inference_steps=2 + number % 3,  # the scheduler's state differs
            num_candidates=1 + number // 4,
            guidance_scale=1.0 + number,
            generator=torch.Generator().manual_seed(number),
            callback_on_step_end=note,
        )
        return np.asarray(out.images[0]), out.scores, steps

    alone = [draw(number) for number in range(THREADS)]
    for one, other in zip(alone, at_once(draw), strict=True):
        assert np.array_equal(one[0], other[0])
        assert one[1] is None or torch.equal(one[1], other[1])
        assert len(one[2]) == len(other[2])
        for step, again in zip(one[2], other[2], strict=True):
            assert step[:2] == again[:2] and torch.equal(step[2], again[2])


@pytest.mark.slow
def test_a_callback_stops_its_own_call_alone(tiny_pipeline):  # noqa: F811
    def draw(number):
        steps = []

        def stop(pipeline, step, timestep, tensors):
            steps.append(step)
            pipeline._interrupt = number % 2 == 0

        generator = torch.Generator().manual_seed(0)
        tiny_pipeline(
            tiny_pipeline.canvas,
            TEXTS[0],
            num_inference_steps=4,
            generator=generator,
            callback_on_step_end=stop,
        )
        return len(steps)

    assert at_once(draw) == [1, 4] * 4


@pytest.mark.slow
def test_a_twin_of_a_pipeline_shares_its_parts_and_its_turn(tiny_pipeline):  # noqa: F811
    twin = type(tiny_pipeline).from_pipe(tiny_pipeline)

    def draw(number):
        pipeline = (tiny_pipeline, twin)[number % 2]
        generator = torch.Generator().manual_seed(number)
        out = pipeline(
            pipeline.canvas, TEXTS[number], num_inference_steps=2 + number % 3, generator=generator
        )
        return np.asarray(out.images[0])

    alone = [draw(number) for number in range(THREADS)]
    assert all(np.array_equal(*pair) for pair in zip(alone, at_once(draw), strict=True))


@pytest.mark.slow
def test_a_session_is_as_if_one_thread_had_said_it_all(tiny_pipeline):  # noqa: F811
    session = DrawingSession(tiny_pipeline)
    at_once(lambda number: session.say(TEXTS[number]))
    said = [turn.instruction for turn in session.turns]
    assert sorted(said) == sorted(TEXTS)
    again = DrawingSession(tiny_pipeline)
    for text, turn in zip(said, session.turns, strict=True):
        assert np.array_equal(np.asarray(again.say(text)), np.asarray(turn.picture))


@pytest.mark.slow
def test_sessions_of_two_visitors_do_not_mix(tiny_pipeline):  # noqa: F811
    def visit(number):
        session = DrawingSession(tiny_pipeline, seed=number, num_candidates=1 + number % 2)
        session.say(TEXTS[number])
        session.undo()
        return np.asarray(session.redo()), session.turns[-1].scores

    alone = [visit(number) for number in range(THREADS)]
    for one, other in zip(alone, at_once(visit), strict=True):
        assert np.array_equal(one[0], other[0]) and one[1] == other[1]


def test_a_tokenizer_at_its_first_call():
    tokenizer = learn_tokenizer(TEXTS, 300, 24)
    expected, _ = tokenize(learn_tokenizer(TEXTS, 300, 24), TEXTS)
    rows = at_once(lambda number: [tokenize(tokenizer, [TEXTS[number]])[0] for _ in range(50)])
    assert all(
        torch.equal(ids[0], expected[number]) for number, several in enumerate(rows) for ids in several
    )


def test_a_retriever(make_model):  # noqa: F811
    model = make_model("fusion")
    pictures = [Image.new("RGB", (32, 32), colour) for colour in COLOURS for _ in range(2)]

    def encode(number):
        return model.encode_query([pictures[number]], [TEXTS[number]]), model.encode_gallery(pictures)

    alone = [encode(number) for number in range(THREADS)]
    for one, other in zip(alone, at_once(encode), strict=True):
        assert torch.equal(one[0], other[0]) and torch.equal(one[1], other[1])


@pytest.fixture
def filled(uri, tmp_path):  # noqa: F811
    """A store with a picture of each two colours, and its encoder."""
    encoder = Colours()
    pairs = [(left, right) for left in COLOURS for right in COLOURS]
    paths = [paint(tmp_path / "pictures" / f"{left}_{right}.png", left, right) for left, right in pairs]
    vectors = encoder.encode_gallery(
        torch.from_numpy(np.stack([encoder.preprocess(np.asarray(Image.open(path))) for path in paths]))
        .permute(0, 3, 1, 2)
        .contiguous()
    )
    entries = [Entry(path.stem, str(path.parent), path.name, 8, 8) for path in paths]
    with Store(uri, encoder.fingerprint, encoder.width, create=True) as store:

        def put(number):
            some = slice(2 * number, 2 * number + 2)
            store.put(entries[some], vectors[some])
            store.flush()

        at_once(put)
        yield store, encoder


@pytest.mark.slow
def test_a_store(filled):
    store, encoder = filled
    assert store.count() == 16

    def find(number):
        hits = search(store, encoder, None, COLOURS[number % 4], k=5)
        return [(hit.entry, hit.score) for hit in hits]

    assert at_once(find) == [find(number) for number in range(THREADS)]


@pytest.mark.slow
def test_a_retrieval_session_is_as_if_one_thread_had_said_it_all(filled):
    session = RetrievalSession(*filled, k=3)
    at_once(lambda number: session.say(COLOURS[number % 4]))
    turns = session.turns
    assert sorted(turn.text for turn in turns) == sorted(COLOURS * (THREADS // 4))
    for number, turn in enumerate(turns):
        earlier, best = [done.text for done in turns[:number]], None
        if number:
            best = turns[number - 1].hits[0].entry.content
            assert np.array_equal(turn.reference, turns[number - 1].hits[0].picture())
        hits = search(*filled, turn.reference, turn.text, 3 + bool(best), "", earlier)
        expected = [hit.score for hit in hits if hit.entry.content != best][:3]
        # not the entries: pictures that score alike may come in any order
        assert [hit.score for hit in turn.hits] == pytest.approx(expected, abs=1e-5)


def test_nothing_is_left_open(tmp_path):
    """The last test of a thread closes what it opened: another process could open the store."""
    store = Store(str(tmp_path / "mine.db"), "m0de1", 4, create=True)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(store.close).result()
    Store(str(tmp_path / "mine.db"), "m0de1", 4).close()
    assert not Path(tmp_path / "mine.db" / ".lock").exists()
