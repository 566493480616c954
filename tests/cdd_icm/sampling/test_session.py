"""A session is an editor's history of pictures; a saved one goes on as if it had never been closed."""

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from cdd_icm import io as disk
from cdd_icm.errors import InputError
from cdd_icm.plan.answer import Answer
from cdd_icm.sampling import pipeline as drawing
from cdd_icm.sampling.inputs import without_scheduler
from cdd_icm.sampling.session import DrawingSession


def same(a, b):
    return np.array_equal(np.asarray(a), np.asarray(b))


def two_turns(pipeline):
    session = DrawingSession(pipeline, seed=3)
    session.say("add a red cube")
    session.say("add a sphere behind it")
    return session


def test_the_settings_of_a_turn_are_checked_once(tiny_pipeline, monkeypatch):
    session, check, checked = DrawingSession(tiny_pipeline), drawing.from_dict, []
    monkeypatch.setattr(drawing, "from_dict", lambda *args: checked.append(args) or check(*args))
    session.say("add a red cube", num_inference_steps=1)
    assert len(checked) == 1


@pytest.fixture
def session(tiny_pipeline):
    return two_turns(tiny_pipeline)


def test_turns_tell_what_was_drawn(session, tiny_pipeline):
    first, second = session.turns
    assert [first.instruction, second.instruction] == ["add a red cube", "add a sphere behind it"]
    assert first.picture.size == (32, 32) and first.picture.mode == "RGB"
    assert (
        second.seed == 3
        and second.settings == without_scheduler(tiny_pipeline.settings())
        and second.scores is None
    )
    assert same(session.picture, second.picture) and not same(first.picture, second.picture)


def test_reference_and_history_are_those_of_the_turn(session, tiny_pipeline):
    """The second picture is what the pipeline draws from the first one."""
    from cdd_icm.sampling.dialogs import turn_generator

    first, second = session.turns
    out = tiny_pipeline(
        first.picture, second.instruction, [first.instruction], generator=turn_generator(3, "session", 1)
    )
    assert same(out.images[0], second.picture)


def test_undo_and_say_again_is_the_same_picture(session):
    before = session.picture
    session.undo()
    assert same(session.say("add a sphere behind it"), before)
    session.undo()
    session.seed = 4
    assert not same(session.say("add a sphere behind it"), before)


def test_undo_redo(session, tiny_pipeline):
    first, second = session.turns
    assert same(session.undo(), first.picture)
    assert same(session.undo(), tiny_pipeline.canvas) and session.turns == []
    with pytest.raises(InputError, match="undo: there is no turn yet"):
        session.undo()
    assert same(session.redo(), first.picture) and same(session.redo(), second.picture)
    with pytest.raises(InputError, match="redo: no turn was undone"):
        session.redo()


def test_a_new_instruction_discards_undone_turns(session):
    session.undo()
    session.say("add a cylinder")
    with pytest.raises(InputError, match="redo"):
        session.redo()
    assert [turn.instruction for turn in session.turns] == ["add a red cube", "add a cylinder"]


def test_a_refused_instruction_changes_nothing(session):
    session.undo()
    for text, settings in (("  ", {}), ("add a cube", {"num_candidates": 0}), ("add a cube", {"steps": 3})):
        with pytest.raises(InputError):
            session.say(text, **settings)
    assert len(session.turns) == 1 and session.redo()


def test_branches_share_nothing(session):
    twin = session.branch()
    twin.use(num_inference_steps=1)
    twin.seed = 9
    twin.say("add a cylinder")
    twin.canvas.putpixel((0, 0), (255, 0, 0))
    assert len(session.turns) == 2 and session.seed == 3 and session.canvas.getpixel((0, 0)) != (255, 0, 0)
    assert session.say("add a cone") and session.turns[2].settings["num_inference_steps"] == 2
    assert len(twin.turns) == 3 and twin.turns[2].settings["num_inference_steps"] == 1


def test_a_branch_goes_on_as_its_session(session):
    twin = session.branch()
    assert same(twin.say("add a cylinder"), session.say("add a cylinder"))


def test_callers_cannot_change_earlier_turns(session):
    truth = session.picture
    session.picture.putpixel((0, 0), (255, 0, 0))
    session.turns[1].picture.putpixel((0, 0), (255, 0, 0))
    session.turns[1].settings["num_inference_steps"] = 99
    session.turns.clear()
    assert same(session.picture, truth) and session.turns[1].settings["num_inference_steps"] == 2


