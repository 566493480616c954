"""Turns of several callers, drawn together, are what `DrawingSession.say` draws of each alone."""

import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cdd_icm import DrawingSession
from cdd_icm.errors import InputError
from cdd_icm.sampling.loading import load_pipeline
from cdd_icm.studio.engine import Engine, Engines
from cdd_icm.studio.queue import Cancelled, DeviceQueue
from cdd_icm.studio.turns import Turn, draw_turns, submit_turn

PRETRAINED = Path(__file__).parents[3] / "data" / "pretrained"
PATIENCE = 300.0  # seconds, for a machine that does much else
STEP = 1  # of 255: how far a batch's sums, of another order, may move a channel's value in fp32


def is_the_same(one, other, dtype):
    """In bf16, which has 8 bits, up to 4 of 255 were seen, over 1 in 0.11 % of the values of a picture."""
    difference = np.abs(pixels(one) - pixels(other))
    return difference.max() <= (STEP if dtype == "fp32" else 8) and (difference > STEP).mean() < 0.01


BLOCKS = [
    "Add a blue cube at the center",
    "Add a red sphere behind it on the left",
    "Add a green cylinder in front of it on the right",
    "Add a yellow sphere at the center",
]
CLIP_ART = [
    "big sun at the top left corner",
    "small apple tree on the right side",
    "in the middle a happy boy with his arms up facing right",
    "a dog on the left",
]
SAID = {"iclevr": BLOCKS, "codraw": CLIP_ART, "blocks": [*BLOCKS[:3], "a red ball and a blue box"]}


def pixels(picture):
    return np.asarray(picture).astype(int)


@pytest.fixture(
    scope="module", params=[(name, dtype) for name in SAID for dtype in ("bf16", "fp32")], ids="-".join
)
def shipped(request):
    name, dtype = request.param
    pipeline = load_pipeline(PRETRAINED / name, "cpu", dtype)
    pipeline.set_progress_bar_config(disable=True)
    return name, dtype, pipeline


@pytest.mark.slow
def test_turns_drawn_together_are_those_of_sessions(shipped):
    """With the shipped models, their own settings, and a second turn with a history and another reference."""
    name, dtype, pipeline = shipped
    sessions = [DrawingSession(pipeline, seed=seed) for seed in range(len(SAID[name]))]
    for said in (SAID[name], SAID[name][::-1]):
        turns = [
            Turn(s.picture, text, tuple(t.instruction for t in s.turns), s.seed)
            for s, text in zip(sessions, said, strict=True)
        ]
        drawn = draw_turns(pipeline, turns, pipeline.settings())
        for session, text, each in zip(sessions, said, drawn, strict=True):
            session.say(text)
            assert is_the_same(session.picture, each.picture, dtype)
            if each.answer is not None:
                alone = session.answer
                assert (each.answer.outcome, each.answer.understood) == (alone.outcome, alone.understood)
                assert each.answer.confidence == pytest.approx(alone.confidence, abs=0.05)


@pytest.fixture
def engine(tiny_pipeline):
    with DeviceQueue(limit=64) as queue:
        yield Engine("tiny", "tiny", tiny_pipeline, queue)


def held(queue):
    """Keeps the queue busy until what is returned is set."""
    begun, go = threading.Event(), threading.Event()

    def wait():
        begun.set()
        go.wait(PATIENCE)

    queue.submit(wait)
    assert begun.wait(PATIENCE)
    return go


def test_waiting_turns_of_equal_settings_share_a_pass(engine):
    settings = {
        "own": engine.pipeline.settings(),
        "own again": engine.pipeline.settings(),
        "guided": engine.pipeline.settings(guidance_scale=3.0),
    }
    go, tickets = held(engine.queue), {}
    for number in range(2):
        for name, each in settings.items():
            turn = Turn(engine.pipeline.canvas, "add a red cube", (), number)
            tickets[name, number] = submit_turn(engine.queue, engine.pipeline, turn, each)
    fast = engine.with_preset("fast")
    tickets["fast", 0] = submit_turn(engine.queue, fast, turn, fast.settings())
    go.set()
    for (name, seed), ticket in tickets.items():
        drawn = ticket.result(PATIENCE)
        assert ticket.batch == {"own": 4, "own again": 4, "guided": 2, "fast": 1}[name]
        session = DrawingSession(
            fast if name == "fast" else engine.pipeline, seed=seed or turn.seed * (name == "fast")
        )
        session.say("add a red cube", guidance_scale=settings.get(name, fast.settings()).guidance_scale)
        assert np.abs(pixels(drawn.picture) - pixels(session.picture)).max() <= STEP


