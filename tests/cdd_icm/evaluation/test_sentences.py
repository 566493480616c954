"""Sentences in plain speech: how they are read, how they are judged, and that training never saw them."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from cdd_icm.data import load_dialogs
from cdd_icm.errors import InputError
from cdd_icm.evaluation.detector import Detections
from cdd_icm.evaluation.sentences import NEAR, PARTS, STILL, judge, read_sentences, scenes

ROOT = Path(__file__).parents[3]
FILES = {"iclevr": "blocks", "codraw": "clip_art"}

ADD = {"change": "add", "classes": ["red sphere"]}
REMOVE = {"change": "remove", "classes": ["blue cube"]}
NONE = {"change": "none"}

BEFORE = {"blue cube": (0.5, 0.43), "green cube": (0.2, 0.7)}


def beside(change, side, of="blue cube"):
    return {**change, "sides": [{"side": side, "of": of}]}


MOVE = beside({"change": "move", "classes": ["green cube"]}, "right")


@pytest.fixture
def read(tmp_path):
    """A function from expectations to the sentence that a file of one line holds."""

    def read(*expect, **fields):
        line = {"kind": "k", "before": [], "sentence": "s", "expect": expect, **fields}
        (tmp_path / "some.jsonl").write_text(json.dumps(line))
        return read_sentences(tmp_path / "some.jsonl")[0]

    return read


LEFT_AND_BEHIND = {**ADD, "sides": [{"side": s, "of": "blue cube"} for s in ("left", "behind")]}
ANY = {"change": "add", "classes": ["red cube", "red sphere"]}

RIGHT = {
    "add": ([ADD], {"red sphere": (0.9, 0.9)}),
    "add left": ([beside(ADD, "left")], {"red sphere": (0.49, 0.9)}),
    "add right": ([beside(ADD, "right")], {"red sphere": (0.51, 0.9)}),
    "add in front": ([beside(ADD, "front")], {"red sphere": (0.1, 0.44)}),
    "add behind": ([beside(ADD, "behind")], {"red sphere": (0.1, 0.42)}),
    "add near": ([beside(ADD, "near")], {"red sphere": (0.5, 0.43 + 0.99 * NEAR)}),
    "add left and behind": ([LEFT_AND_BEHIND], {"red sphere": (0.4, 0.4)}),
    "add at the left": ([{**ADD, "at": ["left"]}], {"red sphere": (0.44, 0.9)}),
    "add at the top right": ([{**ADD, "at": ["top", "right"]}], {"red sphere": (0.56, 0.39)}),
    "add in the middle": ([{**ADD, "at": ["middle"]}], {"red sphere": (0.31, 0.9)}),
    "add any": ([ANY], {"red cube": (0.9, 0.9)}),
    "add two": (
        [ADD, beside({"change": "add", "classes": ["cyan cube"]}, "left", "red sphere")],
        {"red sphere": (0.9, 0.9), "cyan cube": (0.8, 0.2)},
    ),
    "remove": ([REMOVE], {"blue cube": None}),
    "replace": ([REMOVE, ADD], {"blue cube": None, "red sphere": (0.5, 0.43)}),
    "move": ([MOVE], {"green cube": (0.6, 0.7)}),
    "others stay": ([ADD], {"red sphere": (0.9, 0.9), "blue cube": (0.5 + 0.9 * STILL, 0.43)}),
}
"""Expectations, and what is then elsewhere than in `BEFORE`, or gone (None)."""

WRONG = {
    "add": ([ADD], {}, "no new red sphere"),
    "add another": (
        [ADD],
        {"red cube": (0.9, 0.9)},
        "no new red sphere; the red cube is new, too",
    ),
    "add one more": (
        [ADD],
        {"red sphere": (0.9, 0.9), "red cube": (0.1, 0.1)},
        "the red cube is new, too",
    ),
    "add left": (
        [beside(ADD, "left")],
        {"red sphere": (0.51, 0.9)},
        "the red sphere is not left of the blue cube",
    ),
    "add right": (
        [beside(ADD, "right")],
        {"red sphere": (0.49, 0.9)},
        "the red sphere is not right of the blue cube",
    ),
    "add in front": (
        [beside(ADD, "front")],
        {"red sphere": (0.1, 0.42)},
        "the red sphere is not in front of the blue cube",
    ),
    "add behind": (
        [beside(ADD, "behind")],
        {"red sphere": (0.1, 0.44)},
        "the red sphere is not behind the blue cube",
    ),
    "add near": (
        [beside(ADD, "near")],
        {"red sphere": (0.5, 0.43 + 1.01 * NEAR)},
        "the red sphere is not near the blue cube",
    ),
    "add left and behind": (
        [LEFT_AND_BEHIND],
        {"red sphere": (0.4, 0.9)},
        "the red sphere is not behind the blue cube",
    ),
    "add at the left": (
        [{**ADD, "at": ["left"]}],
        {"red sphere": (0.46, 0.9)},
        "the red sphere is not at the left",
    ),
    "add at the top right": (
        [{**ADD, "at": ["top", "right"]}],
        {"red sphere": (0.54, 0.41)},
        "the red sphere is not at the top; the red sphere is not at the right",
    ),
    "add in the middle": (
        [{**ADD, "at": ["middle"]}],
        {"red sphere": (0.29, 0.9)},
        "the red sphere is not at the middle",
    ),
    "add any": ([ANY], {}, "no new red cube or red sphere"),
    "add any, and both came": (
        [ANY],
        {"red cube": (0.9, 0.9), "red sphere": (0.1, 0.1)},
        "the red sphere is new, too",
    ),
    "remove": ([REMOVE], {}, "the blue cube is still there"),
    "remove another": (
        [REMOVE],
        {"green cube": None},
        "the blue cube is still there; the green cube is gone",
    ),
    "replace": (
        [REMOVE, ADD],
        {"red sphere": (0.5, 0.43)},
        "the blue cube is still there",
    ),
    "move": (
        [MOVE],
        {},
        "the green cube has not moved; the green cube is not right of the blue cube",
    ),
    "move elsewhere": (
        [MOVE],
        {"green cube": (0.4, 0.7)},
        "the green cube is not right of the blue cube",
    ),
    "move out of the picture": ([MOVE], {"green cube": None}, "the green cube is gone"),
    "others stay": (
        [ADD],
        {"red sphere": (0.9, 0.9), "blue cube": (0.5 + 1.1 * STILL, 0.43)},
        "the blue cube has moved",
    ),
}


def after(changes):
    return {name: place for name, place in {**BEFORE, **changes}.items() if place is not None}


@pytest.mark.parametrize(("expect", "changes"), RIGHT.values(), ids=RIGHT)
def test_right(read, expect, changes):
    assert judge(read(*expect), BEFORE, after(changes), unchanged=False) == ("right", "")


@pytest.mark.parametrize(("expect", "changes", "reason"), WRONG.values(), ids=WRONG)
def test_wrong(read, expect, changes, reason):
    assert judge(read(*expect), BEFORE, after(changes), unchanged=False) == ("wrong", reason)


def test_nothing_asked_means_nothing_changed(read):
    assert judge(read(NONE), BEFORE, BEFORE, unchanged=True) == ("right", "")
    outcome = judge(read(NONE), BEFORE, after({"red cube": (0.5, 0.5)}), unchanged=False)
    assert outcome == ("wrong", "the picture has changed: the red cube is new")
    outcome = judge(read(NONE), BEFORE, BEFORE, unchanged=False)
    assert outcome == ("wrong", "the picture has changed: in no object that the detector finds")


def test_a_picture_that_is_the_same_is_said_to_be(read):
    assert judge(read(REMOVE), BEFORE, BEFORE, unchanged=True) == ("wrong", "the picture is unchanged")


@pytest.mark.parametrize(
    ("expect", "before", "reason"),
    [
        (REMOVE, {}, "there is no blue cube before"),
        (MOVE, {"green cube": (0.2, 0.7)}, "there is no blue cube before"),
        (beside(ADD, "left"), {"green cube": (0.2, 0.7)}, "there is no blue cube before"),
        (ADD, {"red sphere": (0.2, 0.7)}, "the red sphere is there before"),
        (MOVE, {**BEFORE, "green cube": (0.9, 0.7)}, "the green cube is before where it shall be moved to"),
    ],
)
def test_unusable(read, expect, before, reason):
    assert judge(read(expect), before, before, unchanged=True) == ("unusable", reason)


def test_one_of_several_classes_may_be_there_before(read):
    before = {**BEFORE, "red cube": (0.9, 0.9)}
    assert judge(read(ANY), before, {**before, "red sphere": (0.1, 0.1)}, unchanged=False) == ("right", "")
    reason = "the red cube and the red sphere is there before"
    both = {"red cube": (0.9, 0.9), "red sphere": (0.1, 0.1)}
    assert judge(read(ANY), both, both, unchanged=False) == ("unusable", reason)


def test_scenes_hold_what_is_present():
    coordinates = np.array([[[0.25, 0.5], [0.75, 1.0]]] * 2, np.float32)
    found = Detections(np.array([[True, False], [True, True]]), coordinates)
    assert scenes(found, ["a", "b"]) == [{"a": (0.25, 0.5)}, {"a": (0.25, 0.5), "b": (0.75, 1.0)}]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "not JSON"),
        ("[1]", r"\[1\] is not a JSON object"),
        ('{"kind": "k"}', "before is missing"),
        ({"sentence": 3}, "sentence is 3, expected text"),
        ({"sentence": " "}, "sentence: ' ' has no text"),
        ({"before": [""]}, "before: '' has no text"),
        ({"sentence": "\ud800"}, r"sentence: '.ud800' has a lone surrogate"),
        ({"sentense": "s"}, "unknown key sentense; the nearest is sentence"),
        ({"expect": []}, "expect: has 0 entries"),
        ({"expect": [NONE, ADD]}, "expect: has 2 entries, expected 'none' alone"),
        ({"expect": [{"change": "ad"}]}, r"expect\[0\].change is 'ad', expected add"),
        ({"expect": [{"change": "add"}]}, r"expect\[0\].classes: \[\] with 'add', expected at least one"),
        ({"expect": [{**ANY, "change": "remove"}]}, r"expect\[0\].classes: .* expected one"),
        ({"expect": [{**ADD, "change": "none"}]}, r"expect\[0\].classes: .* expected none"),
        ({"expect": [{**ADD, "at": ["up"]}]}, r"expect\[0\].at\[0\] is 'up', expected left"),
        ({"expect": [beside(ADD, "above")]}, r"expect\[0\].sides\[0\].side is 'above', expected left"),
        ({"expect": [{**REMOVE, "at": ["left"]}]}, r"expect\[0\]: 'remove' with a place"),
        ({"expect": [{**REMOVE, "change": "move"}]}, r"expect\[0\]: 'move' without a place"),
        ({"expect": [ADD, ANY]}, r"expect\[1\].classes: 'red sphere' is in another change, too"),
    ],
)
def test_a_wrong_line_is_named(tmp_path, line, message):
    if isinstance(line, dict):
        line = json.dumps({"kind": "k", "before": [], "sentence": "s", "expect": [ADD], **line})
    file = tmp_path / "some.jsonl"
    file.write_text(f"\n{line}\n")
    with pytest.raises(InputError, match=rf"some\.jsonl:2: {message}"):
        read_sentences(file)


def test_a_file_without_sentences_is_named(tmp_path):
    with pytest.raises(InputError, match=r"none\.jsonl: No such file"):
        read_sentences(tmp_path / "none.jsonl")
    (tmp_path / "none.jsonl").touch()
    with pytest.raises(InputError, match=r"none\.jsonl: no sentence here"):
        read_sentences(tmp_path / "none.jsonl")


@pytest.mark.parametrize(("world", "name"), FILES.items())
def test_the_shipped_detector_knows_the_classes_of_the_sets(world, name):
    config = json.loads((ROOT / "data" / "pretrained" / f"detector_{world}" / "config.json").read_text())
    sentences = read_sentences(ROOT / "data" / "plain_speech" / f"{name}.jsonl")
    named = {one for sentence in sentences for one in sentence.classes()}
    assert len(named) > 15 and named <= set(config["classes"])
    assert {part for s in sentences for each in s.expect for part in each.at} <= set(PARTS)
    assert len({(s.sentence, s.before) for s in sentences}) == len(sentences) > 100


def plain(text):
    """Case-folded, without punctuation."""
    return " ".join(re.sub(r"[^\w\s]|_", " ", text.casefold()).split())


def training_texts(folder):
    """Every instruction, and of CoDraw's also every message by itself."""
    metadata = folder / "train" / "metadata.jsonl"
    if metadata.exists():
        texts = [json.loads(line).get("instruction") or "" for line in metadata.read_text().splitlines()]
    else:
        texts = [turn.instruction for dialog in load_dialogs(folder, "train") for turn in dialog.turns]
    messages = [message for text in texts for message in re.split("<teller>|<drawer>", text)]
    return {plain(text) for text in (*texts, *messages)}


@pytest.mark.slow  # reads whole data sets
@pytest.mark.parametrize("data", ["iclevr", "codraw", "clevr_edits"])
def test_training_never_saw_the_sentences(real_data, data):
    if not (real_data / data).exists():
        pytest.skip(f"{data} is not there")
    texts = training_texts(real_data / data)
    assert len(texts) > 5000
    for name in FILES.values():
        sentences = read_sentences(ROOT / "data" / "plain_speech" / f"{name}.jsonl")
        assert [s.sentence for s in sentences if plain(s.sentence) in texts] == [], name