def test_settings_of_session_and_of_one_turn(tiny_pipeline):
    session = DrawingSession(tiny_pipeline, num_candidates=3, image_guidance_scale=1.5)
    session.say("add a cube")
    session.say("add a sphere", num_candidates=1)
    first, second = session.turns
    assert first.settings["num_candidates"] == 3 and len(first.scores) == 3
    assert second.settings["num_candidates"] == 1 and second.scores is None
    session.use(num_candidates=None)
    session.say("add a cone")
    assert session.turns[2].settings["num_candidates"] == tiny_pipeline.settings().num_candidates


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"guidence_scale": 2.0}, "unknown key guidence_scale; the nearest is guidance_scale"),
        ({"guidance_scale": "much"}, "guidance_scale is 'much', expected a number"),
        ({"guidance_scale": float("nan")}, "guidance_scale is nan, expected a finite number"),
        ({"num_inference_steps": 0}, "num_inference_steps is 0, expected at least 1"),
        ({"scheduler": "DDIMScheduler"}, "scheduler: not an argument of a call"),
    ],
)
def test_bad_settings_are_refused_before_any_work(tiny_pipeline, settings, says):
    with pytest.raises(InputError) as error:
        DrawingSession(tiny_pipeline, **settings)
    assert says in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "1", "CMYK"])
def test_a_canvas_of_any_size_and_mode(tiny_pipeline, mode):
    session = DrawingSession(tiny_pipeline, Image.new(mode, (90, 40)))
    assert session.canvas.size == (32, 32) and session.canvas.mode == "RGB"


def test_transparent_pixels_become_white(tiny_pipeline):
    canvas = DrawingSession(tiny_pipeline, Image.new("RGBA", (32, 32), (0, 0, 0, 0))).canvas
    assert np.asarray(canvas).min() == 255


def test_no_canvas_anywhere(tiny_pipeline, monkeypatch):
    monkeypatch.setattr(tiny_pipeline, "canvas", None)
    with pytest.raises(InputError, match="canvas: the pipeline has none"):
        DrawingSession(tiny_pipeline)
    assert DrawingSession(tiny_pipeline, Image.new("RGB", (32, 32))).turns == []


def test_filmstrip_shows_canvas_and_turns(session):
    two = session.filmstrip()
    session.undo()
    one = session.filmstrip()
    assert two.width - one.width == (one.width - 6) // 2  # two frames and a margin against three


def test_saved_session_goes_on_as_it_would_have(any_pipeline, tmp_path):
    session = two_turns(any_pipeline)
    session.use(guidance_scale=1.5, num_candidates=2, image_guidance_scale=1.5)
    session.say("Füge einen Würfel 🟥 hinzu")
    session.undo()
    newest = session.save(tmp_path / "kept")
    assert same(Image.open(newest), session.picture)

    again = DrawingSession.load(tmp_path / "kept", any_pipeline)
    for one, other in zip(session.turns, again.turns, strict=True):
        assert same(one.picture, other.picture)
        assert (one.instruction, one.seed, one.settings, one.scores) == (
            *(other.instruction, other.seed, other.settings, other.scores),
        )
    assert same(again.redo(), session.redo()) and again.turns[2].instruction == "Füge einen Würfel 🟥 hinzu"
    assert again.turns[2].scores == session.turns[2].scores
    assert same(again.say("add a cone"), session.say("add a cone"))
    assert again.turns[-1].settings == session.turns[-1].settings


def test_saving_again_leaves_no_old_pictures(session, tiny_pipeline, tmp_path):
    (tmp_path / "notes.png").write_bytes(b"mine")
    session.save(tmp_path)
    session.undo()
    session.say("add a cone")
    session.undo()
    session.save(tmp_path)
    assert len(list(tmp_path.glob("turn_*.png"))) == 2 and (tmp_path / "notes.png").exists()
    assert len(DrawingSession.load(tmp_path, tiny_pipeline).turns) == 1


def test_a_save_that_dies_keeps_the_one_before(session, tiny_pipeline, tmp_path, monkeypatch):
    session.save(tmp_path)
    truth = session.turns
    session.undo()
    session.say("add a cone")

    def full(path):
        if path.name.endswith(".json"):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(disk, "_fsync", full)
    with pytest.raises(InputError, match=r"session\.json: can't be written \(No space left on device\)"):
        session.save(tmp_path)
    again = DrawingSession.load(tmp_path, tiny_pipeline).turns
    assert [turn.instruction for turn in again] == [turn.instruction for turn in truth]
    assert all(same(a.picture, b.picture) for a, b in zip(again, truth, strict=True))


