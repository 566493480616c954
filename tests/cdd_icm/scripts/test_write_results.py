"""The pages say what the reports say, and nothing where there is no report."""

import copy
import json
import shutil
from pathlib import Path

import pytest
import yaml
from pages import COMMANDS
from performance_page import performance_page
from results_page import results_page
from write_results import PAGES, main

from cdd_icm.errors import InputError
from cdd_icm.evaluation.report import FORMAT

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("page", PAGES)
def test_the_pages_are_those_of_the_reports(page):
    """`make results` was run since a report was changed."""
    assert (ROOT / "docs" / page).read_text() == PAGES[page](ROOT / "reports")


def test_without_reports_there_are_commands_and_published_figures_alone(reports):
    page = results_page(reports)
    for name, found in yaml.safe_load((reports / "published.yaml").read_text()).items():
        assert COMMANDS[name] in page and len(found["rows"]) == 5
        for row in found["rows"]:
            ap, ar, f1, rsim = (f"{row[column]:.2f}" for column in ("ap", "ar", "f1", "rsim"))
            assert f"| {row['title']} | {ap} | {ar} | {f1} | {rsim} |" in page
            assert row["source"] in page
    assert "ours**" not in page and COMMANDS["ablation"] in page
    assert performance_page(reports).count("not measured yet") == 5
    assert COMMANDS["bench_train"] in performance_page(reports)


@pytest.fixture
def reports(tmp_path):
    """A folder with the published figures alone."""
    shutil.copy(ROOT / "reports" / "published.yaml", tmp_path)
    return tmp_path


@pytest.fixture
def report():
    """The one that ships, in the present format whatever it is in."""
    report = json.loads((ROOT / "reports" / "iclevr_test.json").read_text())
    report |= {"format": FORMAT, "devices": {"drew": ["NVIDIA A100"], "trained": "a tablet"}}
    report["no_op"] = {
        **{"phrases": [{"text": "stay", "change": 0.25, "unchanged": 0.5}], "dialogs": 4},
        **{"change": 0.25, "unchanged": 0.5, "f1": 98.0},
    }
    return report


def row_of(report, row, order, f1):
    """A report of the ablation with that F1."""
    made = copy.deepcopy(report)
    made["figures"]["model"]["detector"]["f1"] = {"value": f1, "low": f1 - 1, "high": f1 + 1}
    made["ablation"] = {
        **{"row": row, "title": f"the row {row}", "overrides": {}, "rows": order},
        **{"base": "iclevr.yaml", "samples": 60000, "split": "val", "dialogs": 50},
    }
    return made


def test_ours_stands_beside_the_published_rows(reports, report):
    report["figures"]["model"]["detector"]["f1"] = {"value": 98.765, "low": 97.5, "high": 99.25}
    (reports / "codraw_test.json").write_text(json.dumps(report))
    page = results_page(reports)
    codraw = page[page.index("## CoDraw") : page.index("## Ablation")]
    ours = next(line for line in codraw.splitlines() if line.startswith("| **CDD-ICM, ours**"))
    assert ours.split(" | ")[3] == "98.77 [97.50, 99.25]"
    assert "| *true pictures* | 100.00 " in codraw and "| *copy the reference* |" in codraw
    assert "our own detector" in codraw and "What differs in training: ours was taught with" in codraw
    assert "imagined" not in codraw and COMMANDS["codraw"] not in page and COMMANDS["iclevr"] in page


def test_the_fast_preset_stands_below_with_what_differs(reports, report):
    (reports / "iclevr_test.json").write_text(json.dumps({**report, "sampling": {}}))
    few = copy.deepcopy({**report, "preset": "fast", "sampling": {"guidance_scale": 1.5}})
    few["data"] |= {"dialogs": 9, "of": 1400}
    few["dialogs"] = [{**d, "f1": [f1 - 1.5 for f1 in d["f1"]]} for d in few["dialogs"][:9]]
    (reports / "iclevr_fast_test.json").write_text(json.dumps(few))
    page = results_page(reports)
    rows = [line for line in page.splitlines() if "CDD-ICM, ours" in line]
    assert rows[0].startswith("| **CDD-ICM, ours** |")
    settings = "preset fast, guidance_scale=1.5, 9 of 1,400 dialogs"
    assert rows[1].startswith(f"| CDD-ICM, ours ({settings}) |")
    assert (
        f"Ours ({settings}) less ours as it ships, paired by dialog: F1 -1.50 [-1.50, -1.50], RSIM +0.00"
        in page
    )


def test_the_page_names_devices_and_what_training_had_beside_the_data(reports, report):
    (reports / "iclevr_test.json").write_text(json.dumps(report))
    page = results_page(reports)
    assert "Drawn on NVIDIA A100; trained on a tablet." in page and "million turns" not in page
    assert "1 phrases that ask for nothing" in page and "| stay | 50.0 | 0.25 |" in page
    assert "returns its reference by construction where the plan is empty" in page
    facts = {"device": "NVIDIA H200", "synthetic_turns": 1_500_000}
    (reports / "iclevr_training.json").write_text(json.dumps(facts))
    page = results_page(reports)
    assert "trained on NVIDIA H200." in page and "1.5 million turns of imagined dialogs" in page


