"""Visitors' dialogs: apart from each other, on the disk after every turn, within their limits."""

import asyncio
import threading
from types import SimpleNamespace

import pytest
from PIL import Image

from cdd_icm import DrawingSession
from cdd_icm.errors import InputError
from cdd_icm.sampling.dialogs import turn_generator
from cdd_icm.sampling.planned import planned_places
from cdd_icm.studio.drawing import Drawing, Request
from cdd_icm.studio.limits import VisitorLimits
from cdd_icm.studio.overlay import changed, difference, share_changed, with_changes, with_plan
from cdd_icm.studio.visits import Visits
from tests.cdd_icm.conftest import tiny_pipeline  # noqa: F401

MINE, OTHERS = "m" * 32, "o" * 32


@pytest.fixture
def make(tiny_pipeline, tmp_path):  # noqa: F811
    def visits(**limits):
        tiny_pipeline.canvas = Image.new("RGB", (32, 32), "grey")
        engine = SimpleNamespace(name="tiny", pipeline=tiny_pipeline, path="tiny", queue=None)
        return Visits([engine], tmp_path / "sessions", VisitorLimits(**limits))

    return visits


def drawn(visit, text="Add a red cube", **request):
    drawing = visit.begin(Request(text, **{"seed": 1} | request))
    drawing.run()
    assert drawing.state == "done", drawing.error
    return drawing


def texts(visit):
    return [turn.instruction for turn in visit.session.turns]


def test_a_dialog_is_on_the_disk_after_every_turn(make):
    visits = make()
    visit = visits.create(MINE)
    assert not visit.folder.exists()  # who only looks leaves nothing
    for number in range(2):
        drawn(visit, f"Add cube {number}")
        again = make().find(visit.token, MINE)
        assert (
            texts(again) == texts(visit)
            and again.session.picture.tobytes() == visit.session.picture.tobytes()
        )


def test_nobody_else_finds_it_but_a_link_gives_a_copy(make):
    visits = make()
    visit = visits.create(MINE)
    drawn(visit, "first")
    drawn(visit, "second")
    assert visits.find(visit.token, OTHERS) is None and visits.find(visit.token, "") is None
    copy = visits.copy(visit.token, OTHERS, "main", 1)
    drawn(copy, "mine")
    assert texts(copy) == ["first", "mine"] and texts(visit) == ["first", "second"]
    assert copy.token != visit.token and visits.find(copy.token, MINE) is None


@pytest.mark.parametrize("token", ["", "..", "../../etc", "a" * 21, "a" * 65, "a" * 24, "a/" * 12])
def test_a_token_names_no_other_folder(make, token):
    assert make().find(token, MINE) is None and make().copy(token, MINE) is None


def test_tokens_differ_and_are_long(make):
    tokens = {make().create(MINE).token for _ in range(50)}
    assert len(tokens) == 50 and all(len(token) >= 32 for token in tokens)


def test_who_draws_from_an_earlier_turn_gets_a_branch(make):
    visit = make().create(MINE)
    for text in ("one", "two", "three"):
        drawn(visit, text)
    visit.selected = 1
    drawn(visit, "other")
    assert visit.branches.names == ["main", "main from 1"] and texts(visit) == ["one", "other"]
    visit.branches.show("main")
    assert texts(visit) == ["one", "two", "three"]


def test_each_candidate_can_be_drawn_again_by_its_seed(make, tiny_pipeline):  # noqa: F811
    visit = make().create(MINE)
    drawn(visit, "first")
    drawing = drawn(visit, "second", seed=5, candidates=3)
    scores = [candidate.score for candidate in drawing.candidates]
    assert visit.session is drawing.candidates[scores.index(max(scores))].session
    visit.choose(2)
    again = DrawingSession(tiny_pipeline, seed=1)
    again.say("first")
    again.seed = 7
    again.say("second", num_candidates=1)
    assert again.picture.tobytes() == visit.session.picture.tobytes()
    visit.settle()
    visit.session.undo()
    with pytest.raises(InputError, match="^candidate: 1, but there are 0"):
        visit.choose(0)
    assert drawing.candidates[2].session.picture.tobytes() == again.picture.tobytes()


def test_cancel_stops_within_a_step_and_changes_nothing(make):
    visit = make().create(MINE)
    drawn(visit, "first")
    before = visit.session.picture.tobytes()
    drawing = visit.begin(Request("second", 1))
    step, steps = drawing._step, []

    def cancelling(*given):
        steps.append(given[1])
        drawing.cancel()
        return step(*given)

    drawing._step = cancelling
    drawing.run()
    assert drawing.state == "cancelled" and len(steps) == 1
    assert visit.session.picture.tobytes() == before and texts(visit) == ["first"]
    drawn(visit, "third")


def test_candidates_that_are_done_are_kept_by_a_cancel(make):
    visit = make().create(MINE)
    drawing = visit.begin(Request("a cube", 1, candidates=3))
    candidate = drawing._candidate

    def one(number):
        if number:
            drawing.cancel()
        return candidate(number)

    drawing._candidate = one
    drawing.run()
    assert drawing.state == "done" and len(drawing.candidates) == 1 and texts(visit) == ["a cube"]


def test_nothing_changes_while_a_turn_is_drawn(make):
    visit = make().create(MINE)
    visit.begin(Request("a cube", 1))
    for change in (visit.settle, lambda: visit.begin(Request("another", 1)), lambda: visit.choose(0)):
        with pytest.raises(InputError, match="^a turn is being drawn"):
            change()


