"""Kinds of edit, what the judge says of them, and figures that are worked out by hand."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from cdd_icm.cli import main
from cdd_icm.data import load_dialogs
from cdd_icm.evaluation import evaluate, load_detector, shipped_detector
from cdd_icm.evaluation.detector import Detector, look_classes
from cdd_icm.evaluation.edits import edit_between, edits_of, evaluate_edits, judge_edit, words_of
from cdd_icm.evaluation.protocol import true_pictures
from cdd_icm.evaluation.report import edit_lines
from tests.cdd_icm.evaluation.conftest import SIDE, dialog_through

ROOT = Path(__file__).parents[3]
SIZE = {"size": "large"}
HERE, NEXT, THERE = (0.5, 0.5), (0.5, 0.53), (0.2, 0.8)  # the second is within STILL of the first
CUBE, BALL = {"large red cube": HERE}, {"large blue sphere": THERE}

TURNS = {
    "add": ({}, CUBE),
    "add two": ({}, CUBE | BALL),
    "remove": (CUBE | BALL, BALL),
    "move": (CUBE | BALL, {"large red cube": (0.8, 0.5)} | BALL),
    "recolour": (CUBE | BALL, {"large blue cube": HERE} | BALL),
    "reshape": (CUBE | BALL, {"large green sphere": NEXT} | BALL),
    "resize": (CUBE | BALL, {"small red cube": NEXT} | BALL),
    "several": (CUBE | BALL, {"large green cube": (0.9, 0.1)} | BALL),  # one goes, another comes elsewhere
    "nothing": (CUBE, {"large red cube": NEXT}),
}


@pytest.mark.parametrize("kind", TURNS)
def test_a_turn_is_told_by_what_it_changes(kind):
    before, after = TURNS[kind]
    edit = edit_between(before, after, SIZE, "do it")
    assert (edit.asked.kind, edit.asked.sentence) == (kind, "do it")
    assert judge_edit(edit, before, after, unchanged=kind == "nothing") == ("right", "")


@pytest.mark.parametrize(("kind", "other"), [(a, b) for a in TURNS for b in TURNS if a != b])
def test_what_another_kind_asks_for_is_no_success(kind, other):
    before, after = TURNS[kind]
    asked = edit_between(*TURNS[other], SIZE)
    assert judge_edit(asked, before, after, unchanged=False)[0] != "right"


@pytest.mark.parametrize(
    ("kind", "after", "fault"),
    [
        ("recolour", CUBE | BALL, "no new large blue cube"),
        ("recolour", {"large blue cube": THERE} | BALL, "the large blue cube is not where the large red"),
        ("recolour", {"large blue cube": HERE}, "the large blue sphere is gone"),
        ("resize", {"small red cube": HERE, "large blue sphere": HERE}, "the large blue sphere has moved"),
        ("resize", {"small red cube": HERE} | CUBE | BALL, "the large red cube is still there"),
        ("move", {"large red cube": NEXT} | BALL, "the large red cube has not moved"),
        ("move", BALL, "the large red cube is gone"),
        ("remove", BALL | {"large cyan cube": HERE}, "the large cyan cube is new, too"),
        ("add two", CUBE, "no new large blue sphere"),
    ],
)
def test_what_is_missing_or_too_much_is_told(kind, after, fault):
    before, _ = TURNS[kind]
    outcome, reason = judge_edit(edit_between(*TURNS[kind], SIZE), before, after, unchanged=False)
    assert outcome == "wrong" and fault in reason


def test_a_picture_without_what_the_turn_speaks_of_is_told_apart():
    for kind in ("remove", "move", "recolour", "reshape", "resize"):
        edit = edit_between(*TURNS[kind], SIZE)
        assert judge_edit(edit, BALL, BALL, unchanged=True)[0] == "unusable"
    assert judge_edit(edit_between({}, CUBE, SIZE), CUBE, CUBE, unchanged=True)[0] == "unusable"


RED, GREEN, BLUE = ("red", 6, 6), ("green", 20, 10), ("blue", 12, 26)


@pytest.fixture
def edited():
    """Both add red and green; then the first moves red and takes green away, the second changes green to blue
    and moves it."""
    moved = ("red", 24, 24)
    start = (("add red", (RED,)), ("add green", (RED, GREEN)))
    return [
        dialog_through(0, *start, ("move red", (moved, GREEN)), ("remove green", (moved,))),
        dialog_through(
            1, *start, ("make it blue", (RED, ("blue", 20, 10))), ("move blue", (RED, ("blue", 6, 26)))
        ),
    ]


def rows_of(figures):
    return {row["turns"]: row for row in figures["rows"]}


def test_figures_by_hand(edited, detector, paint):
    """In the first dialog green is forgotten at turn 2: turns 2 to 4 fail, the last as there is nothing to
    remove. In the second one all turns are right but the last, which takes red away, too."""
    edits = edits_of(edited, detector)
    kinds = [[edit.asked.kind for edit in each] for each in edits]
    # every square is "square" here, so its colour, the whole name, tells what it is
    assert kinds == [["add", "add", "move", "remove"], ["add", "add", "reshape", "move"]]
    moved = (("red", 24, 24),)
    drawn = [
        paint((RED,), (RED,), moved, moved),
        paint((RED,), (RED, GREEN), (RED, ("blue", 20, 10)), (("blue", 6, 26),)),
    ]
    kept = [[0.0, 1.0, 2.0, 3.0], [4.0, 5.0, 6.0, 7.0]]
    known = words_of(["Add red, green: remove it!", "move"])
    figures = evaluate_edits(edited, edits, drawn, kept, detector, known_words=known)
    rows = rows_of(figures)
    assert [(name, row["count"], row["unusable"]) for name, row in rows.items()] == [
        ("add", 4, 0),
        ("remove", 1, 1),
        ("move", 2, 0),
        ("reshape", 1, 0),
        ("all", 8, 1),
        ("seen wordings", 6, 1),
        ("held-out wordings", 2, 0),
    ]
    values = {name: row["success"]["value"] for name, row in rows.items()}
    assert values == {
        "add": 75,
        "remove": 0,
        "move": 50,
        "reshape": 100,
        "all": 62.5,
        "seen wordings": pytest.approx(100 * 4 / 6, abs=1e-3),
        "held-out wordings": 50,
    }
    assert {row["true_pictures"]["value"] for row in rows.values()} == {100}
    assert rows["move"]["kept"]["value"] == (2 + 7) / 2
    assert (rows["all"]["success"]["low"], rows["all"]["success"]["high"]) == (50, 75)  # the two dialogs
    assert figures["dialogs"][0][3] == {
        "kind": "remove",
        "outcome": "unusable",
        "reason": "there is no green before",
    }
    table = edit_lines({"wordings_of": "some", "rows": figures["rows"]})
    assert "| remove | 1 | 0.00 [0.00, 0.00] | 1 | 100.00 | 3.00 [3.00, 3.00] |" in table

    # from the true pictures the last turn of the first dialog can be done, and was
    forced = evaluate_edits(edited, edits, drawn, kept, detector, teacher_forced=True)
    assert rows_of(forced)["remove"]["success"]["value"] == 100
    assert rows_of(forced)["all"]["unusable"] == 0 and "seen wordings" not in rows_of(forced)


def test_a_group_without_turns_has_no_figure(edited, detector, paint):
    edits = edits_of(edited, detector)
    drawn = [true_pictures(dialog, SIDE) for dialog in edited]
    kept = [[0.0] * 4] * 2
    figures = evaluate_edits(edited, edits, drawn, kept, detector, known_words=set())
    assert rows_of(figures)["seen wordings"]["success"] is None
    lines = edit_lines({"wordings_of": None, "rows": figures["rows"]})
    assert "| seen wordings | 0 | - | 0 | - | - |" in lines


def test_data_that_only_add_have_no_edits(dialogs, edited, detector):
    assert edits_of(dialogs, detector) is None
    bare = replace(edited[0].turns[0], objects=None)
    assert edits_of([replace(edited[0], turns=(bare, *edited[0].turns[1:]))], detector) is None
    sample = load_dialogs(ROOT / "data" / "iclevr_sample", "test")
    assert edits_of(sample, load_detector(shipped_detector(sample))) is None


def test_a_slip_among_many_turns_is_no_edit(dialogs, edited, detector):
    """CoDraw's drawer now and then takes something away, at two turns in a thousand; here 1 in 22."""
    slip = replace(edited[0], turns=edited[0].turns[1:3])  # adds two squares, then moves one
    assert edits_of([*dialogs * 4, slip], detector) is None
    assert edits_of([*dialogs * 2, slip], detector) is not None


