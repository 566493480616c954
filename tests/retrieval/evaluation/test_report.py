"""From a model's folder to a report, from reports to a page's table."""

import json

import pytest
from PIL import Image

from cdd_icm.errors import InputError
from retrieval.cli import main
from retrieval.evaluation.report import compare, fill, read_report
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


def row(**figures):
    return {name.replace("_at_", "@"): value for name, value in figures.items()} | {"median rank": 3.0}


def test_a_table_shows_every_metric_and_sorts_by_the_headline(write):
    def table(*rows, **options):
        paths = [
            write(f"{i}.json", report(f"model {i}", 0.0, rows={"composed": row}))
            for i, row in enumerate(rows)
        ]
        return compare(paths, **options).splitlines()

    circo = [row(R_at_5=9.0, mAP_at_5=m, headline=m) for m in (4.0, 6.0)]  # no R@1
    lines = table(*(some | {"tags": {"negation": some}} for some in circo))
    assert lines[0] == "| model | R@5 | mAP@5 | median rank | weights (M) | minutes | runs |"
    assert [line.split(" | ")[0] for line in lines[2:4]] == ["| model 1", "| model 0"]
    assert lines[5:] == [
        *("| mAP@5 / median rank | negation |", "| --- | --: |"),
        *("| model 1 | 6.00 / 3.0 |", "| model 0 | 4.00 / 3.0 |"),
    ]
    turns = {"tags": {f"turn {turn}": circo[0] for turn in (1, 10, 9)}}
    assert table(circo[0] | turns)[4] == "| mAP@5 / median rank | turn 1 | turn 9 | turn 10 |"
    fashioniq = table(row(R_at_10=30.0, R_at_50=50.0, headline=40.0))
    assert fashioniq[0].startswith("| model | R@10 | R@50 | headline | median rank |")
    assert fashioniq[2].startswith("| model 0 | 30.00 | 50.00 | 40.00 | 3.0 |")
    cirr = [row(R_at_5=60.0, R_subset_at_1=some, headline=30 + some / 2) for some in (20.0, 40.0)]
    assert table(*cirr)[0].startswith("| model | R@5 | R_subset@1 | headline | median rank |")
    assert table(*cirr)[2].startswith("| model 1 | 60.00 | 40.00 | 50.00 | 3.0 |")


def test_a_table_shows_what_either_modality_finds_alone(write):
    figures = [row(R_at_1=some, headline=some) for some in (3.0, 2.0, 1.0)]
    rows = dict(zip(("composed", "image only", "text only"), figures, strict=True))
    path = write("one.json", report("sum", 0.0, rows=rows))
    lines = [
        "| model | R@1 | median rank | R@1, image only | R@1, text only | weights (M) | minutes | runs |",
        "| --- | --: | --: | --: | --: | --: | --: | --: |",
        "| sum | 3.00 | 3.0 | 2.00 | 1.00 | 1.23 | 4.0 | 1 |",
    ]
    assert compare([path]).splitlines() == lines
    assert compare([path], alone=True).splitlines() == [
        *lines,
        "| sum, image only | 2.00 | 3.0 |  |  |  |  | 1 |",
        "| sum, text only | 1.00 | 3.0 |  |  |  |  | 1 |",
    ]
    mean = {name: some | {"headline": 10 * some["R@1"], "R@5": 9.0} for name, some in rows.items()}
    head, _, line = compare([write("two.json", report("sum", 0.0, rows=mean))]).splitlines()
    assert head.startswith(
        "| model | R@1 | R@5 | headline | median rank | headline, image only | headline, text"
    )
    assert line.startswith("| sum | 3.00 | 9.00 | 30.00 | 3.0 | 20.00 | 10.00 | 1.23 |")


def test_a_table_of_partial_reports_says_so(write):
    protocol = {"split": "test", "PARTIAL, left out": {"pictures": 3, "queries": 2}}
    path = write("one.json", report("sum", 1.0, protocol=protocol))
    assert compare([path]).startswith("| model, PARTIAL: 3 pictures, 2 queries left out | R@1 |")


@pytest.fixture
def evaluate(make_model, tmp_path, capsys):
    """evaluate(*arguments) -> exit status and what `cdd-retrieval evaluate` printed on either stream."""
    make_model("sum").save_pretrained(tmp_path / "model")
    base = ["evaluate", "--model", tmp_path / "model", "--report", tmp_path / "report.json"]
    base += ["--cache-dir", tmp_path, "--device", "cpu"]

    def run(*arguments):
        status = main([str(argument) for argument in (*base, *arguments)])
        return status, *capsys.readouterr()

    return run


