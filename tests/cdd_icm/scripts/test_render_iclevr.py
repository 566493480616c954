"""`scripts/render_iclevr.py`: the world, the words, the files, the comparison; and, where Blender's module
is installed, pictures."""

import importlib.util
import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import render_iclevr
import yaml
from render import blender
from render.dialogs import make_dialog, read_dialogs
from render.grammar import DEFAULT, read_grammar, relation
from render.output import is_done
from render.world import APART, MARGIN, REACH, Camera, Object, fits, sample_objects, visible_shares

from cdd_icm.data import load_dialogs
from cdd_icm.errors import InputError

ROOT = Path(__file__).parents[3]
SAMPLE = ROOT / "data" / "iclevr_sample"
CAMERA = Camera()
needs_blender = pytest.mark.skipif(
    importlib.util.find_spec("bpy") is None,
    reason="the extra `render` (Blender's module bpy) is not installed",
)


def test_the_camera_sees_the_objects_where_the_data_say():
    dialogs = [d for split in ("train", "val", "test") for d in read_dialogs(SAMPLE, split, CAMERA)]
    assert len(dialogs) == 18
    for dialog in dialogs:
        seen = CAMERA.project(np.array([each.centre for each in dialog.objects]))
        assert np.abs(seen[:, :2] - np.array(dialog.told)[:, :2]).max() < 0.502
        assert np.abs(seen[:, 2] - np.array(dialog.told)[:, 2]).max() < 2e-4


def test_what_is_read_is_written_again():
    """Scenes and texts, but for four pixels in ten thousand that rounding decides."""
    for dialog in read_dialogs(SAMPLE, "test", CAMERA):
        scene = json.loads((SAMPLE / f"scenes/{dialog.id}.json").read_text())
        ours = {k: v for k, v in dialog.scene.items() if k != "camera"}
        for each, other in zip(ours["objects"], scene["objects"], strict=True):
            assert each.pop("pixel_coords")[:2] == other.pop("pixel_coords")[:2]
        assert ours == scene
        assert "\n".join(dialog.texts) + "\n" == (SAMPLE / f"text/{dialog.id}.txt").read_text()


def test_a_wide_picture_squeezes_the_frame():
    high = CAMERA.project(np.array([[1.0, 1.0, 2.0]]))[0]
    wide = Camera(shape=2.0).project(np.array([[1.0, 1.0, 2.0]]))[0]
    assert wide[0] == high[0] and wide[1] - 120 == pytest.approx(2 * (high[1] - 120))


def test_the_axes_are_orthonormal_and_a_nearer_object_hides():
    for camera in (CAMERA, CAMERA.jittered(1.0, np.random.default_rng(0))):
        assert np.allclose(camera.axes @ camera.axes.T, np.eye(3))
        x, y, depth = camera.project(np.zeros((1, 3)))[0]
        assert (x, y) == pytest.approx((160, 120)) and depth == pytest.approx(np.linalg.norm(camera.location))
    front = Object("red", "cube", 0.0, 0.0)
    behind = Object("blue", "cube", *(1.5 * CAMERA.directions["behind"][:2]))
    shares = visible_shares([behind, front], CAMERA)
    assert shares[1] == pytest.approx(1, abs=0.02) and shares[0] < 0.7
    assert visible_shares([behind], CAMERA)[0] == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("seed", range(8))
def test_objects_are_apart_in_the_frame_and_seen(seed):
    camera = Camera(shape=1.2 if seed % 2 else 1.0).jittered(0.3, np.random.default_rng(seed))
    objects = sample_objects(5, camera, np.random.default_rng(seed))
    places = np.array([(each.x, each.y) for each in objects])
    apart = np.linalg.norm(places[:, None] - places, axis=-1) + 9 * np.eye(5)
    assert apart.min() >= APART and np.abs(places).max() <= REACH and (places[0] == 0).all()
    assert len({(each.color, each.shape) for each in objects}) == 5
    seen = camera.project(np.array([each.centre for each in objects]))
    assert (seen[:, :2] > MARGIN).all() and (seen[:, :2] < np.array([320, 240]) - MARGIN).all()
    assert all(fits(objects[: n + 1], camera) for n in range(5))


def test_too_many_objects_are_refused():
    with pytest.raises(InputError, match=r"^turns: 25, expected from 1 to 24, the number of classes$"):
        sample_objects(25, CAMERA, np.random.default_rng(0))


def sides(text):
    """What the default grammar's relations say: each a set of sides and a name or "it"."""
    pattern = r"(behind|in front of|on the left of|on the right of) (it|the \w+ \w+)(?: on the (left|right))?"
    names = {"in front of": "front", "on the left of": "left", "on the right of": "right"}
    return [({names.get(a, a), c} - {""}, b.removeprefix("the ")) for a, b, c in re.findall(pattern, text)]


