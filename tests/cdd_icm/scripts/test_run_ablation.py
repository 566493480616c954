"""The ablation's rows, and that a finished row is never done again."""

import json
from pathlib import Path

import numpy as np
import pytest
import run_ablation
import yaml
from run_ablation import SEEDS, Ablation, Budget, main, rows

from cdd_icm.config import load_config
from cdd_icm.errors import InputError
from cdd_icm.evaluation import fingerprint

CONFIGS = Path(__file__).parents[3] / "configs" / "generate"

PAPER_ROWS = {
    "without-icm-objective",
    "without-classifier-free-guidance",
    "without-gated-fusion",
    "without-reference-pixels",
    "without-cross-attention",
    "without-history",
    "without-plan",
}


@pytest.fixture
def work(monkeypatch):
    """Stands in for training and evaluation, and remembers what was asked of them."""
    done = {"trained": [], "evaluated": []}

    def train(config):
        done["trained"].append(config)
        return Path(config.output_dir) / "pipeline"

    def evaluate_model(model, data, split, report, *, limit, seed, sampling):
        done["evaluated"].append((model, split, limit, seed, sampling))
        return {"format": 1, "figures": {}}

    monkeypatch.setattr(run_ablation, "train", train)
    monkeypatch.setattr(run_ablation, "evaluate_model", evaluate_model)
    return done


@pytest.fixture
def ablation(tmp_path):
    def make(samples=1280, config=CONFIGS / "iclevr_64.yaml", overrides=("data.path=/somewhere/iclevr",)):
        budget = Budget(config, samples, "val", 5, overrides)
        return Ablation(budget, tmp_path / "reports", tmp_path / "runs")

    return make


def test_each_row_changes_one_thing():
    found = {row.name: row for row in rows(load_config(CONFIGS / "iclevr_64.yaml"))}
    full = {f"full-{number}" for number in range(1, SEEDS + 1)}
    assert set(found) == full | PAPER_ROWS | {"with-icm-guidance", "candidates-4"}
    assert [found[f"full-{n}"].overrides for n in (1, 2, 3)] == [{}, {"seed": 1}, {"seed": 2}]
    assert found["without-gated-fusion"].overrides == {"without": ["gated-fusion"]}
    assert found["without-plan"].overrides["plan"] == {"kind": "none"}
    assert found["without-history"].overrides == {"encoder.history": 0}
    # those that change only the drawing share the first seed's training
    shared = {name for name, row in found.items() if row.run == "full-1"}
    assert shared == {"full-1", "with-icm-guidance", "without-classifier-free-guidance", "candidates-4"}


def test_what_the_full_model_lacks_is_added_and_what_it_has_taken_away():
    settings = ["sampling.icm_guidance_scale=0.5", "sampling.num_candidates=4", "plan={kind: none}"]
    found = {row.name: row for row in rows(load_config(CONFIGS / "iclevr_64.yaml", settings))}
    assert found["without-icm-guidance"].sampling == {"icm_guidance_scale": 0.0}
    assert found["with-plan"].overrides == {"plan": {"kind": "annotated", "grid": 16}}
    assert "candidates-1" in found and "candidates-4" not in found


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["iclevr", "iclevr_64", "codraw", "tiny"])
def test_every_row_is_a_config_that_can_be_trained(ablation, preset):
    made = ablation(config=CONFIGS / f"{preset}.yaml")
    configs = {row.name: made.config(row) for row in made.rows}
    assert {config.training.total_samples for config in configs.values()} == {1280}
    runs = {row.run: made.config(row) for row in made.rows}
    assert len({config.output_dir for config in runs.values()}) == len(runs)


@pytest.mark.slow
def test_a_budget_is_spent_once(ablation, work, tmp_path):
    made = ablation()
    made.run_all()
    runs = [Path(config.output_dir).name for config in work["trained"]]
    assert len(runs) == len(set(runs)) == SEEDS + len(PAPER_ROWS) - 1  # guidance trains nothing
    assert len(work["evaluated"]) == len(made.rows)
    assert {(split, limit, seed) for _, split, limit, seed, _ in work["evaluated"]} == {("val", 5, 0)}
    chosen = tmp_path / "runs" / "full-1" / "pipeline", {"num_candidates": 4}
    assert chosen in [(model, sampling) for model, *_, sampling in work["evaluated"]]
    texts = [file.read_text() for file in (tmp_path / "reports").iterdir()]
    stated = [json.loads(text)["ablation"] for text in texts]
    same = {(each["samples"], each["dialogs"], each["base"]) for each in stated}
    assert same == {(1280, 5, "iclevr_64.yaml")}
    assert not any("/somewhere" in text or str(tmp_path) in text for text in texts)

    # a report that is missing is made again, and nothing else
    (tmp_path / "reports" / "candidates-4.json").unlink()
    work["trained"].clear(), work["evaluated"].clear()
    ablation().run_all()
    assert [config.output_dir for config in work["trained"]] == [str(tmp_path / "runs" / "full-1")]
    assert [sampling for *_, sampling in work["evaluated"]] == [{"num_candidates": 4}]


