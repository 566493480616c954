"""The command that replays sentences, with a pipeline and a detector of random weights."""

import json

import numpy as np
import pytest

from cdd_icm.cli import main
from cdd_icm.data.picture import to_square
from cdd_icm.device import device_name, find_device
from cdd_icm.evaluation import fingerprint
from cdd_icm.evaluation.detector import Detections, Detector
from cdd_icm.evaluation.replay import Case, by_kind, draw, names_for, nothing_asked, replay
from cdd_icm.evaluation.sentences import Change, Sentence, judge, scenes
from cdd_icm.sampling.session import DrawingSession
from tests.cdd_icm.conftest import CLASSES

ADD = (Change("add", ("red cube",)),)
NONE = (Change("none"),)


@pytest.fixture
def command(tiny_pipeline, tmp_path):
    tiny_pipeline.save_pretrained(tmp_path / "model")
    Detector([*CLASSES], image_size=32, widths=(8, 8, 8)).save_pretrained(tmp_path / "detector")
    lines = [
        {"kind": "move", "before": ["Add a blue sphere"], "sentence": "a red cube, please", "expect": ADD},
        {"kind": "nonsense", "before": [], "sentence": "hello", "expect": NONE},
    ]
    text = "".join(json.dumps(line, default=vars) + "\n" for line in lines)
    (tmp_path / "some.jsonl").write_text(text)
    options = {name: str(tmp_path / name) for name in ("model", "detector")}
    words = [word for name, value in options.items() for word in (f"--{name}", value)]
    return ["sentences", str(tmp_path / "some.jsonl"), *words, "--report", str(tmp_path / "report.json")]


def test_the_command_prints_a_table_and_writes_a_report(command, tmp_path, capsys):
    assert main([*command, "--seed", "3", "--device", "cpu"]) == 0
    report = json.loads((tmp_path / "report.json").read_text())
    assert [case["sentence"] for case in report["cases"]] == ["a red cube, please", "hello"]
    assert all(bool(case["reason"]) == (case["outcome"] != "right") for case in report["cases"])
    assert report["model"]["fingerprint"] == fingerprint.of_folder(tmp_path / "model")
    assert report["detector"]["fingerprint"] == fingerprint.of_folder(tmp_path / "detector")
    assert report["code"] == fingerprint.of_code() and report["seed"] == 3
    assert report["device"] == device_name(find_device("cpu")) and "torch" in report["versions"]
    assert [each["kind"] for each in report["kinds"]] == ["move", "nonsense"]
    assert report["nothing_asked"]["sentences"] == 1
    assert report["nothing_asked"]["changed"] == (not report["cases"][1]["unchanged"])
    out = capsys.readouterr().out
    assert "| kind | sentences | unusable | right, per cent |" in out and "| nonsense | 1 | 0 |" in out


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"some.jsonl": '{"kind": 1}'}, "some.jsonl:1: kind is 1"),
        ({"some.jsonl": "ADD a dog"}, "some.jsonl:1: not JSON"),
        ({"report.json": None}, "report.json: can't be written"),
    ],
)
def test_what_can_not_be_used_is_one_line(command, tmp_path, capsys, change, message):
    for name, text in change.items():
        (tmp_path / name).mkdir() if text is None else (tmp_path / name).write_text(text)
    assert main(command) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


def test_a_class_that_the_detector_does_not_know_is_named(command, tmp_path, capsys):
    line = {"kind": "k", "before": [], "sentence": "s", "expect": [{"change": "add", "classes": ["dog"]}]}
    (tmp_path / "some.jsonl").write_text(json.dumps(line))
    assert main(command) == 2
    assert "some.jsonl: expect: the detector" in (error := capsys.readouterr().err) and "'dog'" in error
    assert main([*command[:-2], "--report", str(tmp_path / "report.txt")]) == 2
    assert "the name must end in .json" in capsys.readouterr().err


def test_the_pictures_are_those_of_a_session(tiny_pipeline):
    session = DrawingSession(tiny_pipeline, seed=5)
    reference, picture = np.asarray(session.say("Add a blue sphere")), np.asarray(session.say("hello"))
    drawn = draw(tiny_pipeline, Sentence("k", ("Add a blue sphere",), "hello", NONE), seed=5)
    assert (drawn[0] == reference).all() and (drawn[1] == picture).all()


class RedCubeAppears:
    """Finds a red cube in the second of two pictures."""

    config = Detector(["red cube"], image_size=32, widths=(8, 8, 8)).config

    def detect(self, pictures):
        assert pictures.shape == (2, 32, 32, 3)
        return Detections(np.array([[False], [True]]), np.full((2, 1, 2), 0.5, np.float32))


def test_each_sentence_is_judged_by_what_the_detector_finds(tiny_pipeline):
    asked = [Sentence("a", (), "a red cube", ADD), Sentence("b", (), "hello", NONE)]
    cases = replay(tiny_pipeline, asked, RedCubeAppears(), ["red cube"])
    blank = to_square(tiny_pipeline.canvas, 32)
    assert cases[0].unchanged == bool((draw(tiny_pipeline, asked[0])[1] == blank).all())
    assert cases[0].outcome == ("wrong" if cases[0].unchanged else "right")
    assert cases[1].outcome == ("right" if cases[1].unchanged else "wrong")


def test_a_detector_of_sizes_judges_sentences_that_tell_none():
    """Its objects are called as the sentences do."""
    classes = ["large red cube", "small blue cube", "small red cube"]
    detector = Detector(classes, image_size=32, widths=(8, 8, 8), class_traits={"size": "large"})
    assert names_for(detector, {"small red cube", "large red cube"}) == classes
    names = names_for(detector, {"red cube", "green cube"})
    assert names == ["red cube", "blue cube", "red cube"]
    before = Detections(np.array([[True, False, False]]), np.full((1, 3, 2), 0.5, np.float32))
    after = Detections(np.array([[False, True, True]]), np.full((1, 3, 2), 0.5, np.float32))
    (first,), (second,) = scenes(before, names), scenes(after, names)
    asked = Sentence("a", (), "a blue cube", (Change("add", ("blue cube",)),))
    assert judge(asked, first, second, unchanged=False) == ("right", "")


def test_the_command_takes_a_detector_of_sizes(command, tmp_path, capsys):
    classes = ["large blue sphere", "large red cube", "small red cube"]
    detector = Detector(classes, image_size=32, widths=(8, 8, 8), class_traits={"size": "large"})
    detector.save_pretrained(tmp_path / "detector")
    assert main([*command, "--device", "cpu"]) == 0
    line = {"kind": "k", "before": [], "sentence": "s"}
    line["expect"] = [{"change": "add", "classes": ["red cube", "small red cube"]}]  # which of them is it?
    (tmp_path / "some.jsonl").write_text(json.dumps(line))
    assert main(command) == 2
    assert "does not know the class 'red cube'" in capsys.readouterr().err


def test_counts_by_kind():
    cases = [
        Case(Sentence("a", (), "s", ADD), "right", "", False),
        Case(Sentence("b", (), "s", NONE), "wrong", "r", False),
        Case(Sentence("a", (), "s", ADD), "unusable", "r", True),
        Case(Sentence("b", (), "s", NONE), "right", "", True),
    ]
    assert by_kind(cases) == [
        {"kind": "a", "sentences": 2, "unusable": 1, "right": 1},
        {"kind": "b", "sentences": 2, "unusable": 0, "right": 1},
    ]
    assert nothing_asked(cases) == {"sentences": 2, "changed": 1}
