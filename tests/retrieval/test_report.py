"""From a model's folder to a report, from reports to a page's table."""

import json

import pytest

from cdd_icm.errors import InputError
from retrieval.cli import main
from retrieval.report import compare, fill, read_report
from tests.retrieval.conftest import SAMPLE


def report(name, recall, median=3.0, **changed):
    figures = {"R@1": recall, "R@10": 2 * recall, "median rank": median}
    row = {**figures, "headline": recall, "tags": {"turn 1": {**figures, "R@1": recall + 1}}}
    return {
        **{"format": 1, "name": name, "data": "iclevr", "protocol": {"split": "test"}},
        "rows": {"composed": row},
        "model": {"parameters": 1_234_567},
        "training": {"minutes": 4.0},
    } | changed


def test_evaluate_writes_what_compare_reads(make_model, tmp_path, capsys):
    make_model("sum").save_pretrained(tmp_path / "model")
    out = tmp_path / "reports" / "sum.json"
    arguments = ["evaluate", "--model", tmp_path / "model", "--data", SAMPLE, "--split", "test"]
    arguments += ["--report", out, "--cache-dir", tmp_path, "--device", "cpu"]
    assert main([str(argument) for argument in arguments]) == 0
    found = read_report(out)
    assert found["model"]["fingerprint"] == make_model("sum").fingerprint
    assert (found["name"], found["data"], found["training"]) == ("sum", "iclevr_sample", None)
    assert found["protocol"]["queries"] == {"all": 15} and found["gallery"] == 15
    row = found["rows"]["composed"]
    assert {"R@1", "R@5", "R@10", "R@50", "median rank"} <= row.keys() and row["R@50"] == 100
    assert row["tags"].keys() == {f"turn {turn}" for turn in range(1, 6)}
    turns = [row["tags"][tag]["R@5"] for tag in row["tags"]]
    assert row["R@5"] == pytest.approx(sum(turns) / 5)
    # the reference alone finds itself first, where it is in the gallery: never the target
    assert found["rows"]["image only"]["R@1"] <= 20
    capsys.readouterr()
    assert main(["compare", str(out)]) == 0
    assert capsys.readouterr().out.startswith("| model | R@1 | R@5 | R@10 | R@50 | median rank |")


def test_a_table_is_means_and_deviations_best_first(write):
    paths = [
        write(f"{i}.json", content)
        for i, content in enumerate(
            [report("sum", 10.0), report("fusion", 20.0), report("fusion", 22.0, 1.0)]
        )
    ]
    lines = compare(paths).splitlines()
    assert lines[0] == "| model | R@1 | R@10 | median rank | weights (M) | minutes | runs |"
    assert lines[2] == "| fusion | 21.00 ± 1.41 | 42.00 ± 2.83 | 2.0 ± 1.4 | 1.23 | 4.0 | 2 |"
    assert lines[3] == "| sum | 10.00 | 20.00 | 3.0 | 1.23 | 4.0 | 1 |"
    assert lines[5] == "| R@1 / median rank | turn 1 |"
    assert lines[8] == "| sum | 11.00 / 3.0 |"


def test_reports_that_no_table_can_hold(write):
    one = write("one.json", report("sum", 1.0))
    for other, says in (
        (report("sum", 1.0, protocol={"split": "val"}), "other.json: its protocol is another than that of"),
        (report("sum", 1.0, data="codraw"), "other.json: its data is another than that of"),
        (report("sum", 1.0, format=2), "other.json: not a report of `cdd-retrieval evaluate`"),
    ):
        with pytest.raises(InputError, match=says):
            compare([one, write("other.json", other)])


def test_a_table_takes_its_place_in_a_page(tmp_path, write):
    page = write("page.md", "before\n<!-- table a -->\nold\n<!-- end of table a -->\nafter\n")
    for _ in range(2):
        fill(page, "a", "| new |\n")
        assert page.read_text() == "before\n<!-- table a -->\n| new |\n<!-- end of table a -->\nafter\n"
    with pytest.raises(InputError, match="no place for a table, <!-- table b -->"):
        fill(page, "b", "")


def test_faults_are_one_line_and_exit_status_2(make_model, tmp_path, capsys):
    make_model("sum").save_pretrained(tmp_path / "model")
    (tmp_path / "bad.yaml").write_text("composer: sum\ntraining: {total_sample: 3}\n")
    base = ["evaluate", "--model", str(tmp_path / "model"), "--report"]
    for arguments, says in (
        (["train", str(tmp_path / "bad.yaml")], "unknown key training.total_sample; the nearest"),
        (["train", str(tmp_path / "none.yaml")], "cannot be read"),
        ([*base, str(tmp_path / "r.txt"), "--data", str(SAMPLE)], "the name must end in .json"),
        ([*base, str(tmp_path / "r.json"), "--data", str(tmp_path / "none")], "no such file or folder"),
        ([*base, str(tmp_path / "r.json"), "--data", str(SAMPLE), "--device", "tpu"], "device: 'tpu'"),
        ([*base, str(tmp_path / "r.json"), "--data", str(SAMPLE), "--split", "x"], "no dialogs of split 'x'"),
        (["compare", str(tmp_path / "none.json")], "No such file"),
    ):
        assert main(arguments) == 2
        error = capsys.readouterr().err
        assert error.startswith("cdd-retrieval: ") and error.count("\n") == 1 and says in error, error
    assert not (tmp_path / "r.json").exists()
    assert json.loads((tmp_path / "model" / "config.json").read_text())["composer"] == "sum"