@pytest.mark.slow
def test_reports_of_another_budget_are_not_mixed_in(ablation, work, tmp_path):
    ablation().run_all()
    with pytest.raises(InputError, match=r"full-1\.json: this report is .* with another samples"):
        ablation(samples=2560).run_all()
    overrides = ("data.path=iclevr", "training.learning_rate=1e-4")
    with pytest.raises(InputError, match="with another training.learning_rate"):
        ablation(overrides=overrides).run_all()


def test_a_stopped_row_leaves_no_report(ablation, work, tmp_path, monkeypatch):
    train = run_ablation.train

    def stop(config):
        if config.seed == 1:
            raise KeyboardInterrupt
        return train(config)

    monkeypatch.setattr(run_ablation, "train", stop)
    with pytest.raises(KeyboardInterrupt):
        ablation().run_all()
    # those that draw with the first training were done while it was there
    finished = {file.stem for file in (tmp_path / "reports").iterdir()}
    assert finished == {row.name for row in ablation().rows if row.run == "full-1"}


def test_a_row_that_diverges_leaves_the_others(ablation, work, tmp_path, monkeypatch):
    train = run_ablation.train

    def diverge(config):
        if config.seed == 1:
            raise FloatingPointError("the loss is nan")
        return train(config)

    monkeypatch.setattr(run_ablation, "train", diverge)
    made = ablation()
    assert made.run_all() == 1
    finished = {file.stem for file in (tmp_path / "reports").iterdir()}
    assert finished == {row.name for row in made.rows} - {"full-2"}


def test_dry_run_and_wrong_keys(work, capsys, tmp_path):
    command = [str(CONFIGS / "iclevr_64.yaml"), "--samples", "64", "--dialogs", "2"]
    command += ["--reports", str(tmp_path / "reports"), "--runs", str(tmp_path / "runs")]
    assert main([*command, "data.path=x", "--dry-run"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["full-1", "to", "do", "run", "full-1"] in lines
    changes = [*['plan={"kind":', '"none"}'], "objective.cdd_trains_fusion=true"]
    assert ["without-plan", "to", "do", "run", "without-plan", *changes] in lines
    assert main([*command, "fusion.layer=1"]) == 2
    assert "unknown key fusion.layer; the nearest is fusion.layers" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main([*command, "--dialogs", "0"])
    assert "argument --dialogs: 0 is not at least 1" in capsys.readouterr().err
    assert not work["trained"] and not any(tmp_path.iterdir())


@pytest.mark.slow
def test_a_row_in_earnest(tmp_path, monkeypatch):
    """Six steps on the dialogs that ship, drawn and read by the shipped detector."""
    settings = yaml.safe_load((CONFIGS / "tiny.yaml").read_text())
    settings["data"]["path"] = str(CONFIGS.parents[1] / "data" / "iclevr_sample")
    settings["training"]["batch_size"] = 4
    settings["sampling"] = {"num_inference_steps": 1}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(settings))
    budget = Budget(tmp_path / "config.yaml", 24, "test", 1)
    made = Ablation(budget, tmp_path / "reports", tmp_path / "runs")
    row = next(row for row in made.rows if row.name == "without-classifier-free-guidance")
    made.run_row(row)
    report = json.loads((tmp_path / "reports" / f"{row.name}.json").read_text())
    assert report["data"]["dialogs"] == 1 and report["sampling"]["guidance_scale"] == 1.0
    assert report["model"]["fingerprint"] == fingerprint.of_folder(tmp_path / "runs" / "full-1" / "pipeline")
    assert report["figures"]["true pictures"]["detector"]["f1"]["value"] == 100
    (dialog,) = report["dialogs"]
    assert report["figures"]["model"]["detector"]["f1"]["value"] == pytest.approx(
        np.mean(dialog["f1"]), abs=1e-3
    )
    pictures = sorted((tmp_path / "runs" / f"{row.name}.pictures" / "generated").glob("*/*.png"))
    assert [picture.name for picture in pictures] == [f"{turn}.png" for turn in range(len(dialog["f1"]))]
    assert made.is_finished(row)