BAD = {
    "empty": (Request(" \n", 1), "sentence: ' \\n' is empty"),
    "long": (Request("x" * 5000, 1), "sentence: 5,000 characters, over the limit of 1,000"),
    "a setting": (Request("a", 1, settings={"guidance_scale": -1.0}), "guidance_scale"),
}


@pytest.mark.parametrize(("request_", "line"), BAD.values(), ids=BAD.keys())
def test_a_bad_request_is_one_line_and_nothing_is_lost(make, request_, line):
    visit = make().create(MINE)
    drawn(visit)
    with pytest.raises(InputError) as refused:
        visit.begin(request_)
    assert line in str(refused.value) and "\n" not in str(refused.value)
    assert not visit.is_drawing and len(visit.session.turns) == 1


def test_limits_are_told(make):
    visits = make(turns=2, requests_a_minute=3)
    visit = visits.create(MINE)
    drawn(visit)
    drawn(visit)
    with pytest.raises(InputError, match="^this branch has 2 turns, the most"):
        visit.begin(Request("a", 1))
    for _ in range(3):
        visits.count(MINE)
    with pytest.raises(InputError, match="^3 requests a minute are allowed; go on in"):
        visits.count(MINE)
    visits.count(OTHERS)


def test_idle_dialogs_leave_memory_and_old_ones_the_disk(make):
    visits = make(in_memory=2)
    kept = [visits.create(MINE) for _ in range(4)]
    assert len(visits) == 2
    drawn(kept[3])
    visits = make(idle_seconds=0)
    visit = visits.find(kept[3].token, MINE)
    visit.touched -= 1
    visits._swept = float("-inf")
    visits._sweep()
    assert len(visits) == 0 and visits.find(kept[3].token, MINE) is not None
    visits = make(kept_days=-1)
    assert visits.find(kept[3].token, MINE) is None and not kept[3].folder.exists()


def test_a_damaged_dialog_is_one_line(make):
    visits = make()
    visit = visits.create(MINE)
    drawn(visit)
    (visit.folder / "studio.json").write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match="studio.json: not JSON"):
        make().find(visit.token, MINE)


def test_two_visitors_draw_at_once_what_they_would_draw_alone(make):
    visits = make()
    pair = [visits.create(key) for key in (MINE, OTHERS)]
    drawings = [visit.begin(Request("a cube", seed)) for seed, visit in enumerate(pair)]
    threads = [threading.Thread(target=drawing.run) for drawing in drawings]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for seed, visit in enumerate(pair):
        alone = drawn(visits.create(MINE), "a cube", seed=seed)
        assert alone.candidates[0].session.picture.tobytes() == visit.session.picture.tobytes()


def test_a_follower_sees_every_state(tiny_pipeline):  # noqa: F811
    tiny_pipeline.canvas = Image.new("RGB", (32, 32), "grey")
    drawing = Drawing(DrawingSession(tiny_pipeline), Request("a cube", 1))
    seen = []

    async def follow():
        async for _ in drawing.changes():
            if not seen:
                await asyncio.to_thread(drawing.run)
            seen.append(drawing.state)

    asyncio.run(follow())
    assert seen[-1] == "done" and drawing.preview.size == (32, 32)


def test_the_end_of_a_turn_is_given_once(make):
    visit = make().create(MINE)
    drawing = drawn(visit, "a cube")
    name, other = visit.name_end(drawing), visit.name_end(drawing)
    assert visit.take_end("x") is None and visit.take_end("") is None
    assert visit.take_end(name) is drawing and visit.take_end(name) is None
    for _ in range(100):  # pages that were closed before they asked
        visit.name_end(drawing)
    assert len(visit.ends) <= 8 and visit.take_end(other) is None


def test_a_broken_turn_is_a_line(tiny_pipeline):  # noqa: F811
    tiny_pipeline.canvas = Image.new("RGB", (32, 32), "grey")
    drawing = Drawing(DrawingSession(tiny_pipeline), Request("a cube", 1, settings={"plan_place": 7}))
    drawing.run()
    assert drawing.state == "failed" and drawing.error and "\n" not in drawing.error


def test_planned_places_are_those_that_were_drawn(tiny_pipeline, monkeypatch):  # noqa: F811
    session = DrawingSession(tiny_pipeline, Image.new("RGB", (32, 32), "grey"), seed=2)
    plans, sample = [], tiny_pipeline.planner.sample
    monkeypatch.setattr(
        tiny_pipeline.planner, "sample", lambda *given: plans.append(sample(*given)) or plans[-1]
    )
    session.say("Add a red cube", plan_temperature=1.0)
    settings = tiny_pipeline.settings(**session.turns[0].settings)
    generator = turn_generator(2, "session", 0)
    places = planned_places(tiny_pipeline, session.canvas, "Add a red cube", [], settings, generator)
    assert (plans[0].feature_map == plans[1].feature_map).all()
    assert places.shape == plans[0].feature_map.shape[-2:] and 0 <= places.min() <= places.max() <= 1


def test_overlays():
    before = Image.new("RGB", (64, 64), "grey")
    after = before.copy()
    after.paste("red", (10, 10, 20, 20))
    assert changed(before, after).sum() == 100 and share_changed(before, after) == "2 %"
    assert share_changed(before, before) == "nothing"
    shown = with_changes(before, after)
    assert shown.getpixel((15, 15)) == (255, 0, 0) and shown.getpixel((50, 50)) != (128, 128, 128)
    assert difference(before, after).getbbox() == (10, 10, 20, 20)
    places = changed(before, after).astype("float32")
    marked = with_plan(before, places)
    assert marked.getpixel((15, 15)) != (128, 128, 128) and marked.getpixel((50, 50)) == (128, 128, 128)
