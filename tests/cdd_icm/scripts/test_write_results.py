"""The pages say what the reports say, and nothing where there is no report."""

import copy
import json
import shutil
from pathlib import Path

import pytest
from write_results import COMMANDS, PAGES, PUBLISHED, main, performance, results

from cdd_icm.errors import InputError

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("page", PAGES)
def test_the_pages_are_those_of_the_reports(page):
    """`make results` was run since a report was changed."""
    assert (ROOT / "docs" / page).read_text() == PAGES[page](ROOT / "reports")


def test_without_reports_there_are_commands_and_published_figures_alone(tmp_path):
    page = results(tmp_path)
    for name, rows in PUBLISHED.items():
        assert COMMANDS[name] in page
        for title, (ap, ar, f1, rsim) in rows.items():
            assert f"| {title} | {ap:.2f} | {ar:.2f} | {f1:.2f} | {rsim:.2f} |" in page
    assert "ours**" not in page and COMMANDS["ablation"] in page
    assert performance(tmp_path).count("not measured yet") == 5
    assert COMMANDS["bench_train"] in performance(tmp_path)


@pytest.fixture
def report():
    return json.loads((ROOT / "reports" / "iclevr_test.json").read_text())


def row_of(report, row, order, f1):
    """A report of the ablation with that F1."""
    made = copy.deepcopy(report)
    made["figures"]["model"]["detector"]["f1"] = {"value": f1, "low": f1 - 1, "high": f1 + 1}
    made["ablation"] = {
        **{"row": row, "title": f"the row {row}", "overrides": {}, "rows": order},
        **{"base": "iclevr.yaml", "samples": 60000, "split": "val", "dialogs": 50},
    }
    return made


def test_ours_stands_beside_the_published_rows(tmp_path, report):
    report["figures"]["model"]["detector"]["f1"] = {"value": 98.765, "low": 97.5, "high": 99.25}
    (tmp_path / "codraw_test.json").write_text(json.dumps(report))
    page = results(tmp_path)
    codraw = page[page.index("## CoDraw") : page.index("## Ablation")]
    ours = next(line for line in codraw.splitlines() if line.startswith("| **CDD-ICM, ours**"))
    assert ours.split(" | ")[3] == "98.77 [97.50, 99.25]"
    assert "| *true pictures* | 100.00 " in codraw and "| *copy the reference* |" in codraw
    assert "our own detector" in codraw and COMMANDS["codraw"] not in page and COMMANDS["iclevr"] in page


def test_the_fast_preset_stands_below_with_what_differs(tmp_path, report):
    (tmp_path / "iclevr_test.json").write_text(json.dumps({**report, "sampling": {}}))
    few = copy.deepcopy({**report, "preset": "fast", "sampling": {"guidance_scale": 1.5}})
    few["data"] |= {"dialogs": 9, "of": 1400}
    few["dialogs"] = [{**d, "f1": [f1 - 1.5 for f1 in d["f1"]]} for d in few["dialogs"][:9]]
    (tmp_path / "iclevr_fast_test.json").write_text(json.dumps(few))
    page = results(tmp_path)
    rows = [line for line in page.splitlines() if "CDD-ICM, ours" in line]
    assert rows[0].startswith("| **CDD-ICM, ours** |")
    settings = "preset fast, guidance_scale=1.5, 9 of 1,400 dialogs"
    assert rows[1].startswith(f"| CDD-ICM, ours ({settings}) |")
    assert (
        f"Ours ({settings}) less ours as it ships, paired by dialog: F1 -1.50 [-1.50, -1.50], RSIM +0.00"
        in page
    )


def test_reports_of_different_things_are_not_put_together(tmp_path, report):
    (tmp_path / "iclevr_test.json").write_text(json.dumps(report))
    fast = report | {"model": report["model"] | {"fingerprint": "another"}}
    (tmp_path / "iclevr_fast_test.json").write_text(json.dumps(fast))
    with pytest.raises(InputError, match="iclevr_fast_test.json: of another model"):
        results(tmp_path)
    (tmp_path / "iclevr_fast_test.json").unlink()
    (tmp_path / "ablation").mkdir()
    for row, samples in (("a", 1000), ("b", 2000)):
        made = row_of(report, row, ["a", "b"], 50.0)
        made["ablation"]["samples"] = samples
        (tmp_path / "ablation" / f"{row}.json").write_text(json.dumps(made))
    with pytest.raises(InputError, match="ablation: samples: not the same in all"):
        results(tmp_path)


def test_the_ablation_in_its_order_with_what_is_missing(tmp_path, report):
    order = ["full-1", "full-2", "without-plan", "without-history"]
    (tmp_path / "ablation").mkdir()
    for row, f1 in {"without-plan": 50.0, "full-1": 70.25, "full-2": 71.0}.items():
        (tmp_path / "ablation" / f"{row}.json").write_text(json.dumps(row_of(report, row, order, f1)))
    page = results(tmp_path)
    lines = [line for line in page.splitlines() if line.startswith("| the row ")]
    assert [line.split(" | ")[0] for line in lines] == [f"| the row {row}" for row in order[:3]]
    assert "50.00 [49.00, 51.00]" in lines[2]
    assert "60000 turns (iclevr.yaml)" in page and "first 50 dialogs of split val" in page
    assert "Between the 2 seeds of the full model, largest less smallest: AP 0.00, AR 0.00, F1 0.75" in page
    assert f"Rows not done yet (without-history): not measured yet; `{COMMANDS['ablation']}`" in page


def test_a_quick_benchmark_is_no_figure(tmp_path, capsys):
    (tmp_path / "bench_train.json").write_text(json.dumps({"quick": True}))
    with pytest.raises(InputError, match="bench_train.json: quick is True"):
        performance(tmp_path)
    assert main(["--reports", str(tmp_path), "--docs", str(tmp_path / "docs")]) == 2
    assert capsys.readouterr().err.startswith("write_results: ")
    assert not (tmp_path / "docs").exists()


def test_make_results_writes_both(tmp_path):
    shutil.copytree(ROOT / "reports", tmp_path / "reports", ignore=shutil.ignore_patterns("*.pictures"))
    assert main(["--reports", str(tmp_path / "reports"), "--docs", str(tmp_path / "docs")]) == 0
    assert {file.name for file in (tmp_path / "docs").iterdir()} == set(PAGES)