def test_texts_are_true_of_the_scene_and_of_the_form_of_the_data():
    grammar, without_it = read_grammar(DEFAULT), 0
    for number in range(12):
        dialog = make_dialog("train", number, 0, 5, CAMERA, 0.0, grammar)
        assert dialog.texts[0].endswith(" at the center")
        for turn, text in list(enumerate(dialog.texts))[1:]:
            new, others = dialog.objects[turn], dialog.objects[:turn]
            assert text.startswith(f"Add a {new.color} {new.shape} ")
            told = sides(text)
            assert len(told) == min(turn, 2) and len({name for _, name in told}) == len(told)
            for said, name in told:
                (other,) = [
                    o
                    for o in others
                    if name in ("it", f"{o.color} {o.shape}") and (name != "it" or o is others[-1])
                ]
                assert said == set(relation(new, other, CAMERA).split())
            without_it += "it" not in [name for _, name in told]
    assert 0 < without_it < 20


def test_the_default_words_are_those_of_the_data():
    grammar = read_grammar(DEFAULT)
    for dialog in read_dialogs(SAMPLE, "train", CAMERA):
        for turn, text in list(enumerate(dialog.texts))[1:]:
            new, others = dialog.objects[turn], dialog.objects[:turn]
            for said, name in sides(text):
                (other,) = [
                    o for o in others if (o is others[-1] if name == "it" else name == f"{o.color} {o.shape}")
                ]
                found = relation(new, other, CAMERA)
                assert said == set(found.split())
                of = "it" if name == "it" else f"the {name}"
                assert grammar.relations[found][0].format(of=of) in text


def test_a_dialog_depends_on_its_number_alone():
    grammar = read_grammar(DEFAULT)
    made = [make_dialog("train", n, 0, 4, CAMERA, 0.2, grammar) for n in (0, 1, 0)]
    assert made[0] == made[2] != made[1] and made[0].camera != made[1].camera
    assert made[0] != make_dialog("val", 0, 0, 4, CAMERA, 0.2, grammar)


def changed(tmp_path, edit):
    values = yaml.safe_load(DEFAULT.read_text())
    edit(values)
    file = tmp_path / "grammar.yaml"
    file.write_text(yaml.safe_dump(values))
    return file


def test_an_own_grammar_is_used(tmp_path):
    def edit(values):
        values["colors"]["red"] = ["scarlet", "crimson"]
        values["first"] = ["place a {new} in the middle"]

    grammar = read_grammar(changed(tmp_path, edit))
    texts = [make_dialog("train", n, 0, 3, CAMERA, 0.0, grammar).texts for n in range(30)]
    words = " ".join(" ".join(each) for each in texts)
    assert "scarlet" in words and "crimson" in words and not re.search(r"\bred\b", words)
    assert all(each[0].startswith("place a ") for each in texts)


BROKEN = {
    "a key is missing": (lambda v: v.pop("it"), "it is missing"),
    "a key is unknown": (lambda v: v.update(its=["it"]), "'its' is unknown, expected object, it, "),
    "a color": (lambda v: v["colors"].pop("red"), "colors: red is missing"),
    "a group": (lambda v: v.update(shapes=["cube"]), "shapes: list, expected a mapping of keys"),
    "no list": (lambda v: v.update(it="it"), "it is 'it', expected a list of texts"),
    "none": (lambda v: v.update(it=[]), "it is [], expected a list of texts"),
    "a placeholder is missing": (
        lambda v: v.update(first=["Add one"]),
        "first: 'Add one', expected a wording with {new}",
    ),
    "another placeholder": (
        lambda v: v["relations"].update(left=["left of {of} {x}"]),
        "relations: left: 'left of {of} {x}', expected a wording with {of}",
    ),
    "code": (
        lambda v: v.update(first=["{new.__class__}"]),
        "first: '{new.__class__}', expected a wording with {new}",
    ),
    "a brace": (lambda v: v.update(first=["{new"]), "first: '{new' is no wording ("),
    "two lines": (lambda v: v.update(it=["i\nt"]), "it: 'i\\nt', expected a text of one line"),
}