def test_figures_of_a_phrase_that_training_knows_are_not_shown(reports, report):
    report |= {"format": 1, "no_op": {"instruction": "keep everything as it is", "change_by_turn": [0.0]}}
    (reports / "iclevr_test.json").write_text(json.dumps(report))
    page = results_page(reports)
    assert "keep everything" not in page
    assert f"What phrases change that ask for nothing: not measured yet; `{COMMANDS['iclevr']}`" in page


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace("rsim:", "rism:", 1), "not the published figures .*rsim"),
        (lambda text: text.replace("84.72", "many", 1), "not the published figures .*many"),
        (lambda text: text.replace("codraw:", "coco:"), "not the published figures .*codraw"),
        (lambda text: "[", "not the published figures"),
    ],
)
def test_published_figures_that_lack_something_are_named(reports, change, message):
    file = reports / "published.yaml"
    file.write_text(change(file.read_text()))
    with pytest.raises(InputError, match=rf"published\.yaml: {message}"):
        results_page(reports)
    file.unlink()
    with pytest.raises(InputError, match=r"published\.yaml: No such file"):
        results_page(reports)


def test_reports_of_different_things_are_not_put_together(reports, report):
    (reports / "iclevr_test.json").write_text(json.dumps(report))
    fast = report | {"model": report["model"] | {"fingerprint": "another"}}
    (reports / "iclevr_fast_test.json").write_text(json.dumps(fast))
    with pytest.raises(InputError, match="iclevr_fast_test.json: of another model"):
        results_page(reports)
    (reports / "iclevr_fast_test.json").unlink()
    (reports / "ablation").mkdir()
    for row, samples in (("a", 1000), ("b", 2000)):
        made = row_of(report, row, ["a", "b"], 50.0)
        made["ablation"]["samples"] = samples
        (reports / "ablation" / f"{row}.json").write_text(json.dumps(made))
    with pytest.raises(InputError, match="ablation: samples: not the same in all"):
        results_page(reports)


def test_a_strangers_sentences_by_kind(reports):
    page = results_page(reports)
    assert f"i-CLEVR: not measured yet; `{COMMANDS['sentences_iclevr']}` does it." in page
    report = {
        "kinds": [
            {"kind": "spelling", "sentences": 6, "unusable": 2, "right": 3},
            {"kind": "move", "sentences": 2, "unusable": 2, "right": 0},
        ],
        "nothing_asked": {"sentences": 4, "changed": 1},
        **{"seed": 7, "detector": {"name": "the detector"}, "device": "a tablet"},
    }
    (reports / "sentences_codraw.json").write_text(json.dumps(report))
    page = results_page(reports)
    table = page[page.index("| CoDraw | sentences | unusable |") :].splitlines()[2:5]
    assert table == ["| spelling | 6 | 2 | 75 |", "| move | 2 | 2 | - |", "| all | 8 | 4 | 75 |"]
    assert "seed 7, judged by the detector. Of 4 sentences" in page and "1 changed the picture" in page
    assert COMMANDS["sentences_iclevr"] in page and "Drawn on a tablet." in page


def test_the_ablation_in_its_order_with_what_is_missing(reports, report):
    order = ["full-1", "full-2", "without-plan", "without-history"]
    (reports / "ablation").mkdir()
    for row, f1 in {"without-plan": 50.0, "full-1": 70.25, "full-2": 71.0}.items():
        (reports / "ablation" / f"{row}.json").write_text(json.dumps(row_of(report, row, order, f1)))
    page = results_page(reports)
    lines = [line for line in page.splitlines() if line.startswith("| the row ")]
    assert [line.split(" | ")[0] for line in lines] == [f"| the row {row}" for row in order[:3]]
    assert "50.00 [49.00, 51.00]" in lines[2]
    assert "60000 turns (iclevr.yaml)" in page and "first 50 dialogs of split val" in page
    assert "Between the 2 seeds of the full model, largest less smallest: AP 0.00, AR 0.00, F1 0.75" in page
    assert f"Rows not done yet (without-history): not measured yet; `{COMMANDS['ablation']}`" in page


def test_a_quick_benchmark_is_no_figure(reports, capsys):
    (reports / "bench_train.json").write_text(json.dumps({"quick": True}))
    with pytest.raises(InputError, match="bench_train.json: quick is True"):
        performance_page(reports)
    assert main(["--reports", str(reports), "--docs", str(reports / "docs")]) == 2
    assert capsys.readouterr().err.startswith("write_results: ")
    assert not (reports / "docs").exists()


def test_make_results_writes_both(tmp_path):
    shutil.copytree(ROOT / "reports", tmp_path / "reports", ignore=shutil.ignore_patterns("*.pictures"))
    assert main(["--reports", str(tmp_path / "reports"), "--docs", str(tmp_path / "docs")]) == 0
    assert {file.name for file in (tmp_path / "docs").iterdir()} == set(PAGES)