def test_the_kinds_are_what_the_edits_data_say_of_themselves(real_data):
    metadata = real_data / "clevr_edits" / "val" / "metadata.jsonl"
    if not metadata.exists():
        pytest.skip("clevr_edits is not in the folder of the real data")
    lines = [json.loads(line) for line in metadata.read_text().splitlines()[:12]]
    said = [[op["op"] for op in line["ops"]] for line in lines]
    dialogs = load_dialogs(real_data / "clevr_edits", "val")[:2]
    classes = sorted(look_classes(dialogs, SIZE))
    detector = Detector(classes, image_size=SIDE, widths=(8, 8, 8), class_traits=SIZE)
    edits = edits_of(dialogs, detector)
    kinds = [edit.asked.kind for each in edits for edit in each]
    assert kinds == ["add two" if ops == ["add", "add"] else ops[0] for ops in said]
    drawn = [true_pictures(dialog, SIDE) for dialog in dialogs]
    figures = evaluate_edits(dialogs, edits, drawn, [[0.0] * 6] * 2, detector)
    assert rows_of(figures)["all"]["count"] == 12
    assert all(row["success"] == row["true_pictures"] for row in figures["rows"])  # they were drawn


@pytest.fixture
def command(tmp_path, edited, monkeypatch):
    """Evaluates those two dialogs, drawn as they truly are."""
    for split in ("train", "test"):
        folder = tmp_path / "edits" / split
        folder.mkdir(parents=True)
        lines = []
        for dialog in edited:
            Image.fromarray(dialog.canvas.decode()).save(folder / "canvas.png")
            lines.append({"file_name": "canvas.png", "dialog_id": dialog.id, "turn": 0, "objects": []})
            for number, turn in enumerate(dialog.turns, 1):
                name = f"{dialog.id}_{number}.png"
                Image.fromarray(turn.picture.decode()).save(folder / name)
                objects = [{**vars(obj), "look": {}} for obj in turn.objects]
                lines.append({"file_name": name, "dialog_id": dialog.id, "turn": number})
                lines[-1] |= {"instruction": turn.instruction, "objects": objects}
        (folder / "metadata.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    classes = ["blue", "green", "red"]
    Detector(classes, image_size=SIDE, widths=(8, 8, 8)).save_pretrained(tmp_path / "detector")
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model_index.json").write_text("{}")
    monkeypatch.setattr(evaluate, "load_pipeline", lambda *_: "pipeline")
    monkeypatch.setattr(
        evaluate, "generate_dialogs", lambda _, dialogs, **__: [true_pictures(each, SIDE) for each in dialogs]
    )
    options = {"model": "model", "data": "edits", "report": "report.json", "detector": "detector"}
    return ["evaluate", *(w for key, name in options.items() for w in (f"--{key}", str(tmp_path / name)))]


@pytest.mark.slow
def test_the_report_has_a_table_of_edits(command, tmp_path, capsys):
    assert main([*command, "--wordings-of", str(tmp_path / "edits")]) == 0
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["edits"]["wordings_of"] == "edits"
    counts = {row["turns"]: row["count"] for row in report["edits"]["rows"]}
    assert counts["all"] == counts["seen wordings"] == 8 and counts["held-out wordings"] == 0
    assert [[turn["kind"] for turn in dialog["edits"]] for dialog in report["dialogs"]] == [
        ["add", "add", "move", "remove"],
        ["add", "add", "reshape", "move"],
    ]
    assert "| turns | number | success |" in capsys.readouterr().out
    assert "| move | 2 |" in (tmp_path / "report.md").read_text()


def test_data_without_edits_have_no_wordings_of_them(command, tmp_path, coloured_squares, capsys):
    Detector(["blue cube", "red cube"], image_size=SIDE, widths=(8, 8, 8)).save_pretrained(tmp_path / "cubes")
    squares = ["--data", str(coloured_squares / "data"), "--detector", str(tmp_path / "cubes")]
    assert main([*command, *squares, "--split", "val"]) == 0
    assert "edits" not in json.loads((tmp_path / "report.json").read_text())
    assert main([*command, *squares, "--split", "val", "--wordings-of", str(tmp_path / "edits")]) == 2
    assert "--wordings-of: the split val of " in capsys.readouterr().err