@pytest.mark.parametrize(("edit", "line"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_grammar_is_one_line(tmp_path, edit, line):
    file = changed(tmp_path, edit)
    with pytest.raises(InputError) as refused:
        read_grammar(file)
    assert re.sub(r"^: ?|^ ", "", str(refused.value).removeprefix(str(file))).startswith(line)
    assert "\n" not in str(refused.value)


class Painter:
    """Stands for Blender: a picture tells which objects, camera and seed it is of."""

    rendered: list = []
    dies_at: int | None = None

    def __init__(self, size, samples, threads):
        self.size = size

    def render(self, objects, camera, seed):
        Painter.rendered.append((len(objects), seed))
        if Painter.dies_at is not None and len(Painter.rendered) > Painter.dies_at:
            raise KeyboardInterrupt
        rng = np.random.default_rng([seed, *(ord(c) for each in objects for c in each.color)])
        return rng.integers(0, 255, (self.size[1], self.size[0], 3), np.uint8)


@pytest.fixture
def painter(monkeypatch):
    monkeypatch.setattr(blender, "Renderer", Painter)
    monkeypatch.setattr(Painter, "rendered", [])
    monkeypatch.setattr(Painter, "dies_at", None)
    return Painter


def command(out, *words):
    return render_iclevr.main([str(out), "--dialogs", "3", "--turns", "3", "--size", "32x24", *words])


def contents(folder):
    return {
        f.relative_to(folder).as_posix(): f.read_bytes() for f in sorted(folder.rglob("*")) if f.is_file()
    }


def test_what_is_written_is_a_data_set(painter, tmp_path, capsys):
    assert command(tmp_path / "out", "--camera-jitter", "0.2") == 0
    assert capsys.readouterr().out == f"{tmp_path / 'out'}: 3 dialogs rendered, 0 were there\n"
    dialogs = load_dialogs(tmp_path / "out", split="train")
    assert [len(dialog.turns) for dialog in dialogs] == [3, 3, 3]
    assert (
        dialogs[0].turns[2].picture.decode().shape == (24, 32, 3)
        and dialogs[0].canvas.decode().shape[0] == 24
    )
    assert [len(turn.objects) for turn in dialogs[1].turns] == [1, 2, 3]
    again = list(read_dialogs(tmp_path / "out", "train", CAMERA))
    made = [make_dialog("train", n, 0, 3, CAMERA, 0.2, read_grammar(DEFAULT)) for n in range(3)]
    assert [(d.camera, d.objects, d.texts) for d in again] == [(d.camera, d.objects, d.texts) for d in made]


@pytest.mark.parametrize("dies_at", [0, 1, 3, 4, 8])
def test_a_stopped_run_goes_on_to_the_same_files(painter, tmp_path, capsys, dies_at):
    assert command(tmp_path / "whole") == 0
    painter.rendered, painter.dies_at = [], dies_at
    assert command(tmp_path / "out") == 130
    painter.rendered, painter.dies_at = [], None
    assert command(tmp_path / "out") == 0
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")
    whole_before = max(dies_at - 1, 0) // 3
    assert len(painter.rendered) == (3 - whole_before) * 3 + (dies_at == 0)
    assert command(tmp_path / "out") == 0 and "0 dialogs rendered, 3 were there" in capsys.readouterr().out


def test_a_dialog_without_its_scene_is_rendered_again(painter, tmp_path):
    assert command(tmp_path / "out") == 0
    whole = contents(tmp_path / "out")
    dialog = make_dialog("train", 1, 0, 3, CAMERA, 0.0, read_grammar(DEFAULT))
    assert is_done(tmp_path / "out", dialog)
    (tmp_path / "out" / "scenes" / f"{dialog.id}.json").unlink()
    painter.rendered = []
    assert not is_done(tmp_path / "out", dialog) and command(tmp_path / "out") == 0
    assert len(painter.rendered) == 3 and contents(tmp_path / "out") == whole


def test_some_of_a_split_are_rendered_like_another_and_compared(painter, tmp_path, capsys):
    words = ["--split", "train", "--like", str(SAMPLE), "--every", "5", "--size", "160x120"]
    report = tmp_path / "report.json"
    command = [
        str(tmp_path / "out"),
        *words,
        "--compare",
        str(SAMPLE),
        "--sample",
        "7",
        "--report",
        str(report),
    ]
    assert render_iclevr.main(command) == 0
    out = capsys.readouterr().out
    assert "3 dialogs rendered" in out and "7 pictures: 0 files equal" in out
    figures = json.loads(report.read_text())
    assert figures["pictures"] == 7 == len(figures["each"]) and figures["mean_level_difference"] > 20
    camera = figures["camera"]
    assert camera["objects"] == 60 and camera["equal_when_rounded"] >= 59
    assert camera["largest_error_beyond_rounding"] < 0.002
    assert render_iclevr.main([*command[:-1], str(tmp_path / "same.json"), "--compare-only"]) == 0
    same = [str(SAMPLE), "--split", "test", "--dialogs", "1", "--compare", str(SAMPLE), "--compare-only"]
    assert render_iclevr.main([*same, "--report", str(report)]) == 0
    figures = json.loads(report.read_text())
    assert figures["equal_files"] == figures["equal_pixels"] == figures["pictures"] == 15


def test_the_page_has_the_figures_of_the_report():
    page, report = (
        (ROOT / "docs/render.md").read_text(),
        json.loads((ROOT / "reports/render_iclevr.json").read_text()),
    )
    camera = report["camera"]
    for figure in (
        f"| {report['equal_files']} of {report['pictures']} |",
        f"| {report['mean_level_difference']} (the worst picture: {report['worst_level_difference']}) |",
        f"| {report['background_level_difference']} |",
        f"On {report['pictures']} pictures of {report['dialogs']} dialogs",
        f"{camera['equal_when_rounded']:,} of {camera['objects']:,}",
        f"by at most {camera['largest_error_beyond_rounding']} pixels",
    ):
        assert figure in page, figure


REFUSED = {
    "size": (["--size", "x"], "argument --size: x is not a size such as 160x120"),
    "small": (["--size", "8x8"], "argument --size: 8x8 is not a size such as 160x120, of at least 16"),
    "large": (["--size", "99999x99999"], "--size 99999x99999 has 9999800001 pixels, over the limit"),
    "split": (["--split", "a/b"], "argument --split: a/b is not a name of letters and digits, such as train"),
    "turns": (["--turns", "30"], "turns: 30, expected from 1 to 24"),
    "jitter": (["--camera-jitter", "3"], "--camera-jitter 3: expected from 0 to 2"),
    "report": (["--report", "r.json"], "--report: it is of --compare, which is not given"),
    "grammar": (["--grammar", "nowhere.yaml"], "nowhere.yaml: No such file"),
    "like": (["--like", str(SAMPLE), "--split", "other"], f"{SAMPLE}: no scenes/CLEVR_other_*.json"),
}


@pytest.mark.parametrize(("words", "line"), REFUSED.values(), ids=REFUSED.keys())
def test_bad_arguments_are_one_line(painter, tmp_path, monkeypatch, capsys, words, line):
    monkeypatch.chdir(tmp_path)
    try:
        status = command(tmp_path / "out", *words)
    except SystemExit as error:
        status = error.code
    assert status == 2 and line in capsys.readouterr().err.splitlines()[-1]
    assert not list(tmp_path.rglob("*.webp"))


def test_other_settings_or_files_are_refused(painter, tmp_path, capsys):
    assert command(tmp_path / "out") == 0
    whole = contents(tmp_path / "out")
    assert command(tmp_path / "out", "--samples", "8") == 2
    assert "it was begun with samples=16, not 8; give another folder" in capsys.readouterr().err
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    assert command(tmp_path / "mine") == 2
    assert "mine: it has other files; give a new folder" in capsys.readouterr().err
    assert contents(tmp_path / "out") == whole and len(contents(tmp_path / "mine")) == 1


@pytest.mark.skipif(importlib.util.find_spec("bpy") is not None, reason="bpy is installed")
def test_without_blender_it_says_what_to_install(tmp_path, capsys):
    assert command(tmp_path / "out") == 2
    assert "bpy: not installed" in capsys.readouterr().err.splitlines()[-1]


@needs_blender
@pytest.mark.slow
def test_blender_renders_what_the_sample_shows():
    """The same scene looks as in the data: objects at the same pixels, in nearly the same colours."""
    (dialog, *_), (true, *_) = read_dialogs(SAMPLE, "test", CAMERA), load_dialogs(SAMPLE, split="test")
    renderer = blender.Renderer((160, 120), 16, 1)
    pictures = [renderer.render(dialog.objects, dialog.camera, 1) for _ in range(2)]
    assert (pictures[0] == pictures[1]).all()
    assert np.abs(pictures[0].astype(float) - true.turns[-1].picture.decode()).mean() < 4
    empty = renderer.render((), CAMERA, 0)
    assert np.abs(empty.astype(float) - true.canvas.decode()).mean() < 2


@needs_blender
@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_same_files(tmp_path):
    script = ROOT / "scripts" / "render_iclevr.py"

    def start(out):
        words = ["--dialogs", "2", "--turns", "2", "--size", "32x24", "--samples", "4", "--threads", "1"]
        return subprocess.Popen([sys.executable, str(script), str(out), *words], cwd=ROOT)

    assert start(tmp_path / "whole").wait() == 0
    killed = start(tmp_path / "out")
    while killed.poll() is None and not list((tmp_path / "out").rglob("*_0.webp")):
        time.sleep(0.02)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert start(tmp_path / "out").wait() == 0
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")