def edit(**values):
    def spoil(folder):
        file = folder / "session.json"
        record = json.loads(file.read_text())
        for path, value in values.items():
            *parents, last = path.split("__")
            node = record
            for parent in parents:
                node = node[int(parent) if parent.isdigit() else parent]
            if value is ...:
                del node[last]
            else:
                node[last] = value
        file.write_text(json.dumps(record))

    return spoil


def picture(write):
    return lambda folder: write(next(folder.glob("turn_2-*.png")))


FAULTS = {
    "no record": (lambda f: (f / "session.json").unlink(), "session.json: No such file or directory"),
    "not JSON": (lambda f: (f / "session.json").write_text('{"seed": 1'), "session.json: not JSON"),
    "not UTF-8": (lambda f: (f / "session.json").write_bytes(b"\xff\xfe"), "session.json: UTF-16 text"),
    "a list": (lambda f: (f / "session.json").write_text("[]"), "expected an object, found list"),
    "missing field": (edit(seed=...), "session.json: seed is missing"),
    "unknown field": (edit(sead=1), "session.json: unknown key sead; the nearest is seed"),
    "seed that is text": (edit(seed="3"), "session.json: seed is '3', expected a whole number"),
    "position past the end": (edit(position=3), "session.json: position is 3, expected 0 to 2"),
    "another model's size": (edit(image_size=64), "image_size is 64, but this model draws 32"),
    "unknown field of a turn": (
        edit(turns__1__sead=1),
        "unknown key turns[1].sead; the nearest is turns[1].seed",
    ),
    "missing field of a turn": (edit(turns__1__settings=...), "turns[1].settings is missing"),
    "turn without words": (edit(turns__0__instruction=None), "turns[0].instruction is None, expected text"),
    "wrong setting": (
        edit(sampling={"num_candidates": "two"}),
        "session.json: sampling.num_candidates is 'two', expected a whole number",
    ),
    "unknown setting of a turn": (
        edit(turns__1__settings__steps=3),
        "session.json: unknown key turns[1].settings.steps",
    ),
    "scores": (edit(turns__1__scores=["a"]), "turns[1].scores[0] is 'a', expected a number"),
    "picture elsewhere": (
        edit(turns__1__picture="../x.png"),
        "turns[1].picture is '../x.png', expected a file name",
    ),
    "missing picture": (picture(lambda p: p.unlink()), "turns[1].picture: "),
    "truncated picture": (picture(lambda p: p.write_bytes(p.read_bytes()[:70])), "turns[1].picture: "),
    "not a picture": (picture(lambda p: p.write_text("a cat")), "(not a picture; 5 bytes)"),
    "picture of another size": (
        picture(lambda p: Image.new("RGB", (8, 9)).save(p)),
        "is 8x9, expected 32 squared",
    ),
    "missing canvas": (lambda f: next(f.glob("canvas-*.png")).unlink(), "session.json: canvas: "),
}


@pytest.mark.parametrize(("spoil", "says"), FAULTS.values(), ids=FAULTS.keys())
def test_fault_table(session, tiny_pipeline, tmp_path, spoil, says):
    session.save(tmp_path)
    spoil(tmp_path)
    with pytest.raises(InputError) as error:
        DrawingSession.load(tmp_path, tiny_pipeline)
    message = str(error.value)
    assert message.startswith(f"{tmp_path}/session.json: ") and says in message and "\n" not in message


class Understanding:
    """A pipeline whose plan tells what it understood: whether to go back is read off the text."""

    def __init__(self, pipeline):
        self.real = pipeline

    def __getattr__(self, name):
        return getattr(self.real, name)

    def draw(self, image, instruction, *rest, **options):
        out = self.real.draw(image, instruction, *rest, **options)
        outcome = "undo" if "undo" in instruction else "changed"
        return replace(out, answers=[Answer(outcome, f"heard {instruction}", 0.9)])


def test_an_answer_is_kept_with_its_turn(tiny_pipeline, tmp_path):
    session = DrawingSession(Understanding(tiny_pipeline))
    session.say("Add a red cube")
    assert str(session.answer) == "heard Add a red cube"
    session.save(tmp_path)
    assert DrawingSession.load(tmp_path, tiny_pipeline).turns[0].answer == session.answer


def test_a_text_can_take_back_the_turn_before(tiny_pipeline):
    session = DrawingSession(Understanding(tiny_pipeline))
    before = session.say("Add a red cube")
    session.say("Add a blue sphere")
    assert session.say("undo that") == before
    assert len(session.turns) == 1 and session.answer.outcome == "undo"
    session.redo()
    assert len(session.turns) == 2
