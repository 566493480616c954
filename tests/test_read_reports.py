"""Reports that can't be compared: tables of what is read, and the one line that comes out."""

import json
from pathlib import Path

import pytest

from cdd_icm import cli
from retrieval import cli as retrieval_cli
from retrieval.evaluation.report import compare as compare_retrieval
from tests.cdd_icm.conftest import tiny_pipeline  # noqa: F401
from tests.retrieval.conftest import make_model  # noqa: F401

ROOT = Path(__file__).parents[1]
OURS = ROOT / "reports" / "iclevr_test.json"
THEIRS = ROOT / "reports" / "retrieval_iclevr_test.json"


def put(*path):
    """A change that puts the last entry at the place that the others name."""

    def change(report):
        *places, last, value = path
        for place in places:
            report = report[place]
        report[last] = value

    return change


def drop(*path):
    def change(report):
        *places, last = path
        for place in places:
            report = report[place]
        del report[last]

    return change


FIGURES = ("figures", "model", "detector")

REPORTS = {
    "text for a number": (
        put(*FIGURES, "f1", "value", "high"),
        "figures.model.detector.f1.value is 'high', expected a number",
    ),
    "a number as text": (put(*FIGURES, "ap", "low", "3"), "figures.model.detector.ap.low is '3', expected a"),
    "a list": (put(*FIGURES, "ar", []), "figures.model.detector.ar is []"),
    "true": (
        put(*FIGURES, "rsim", "high", True),
        "figures.model.detector.rsim.high is True, expected a number",
    ),
    "nothing": (put("figures", "model", None), "figures.model is None"),
    "missing": (drop(*FIGURES, "preservation"), "figures.model.detector.preservation is missing"),
    "no dialogs": (drop("dialogs"), "dialogs is missing"),
    "dialogs, text": (put("dialogs", "all"), "dialogs is 'all', expected a list"),
    "a turn, text": (put("dialogs", 0, "f1", 0, "x"), "dialogs[0].f1[0] is 'x', expected a number"),
    "turns": (put("dialogs", 1, "recall", [1.0]), "dialogs[1] has not the same number of turns"),
    "detector": (put("detector", None), "detector is None"),
    "seed": (put("seed", "0"), "seed is '0', expected a whole number"),
    "data": (put("data", "dialogs", -1), "data.dialogs is -1, expected at least 0"),
    "no-op": (put("no_op", "phrases", 0, "change", "x"), "no_op.phrases[0].change is 'x', expected a number"),
    "devices": (put("devices", "drew", "GPU"), "devices.drew is 'GPU', expected a list"),
}


@pytest.mark.parametrize(("change", "line"), REPORTS.values(), ids=REPORTS.keys())
def test_a_report_names_the_fault(tmp_path, capsys, change, line):
    report = json.loads(OURS.read_text())
    change(report)
    (tmp_path / "r.json").write_text(json.dumps(report))
    assert cli.main(["compare", str(OURS), str(tmp_path / "r.json")]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"cdd-icm: {tmp_path / 'r.json'}: not a report of cdd-icm evaluate ({line}")
    assert error.count("\n") == 1


ROW = ("rows", "composed")

RETRIEVAL_REPORTS = {
    "text for a number": (put(*ROW, "R@1", "high"), "(rows.composed.R@1 is 'high', expected a number)"),
    "a number as text": (put(*ROW, "headline", "3"), "(rows.composed.headline is '3', expected a number)"),
    "true": (put(*ROW, "median rank", True), "(rows.composed.median rank is True, expected a number)"),
    "missing": (drop(*ROW, "median rank"), "(rows.composed.median rank is missing)"),
    "no rows": (put("rows", {}), "(rows.composed is missing)"),
    "rows, a list": (put("rows", []), "(rows is [], expected a section)"),
    "a tag": (put(*ROW, "tags", "turn 1", "R@5", None), "(rows.composed.tags.turn 1.R@5 is None, expected a"),
    "tags": (put(*ROW, "tags", [1]), "(rows.composed.tags is [1], expected a section)"),
    "name": (put("name", 3), "(name is 3, expected text)"),
    "protocol": (put("protocol", "all"), "(protocol is 'all', expected a section)"),
    "parameters": (
        put("model", "parameters", "many"),
        "(model.parameters is 'many', expected a whole number)",
    ),
    "minutes": (put("training", "minutes", "4"), "(training.minutes is '4', expected a number)"),
    "other figures": (drop(*ROW, "R@1"), "rows.composed: its figures are not those of"),
    "other tags": (drop(*ROW, "tags", "turn 1"), "rows.composed: its figures are not those of"),
    "format": (put("format", 7), "format: 7 is not the report format 1"),
}


@pytest.mark.parametrize(("change", "line"), RETRIEVAL_REPORTS.values(), ids=RETRIEVAL_REPORTS.keys())
def test_a_retrieval_report_names_the_fault(tmp_path, capsys, change, line):
    report = json.loads(THEIRS.read_text())
    change(report)
    (tmp_path / "r.json").write_text(json.dumps(report))
    assert retrieval_cli.main(["compare", str(THEIRS), str(tmp_path / "r.json")]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"cdd-retrieval: {tmp_path / 'r.json'}: ") and line in error
    assert error.count("\n") == 1


NO_REPORTS = {
    "nothing": (b"", "not JSON (Expecting value"),
    "text": (b"hello", "not JSON (Expecting value"),
    "a list": (b"[]", "expected an object, found list"),
    "a number": (b"3", "expected an object, found int"),
    "an object": (b"{}", "not a report of"),
    "another version": (b'{"format": 99}', "format: 99 is not the report format"),
    "no version": (b'{"format": [1]}', "format: [1] is not the report format"),
    "deep": (b"[" * 100_000, "not JSON (maximum recursion depth exceeded"),
    "a picture": (b"\x89PNG\r\n\x1a\n", "not UTF-8 text (byte 0x89 on line 1)"),
    "cut": (None, "not JSON ("),
}


@pytest.mark.parametrize(("content", "line"), NO_REPORTS.values(), ids=NO_REPORTS.keys())
@pytest.mark.parametrize(("module", "good"), [(cli, OURS), (retrieval_cli, THEIRS)])
def test_what_is_no_report(tmp_path, capsys, module, good, content, line):
    file = tmp_path / "r.json"
    file.write_bytes(good.read_bytes()[:-200] if content is None else content)
    for arguments in ([file], [good, file], [file, good]):
        assert module.main(["compare", *map(str, arguments)]) == 2
        error = capsys.readouterr().err
        assert f"{file}: {line}" in error and error.count("\n") == 1


def test_reports_of_the_other_package(capsys):
    assert cli.main(["compare", str(THEIRS)]) == retrieval_cli.main(["compare", str(OURS)]) == 2
    first, second = capsys.readouterr().err.splitlines()
    assert f"{THEIRS}: not a report of cdd-icm evaluate (" in first
    assert f"{OURS}: format: 2 is not the report format 1" in second


def test_a_pipeline_has_no_minutes(tmp_path):
    report = json.loads(THEIRS.read_text())
    del report["training"]["minutes"]
    (tmp_path / "r.json").write_text(json.dumps(report))
    assert compare_retrieval([tmp_path / "r.json"]).count("\n") > 2