def test_evaluate_prints_the_protocol_and_that_a_run_is_partial(evaluate, write, tmp_path):
    lines = [
        {"reference": "1", "text": "redder", "target": "2"},
        {"reference": "1", "text": "a", "target": "3"},
    ]
    path = write("mine.jsonl", "\n".join(map(json.dumps, lines)))
    for name in ("1", "2"):
        Image.new("RGB", (4, 4), (90 * int(name), 0, 0)).save(tmp_path / f"{name}.png")
    arguments = ["--data", path, "--benchmark", "triplets", "--images", tmp_path]
    assert evaluate(*arguments)[0] == 2
    status, out, _ = evaluate(*arguments, "--allow-missing")  # without a field `split`, and no --split
    assert status == 0
    assert "benchmark: mine\nsplit: all\nreference: excluded\n" in out
    assert out.endswith("PARTIAL: 1 pictures are missing, 1 queries left out\n")
    assert read_report(tmp_path / "report.json")["partial"] is True
    Image.new("RGB", (4, 4)).save(tmp_path / "3.png")
    status, out, _ = evaluate(*arguments)
    assert status == 0 and "composed: R@1" in out and "PARTIAL" not in out


def test_queries_whose_target_is_the_excluded_reference_are_counted_apart(evaluate, write, tmp_path):
    lines = [
        {"reference": "1", "text": "redder", "target": "2"},
        {"reference": "2", "text": "as it is", "target": "2"},
    ]
    for name in ("1", "2"):
        Image.new("RGB", (4, 4), (90 * int(name), 0, 0)).save(tmp_path / f"{name}.png")
    for number, (some, median) in enumerate(((lines, 1.0), (lines[1:], None))):
        path = write(f"{number}.jsonl", "\n".join(map(json.dumps, some)))
        status, out, _ = evaluate("--data", path, "--benchmark", "triplets", "--images", tmp_path)
        row = read_report(tmp_path / "report.json")["rows"]["composed"]
        assert status == 0 and row["median rank"] == median and row["left out of the median rank"] == 1
        said = "1 queries, whose target is the excluded reference, left out of the median rank"
        assert out.count(said) == 3  # composed, and either alone
        table = compare([tmp_path / "report.json"])
        assert f"| {'-' if median is None else '1.0'} |" in table
        assert table.splitlines()[-1].startswith(
            "In 1 queries the target is the excluded reference: left out"
        )


def test_evaluate_takes_the_readers_own_split(evaluate, write, tmp_path):
    objects = [{"val_image_id": i} for i in range(3)]
    entry = {"condition": "wall", "reference": objects[0], "target": objects[1], "gallery": objects[2:]}
    write("focus_object.json", [entry])
    for number in range(3):
        Image.new("RGB", (4, 4), (number, 0, 0)).save(tmp_path / f"{number:012d}.png")
    arguments = ["--data", tmp_path, "--benchmark", "genecis", "--images", tmp_path]
    status, out, _ = evaluate(*arguments, "tasks=[focus_object]")
    assert status == 0 and "queries: {'focus_object': 1}" in out
    status, out, _ = evaluate("--data", SAMPLE)
    assert status == 0 and "split: test\n" in out
    status, _, error = evaluate("--data", SAMPLE, "--split", "test", "split=val")
    assert status == 2 and "--split test: split=val is given too" in error


def test_reports_that_no_table_can_hold(write):
    one = write("one.json", report("sum", 1.0))
    for other, says in (
        (report("sum", 1.0, protocol={"split": "val"}), "other.json: its protocol differs from that of"),
        (report("sum", 1.0, data="codraw"), "other.json: its data differs from that of"),
        (report("sum", 1.0, format=2), "other.json: format: 2 is not the report format 1"),
    ):
        with pytest.raises(InputError, match=says):
            compare([one, write("other.json", other)])


def test_a_table_replaces_the_old_one_in_a_page(tmp_path, write):
    page = write("page.md", "before\n<!-- table a -->\nold\n<!-- end of table a -->\nafter\n")
    for _ in range(2):
        fill(page, "a", "| new |\n")
        assert page.read_text() == "before\n<!-- table a -->\n| new |\n<!-- end of table a -->\nafter\n"
    with pytest.raises(InputError, match="no place for the table, <!-- table b -->"):
        fill(page, "b", "")


def test_faults_are_one_line_and_exit_status_2(make_model, tmp_path, capsys):
    make_model("sum").save_pretrained(tmp_path / "model")
    (tmp_path / "bad.yaml").write_text("composer: sum\ntraining: {total_sample: 3}\n")
    base = ["evaluate", "--model", str(tmp_path / "model"), "--report"]
    for arguments, says in (
        (["train", str(tmp_path / "bad.yaml")], "unknown key training.total_sample; the nearest"),
        (["train", str(tmp_path / "none.yaml")], "none.yaml: No such file"),
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