@pytest.mark.parametrize("settings", [{"num_candidates": 2}, {}], ids=["candidates", "alone"])
def test_some_turns_are_drawn_alone_and_are_a_sessions_to_the_byte(engine, settings):
    go, given = held(engine.queue), engine.pipeline.settings(**settings)
    turn = Turn(engine.pipeline.canvas, "add a red cube", (), 3)
    tickets = [submit_turn(engine.queue, engine.pipeline, turn, given, alone=not settings) for _ in range(2)]
    go.set()
    session = DrawingSession(engine.pipeline, seed=3, **settings)
    picture = session.say("add a red cube")
    for ticket in tickets:
        drawn = ticket.result(PATIENCE)
        assert ticket.batch == 1 and np.array_equal(pixels(drawn.picture), pixels(picture))
        assert drawn.scores == session.turns[0].scores


def test_one_bad_turn_does_not_spoil_the_others(engine):
    go = held(engine.queue)
    good = Turn(engine.pipeline.canvas, "add a red cube", (), 1)
    bad = Turn(engine.pipeline.canvas, " ", (), 1)
    settings = engine.pipeline.settings()
    tickets = [submit_turn(engine.queue, engine.pipeline, turn, settings) for turn in (good, bad, good)]
    go.set()
    assert tickets[0].result(PATIENCE).picture.size == (32, 32) and tickets[2].result(PATIENCE)
    with pytest.raises(InputError, match="instruction: number 1 is ' '"):
        tickets[1].result(PATIENCE)


def test_a_cancelled_turn_stops_within_a_step(engine):
    """And the pipeline draws as before."""
    steps, at_first = [], threading.Event()

    def run():
        def step(pipeline, number, t, tensors):
            steps.append(number)
            at_first.set()
            while not ticket.cancelled:
                pass
            engine.queue.check()

        engine.pipeline(engine.pipeline.canvas, "add", num_inference_steps=50, callback_on_step_end=step)

    ticket = engine.queue.submit(run)
    assert at_first.wait(PATIENCE)
    ticket.cancel()
    with pytest.raises(Cancelled):
        ticket.result(PATIENCE)
    assert steps == [0]
    turn = Turn(engine.pipeline.canvas, "add a red cube", (), 1)
    again = submit_turn(engine.queue, engine.pipeline, turn, engine.pipeline.settings()).result(PATIENCE)
    session = DrawingSession(engine.pipeline, seed=1)
    assert np.array_equal(pixels(session.say("add a red cube")), pixels(again.picture))


def test_a_preset_has_a_pipeline_of_its_own(engine):
    own, scheduler = dict(engine.pipeline.config.sampling), engine.pipeline.scheduler
    fast = engine.with_preset("fast")
    assert fast is engine.with_preset("fast") and engine.with_preset(None) is engine.pipeline
    assert fast.unet is engine.pipeline.unet and fast._lock is engine.pipeline._lock
    assert fast.unet.dtype == engine.pipeline.unet.dtype
    assert type(fast.scheduler).__name__ == "DDIMScheduler" and fast.settings().num_inference_steps == 1
    assert engine.pipeline.scheduler is scheduler and engine.pipeline.config.sampling == own
    assert engine.presets == ["fast"]
    for name, line in (
        ("slow", "preset: 'slow' is unknown; this model has fast"),
        (3, "preset: 3, expected"),
    ):
        with pytest.raises(InputError, match=line):
            engine.with_preset(name)


def test_models_are_found_by_name(engine):
    other = Engine("other", "b/other", engine.pipeline, engine.queue)
    engines = Engines([engine, other])
    assert engines.names == ["tiny", "other"] and engines.named(None) is engines[0] is engine
    assert engines.named("other") is other and list(engines) == [engine, other] and len(engines) == 2
    assert engines.queues == [engine.queue]
    with pytest.raises(InputError, match="^model: 'x' is not offered here; there are tiny, other$"):
        engines.named("x")
    with pytest.raises(InputError, match="^--model: no model is given$"):
        Engines([])


def test_two_models_of_one_name_are_refused_before_any_is_loaded(tmp_path):
    before = set(threading.enumerate())
    folders = [tmp_path / "a" / "m", tmp_path / "b" / "m"]
    with pytest.raises(InputError) as refused:
        Engines.load(folders, "cpu")
    assert str(refused.value) == (
        f"--model {folders[1]}: its name 'm' is that of {folders[0]}, too; rename a folder"
    )
    with pytest.raises(InputError, match="m: no such folder$"):
        Engines.load(folders[:1], "cpu")
    assert set(threading.enumerate()) <= before, "no queue is left"


def test_a_model_is_loaded_and_warmed_up(tiny_folder):
    with Engines.load([tiny_folder], "cpu", "fp32") as engines:
        engines[0].warm_up().result(PATIENCE)
        turn = Turn(Image.new("L", (50, 20)), "add a red cube", (), 1)
        ticket = submit_turn(engines[0].queue, engines[0].pipeline, turn, engines[0].pipeline.settings())
        assert ticket.result(PATIENCE).picture.size == (32, 32)
        assert (engines[0].name, engines[0].queue.device) == ("model", "cpu")
