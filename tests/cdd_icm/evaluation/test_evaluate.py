"""The whole command, with a stand-in for the pipeline that knows the answers."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from cdd_icm.cli import main
from cdd_icm.data import load_dialogs
from cdd_icm.device import device_name, find_device
from cdd_icm.errors import InputError
from cdd_icm.evaluation import evaluate, fingerprint
from cdd_icm.evaluation.detector import Detector, load_detector
from cdd_icm.evaluation.protocol import (
    DETECTOR,
    MODEL,
    NO_OP_PHRASES,
    evaluate_no_op,
    evaluate_pictures,
    no_op_dialogs,
    true_pictures,
)
from cdd_icm.sampling.dialogs import generate_dialogs
from cdd_icm.sampling.loading import load_pipeline
from tests.runs import run_two_processes

SIDE = 32
ROOT = Path(__file__).parents[3]


@pytest.fixture
def generated_ids(monkeypatch):
    """Draws every turn as it truly is, and remembers whom it was asked for and how."""
    asked = []

    def generate_dialogs(
        pipeline, dialogs, *, batch_size, seed, teacher_forced=False, progress=True, **sampling
    ):
        asked.extend((dialog.id, len(dialog.turns), teacher_forced, sampling) for dialog in dialogs)
        return [true_pictures(dialog, SIDE) for dialog in dialogs]

    monkeypatch.setattr(evaluate, "generate_dialogs", generate_dialogs)
    monkeypatch.setattr(evaluate, "load_pipeline", lambda folder, device, dtype: "pipeline")
    return asked


@pytest.fixture
def command(coloured_squares):
    Detector(["blue cube", "red cube"], image_size=SIDE, widths=(8, 8, 8)).save_pretrained(
        coloured_squares / "detector"
    )
    (coloured_squares / "model").mkdir()
    (coloured_squares / "model" / "model_index.json").write_text('{"history": 1}')
    options = {"model": "model", "data": "data", "report": "report.json", "detector": "detector"}
    words = [word for key, name in options.items() for word in (f"--{key}", str(coloured_squares / name))]
    return ["evaluate", *words, "--split", "val", "--limit", "5"]


@pytest.mark.slow
def test_evaluate_draws_scores_and_goes_on(command, coloured_squares, generated_ids, capsys):
    assert main([*command, "num_inference_steps=3"]) == 0
    report = json.loads((coloured_squares / "report.json").read_text())
    assert report["data"]["dialogs"] == report["data"]["pictures"] == 5 and report["data"]["of"] == 8
    assert report["figures"][MODEL][DETECTOR]["preservation"]["value"] == 0
    assert report["fidelity"]["detector-fd"] == pytest.approx(0, abs=1e-4)
    assert (report["no_op"]["change"], report["no_op"]["unchanged"]) == (0, 1)
    assert report["devices"] == {"drew": [device_name(find_device("auto"))], "trained": None}
    assert report["model"]["config"] == {"model_index.json": {"history": 1}}
    assert report["dtype"] in ("float32", "bfloat16") and report["seconds"]["pictures_drawn_in_this_run"] == 5
    assert "| model | detector |" in capsys.readouterr().out
    assert all(sampling == {"num_inference_steps": 3} for *_, sampling in generated_ids)
    assert len(generated_ids) == 10  # five dialogs, and five that ask for nothing

    # the five that are there are not drawn again
    assert main([*command[:-1], "7", "num_inference_steps=3"]) == 0
    assert len(generated_ids) == 14
    longer = json.loads((coloured_squares / "report.json").read_text())
    assert longer["dialogs"][:5] == report["dialogs"]
    assert longer["seconds"]["pictures_drawn_in_this_run"] == 2

    assert main([*command, "num_inference_steps=4"]) == 2
    assert (
        "sampling: the pictures there were generated with {'num_inference_steps': 3}"
        in capsys.readouterr().err
    )
    assert main([*command, "num_inference_steps=3", "--dtype", "fp16"]) == 2
    assert "dtype: the pictures there were generated with" in capsys.readouterr().err
    first = next((coloured_squares / "report.pictures" / "generated").rglob("0.png"))
    first.write_bytes(b"")
    assert main([*command, "num_inference_steps=3"]) == 2
    assert f"{first}: picture can't be decoded" in capsys.readouterr().err


@pytest.mark.slow
def test_a_report_is_of_the_pictures_that_the_model_generates(command, coloured_squares, tiny_folder):
    """A model with random weights, from its folder to the figures, against the parts by themselves."""
    settings = ["--model", str(tiny_folder), "--device", "cpu", "--dtype", "fp32", "--seed", "3"]
    assert main([*command, *settings, "--teacher-forced"]) == 0
    report = json.loads((coloured_squares / "report.json").read_text())
    dialogs = load_dialogs(coloured_squares / "data", "val")[:5]
    pipeline = load_pipeline(tiny_folder, "cpu", "fp32")
    generated = generate_dialogs(pipeline, dialogs, seed=3, teacher_forced=True, progress=False)
    detector = load_detector(coloured_squares / "detector")
    expected = evaluate_pictures(dialogs, generated, detector, teacher_forced=True, seed=3)
    assert {key: report[key] for key in expected} == expected
    assert report["figures"][MODEL][DETECTOR]["preservation"]["value"] > 1  # noise was added to the canvas
    no_op = no_op_dialogs(dialogs)
    pictures = generate_dialogs(pipeline, no_op, seed=3, progress=False)
    assert report["no_op"] == evaluate_no_op(no_op, pictures, detector) and report["no_op"]["unchanged"] < 1


def test_teacher_forcing_is_passed_on_and_written_down(command, coloured_squares, generated_ids):
    assert main([*command, "--teacher-forced"]) == 0
    assert [forced for _, turns, forced, _ in generated_ids if turns == 1] == [True] * 5
    assert [forced for _, turns, forced, _ in generated_ids if turns == len(NO_OP_PHRASES)] == [False] * 5
    assert json.loads((coloured_squares / "report.json").read_text())["teacher_forced"] is True


def test_a_detector_that_lacks_a_class_is_refused_before_drawing(
    command, coloured_squares, generated_ids, capsys
):
    Detector(["red cube"], image_size=SIDE, widths=(8, 8, 8)).save_pretrained(coloured_squares / "detector")
    assert main(command) == 2
    assert "objects: the detector " in (error := capsys.readouterr().err)
    assert error.endswith("does not know the class 'blue cube'\n") and not generated_ids


def test_pictures_by_other_code_are_not_taken_for_this_models(command, generated_ids, monkeypatch, capsys):
    assert main(command) == 0
    monkeypatch.setattr(fingerprint, "of_code", lambda: "other")
    assert main(command) == 2
    assert "code: the pictures there were generated with" in capsys.readouterr().err


@pytest.mark.slow
def test_devices_that_drew_and_that_trained_are_named(command, coloured_squares, generated_ids, monkeypatch):
    """The work is begun on one device and goes on with another."""
    (coloured_squares / "model" / "training.json").write_text('{"device": "NVIDIA H200", "samples": 9}')
    for name, limit in (("NVIDIA A100", "2"), ("2 cores of AMD EPYC", "5"), ("NVIDIA T4", "5")):
        monkeypatch.setattr(evaluate, "device_name", lambda device, name=name: name)
        assert main([*command[:-1], limit]) == 0
        report = json.loads((coloured_squares / "report.json").read_text())
    # the third time there was nothing to draw
    assert report["devices"] == {"drew": ["2 cores of AMD EPYC", "NVIDIA A100"], "trained": "NVIDIA H200"}


def test_one_picture_has_no_distance(command, generated_ids, capsys):
    assert main([*command[:-1], "1"]) == 2
    assert "need at least two pictures" in capsys.readouterr().err


def test_a_preset_is_used_and_written_down(command, coloured_squares, generated_ids, monkeypatch, capsys):
    used = []

    def use_preset(name):
        used.append(name)
        if name == "fats":
            raise InputError("preset: 'fats' is unknown")

    pipeline = SimpleNamespace(use_preset=use_preset)
    monkeypatch.setattr(evaluate, "load_pipeline", lambda folder, device, dtype: pipeline)
    assert main([*command, "--preset", "fats"]) == 2
    assert main([*command, "--preset", "fast"]) == 0  # nothing was drawn with the other
    assert used == ["fats", "fast"]
    assert json.loads((coloured_squares / "report.json").read_text())["preset"] == "fast"
    assert main(command) == 2
    assert "preset: the pictures there were generated with 'fast', not None" in capsys.readouterr().err


@pytest.mark.slow
def test_two_processes_find_what_one_finds(tmp_path):
    """The model that ships on two dialogs that ship."""
    model, sample = (ROOT / "data" / name for name in ("pretrained/iclevr", "iclevr_sample"))
    command = ["evaluate", "--model", str(model), "--data", str(sample), "--limit", "2", "--batch-size", "1"]
    command += ["--preset", "fast", "--dtype", "fp32"]
    assert main([*command, "--report", str(tmp_path / "one.json")]) == 0
    run_two_processes("cdd_icm", *command, "--report", str(tmp_path / "two.json"))
    one, two = (json.loads((tmp_path / f"{name}.json").read_text()) for name in ("one", "two"))
    assert (one["processes"], two["processes"]) == (1, 2)
    for key in ("model", "data", "detector", "figures", "pictures_by_turn", "dialogs"):
        assert one[key] == two[key], key


def test_the_saved_pictures_lie_in_two_trees_of_the_same_form(command, coloured_squares, generated_ids):
    assert main(command) == 0
    trees = [
        sorted(file.relative_to(root).as_posix() for file in root.rglob("*.png"))
        for root in (coloured_squares / "report.pictures" / kind for kind in ("generated", "true"))
    ]
    assert trees[0] == trees[1] and len(trees[0]) == 5
    dialog = load_dialogs(coloured_squares / "data", "val")[0]
    assert np.array_equal(true_pictures(dialog, SIDE).shape, (1, SIDE, SIDE, 3))


def test_another_data_set_is_one_line(command, coloured_squares, generated_ids, capsys):
    (coloured_squares / "model" / "planner").mkdir()
    index = {"planner": ["cdd_icm.plan.annotated.plan", "AnnotatedPlan"]}
    (coloured_squares / "model" / "model_index.json").write_text(json.dumps(index))
    planner = coloured_squares / "model" / "planner" / "config.json"
    planner.write_text(json.dumps({"classes": ["boy", "sun"]}))
    assert main(command) == 2
    assert capsys.readouterr().err == (
        f"cdd-icm: {coloured_squares / 'data'}: another data set than that of the model in "
        f"{coloured_squares / 'model'}: its objects, such as 'blue cube', are of none of the classes that "
        "the model plans, such as 'boy'\n"
    )
    planner.write_text(json.dumps({"classes": ["red cube"]}))
    assert main(command) == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--report", "report.txt"], "--report report.txt: the name must end in .json"),
        (["--model", "absent"], "absent: no model here"),
        (["--detector", "absent"], "absent: no such folder"),
        (["--split", "nowhere"], "nowhere"),
        (["steps"], "'steps': expected key=value"),
        (["guidance_scale=["], "'guidance_scale=[': the value is not YAML"),
        (["num_steps=3"], "unknown key num_steps; the nearest is num_inference_steps"),
        (["scheduler=Magic"], "scheduler is 'Magic'"),
        (["--dtype", "fp64"], "dtype: 'fp64', expected auto or one of fp32, bf16, fp16"),
        (["--device", "abacus"], "device: 'abacus', expected one of auto, cpu"),
        (["--inception", "absent.safetensors"], "absent.safetensors: not a complete safetensors file"),
        (["--inception", "hf://owner"], "hf://owner: expected hf://OWNER/REPOSITORY/FILE"),
    ],
)
def test_bad_input_is_one_line(command, generated_ids, capsys, change, message):
    assert main([*command, *change]) == 2
    error = capsys.readouterr().err.strip().splitlines()
    assert message in error[-1] and error[-1].startswith("cdd-icm: ")
    assert not generated_ids
