"""What is written: the report and what it promises, comparisons, pictures on disk, distances."""

from __future__ import annotations

import copy
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from huggingface_hub.errors import LocalEntryNotFoundError
from PIL import Image
from safetensors.torch import save_file
from torch_fidelity import feature_extractor_inceptionv3

from cdd_icm.cli import main
from cdd_icm.errors import InputError
from cdd_icm.evaluation import fingerprint, load_detector, shipped_detector
from cdd_icm.evaluation.detector import Detector
from cdd_icm.evaluation.fidelity import fidelity, inception_weights
from cdd_icm.evaluation.protocol import evaluate_no_op, evaluate_pictures, no_op_dialogs, true_pictures
from cdd_icm.evaluation.report import (
    FINGERPRINTS_OF_FORMAT_1,
    FORMAT,
    compare,
    markdown,
    read_report,
    worst_dialogs,
    write_report,
    write_worst,
)
from cdd_icm.io import load_tensors

SHIPPED = Path(__file__).parents[3] / "data" / "pretrained"
SIDE = 32  # of the squares' pictures


def report_of(dialogs, drawn, detector, name="good", stamp="d1") -> dict:
    still = no_op_dialogs(dialogs)  # whose true pictures change nothing
    return {
        "format": FORMAT,
        "model": {"name": name},
        "data": {"name": "squares", "split": "test", "dialogs": len(dialogs), "pictures": 5},
        "detector": {"name": "exact", "fingerprint": stamp},
        "seed": 0,
        "teacher_forced": False,
        "fidelity": {"detector-fd": 1.5},
        "no_op": evaluate_no_op(still, [true_pictures(dialog, SIDE) for dialog in still], detector),
        "devices": {"drew": ["NVIDIA H200"], "trained": "2 cores of AMD EPYC"},
        **evaluate_pictures(dialogs, drawn, detector, progress=False),
    }


@pytest.fixture
def good(dialogs, detector):
    return report_of(dialogs, [true_pictures(dialog, SIDE) for dialog in dialogs], detector)


@pytest.fixture
def bad(dialogs, detector, paint):
    drawn = [true_pictures(dialogs[0], SIDE), paint((("blue", 8, 20),), (("blue", 8, 20),))]
    return report_of(dialogs, drawn, detector, "bad")


def test_files_beside_the_report(tmp_path, good, dialogs):
    write_report(tmp_path / "run.json", good)
    assert {file.name for file in tmp_path.iterdir()} == {"run.json", "run.md", "run.png"}
    assert json.loads((tmp_path / "run.json").read_text()) == good
    text = (tmp_path / "run.md").read_text()
    assert "| model | detector | 100.00 [100.00, 100.00] |" in text
    assert "detector-fd 1.5" in text and "| turn | 1 | 2 | 3 |" in text
    assert "Drawn on NVIDIA H200; trained on 2 cores of AMD EPYC." in text
    assert "100.0 % left the picture as it was" in text and "| stay like that | 100.0 | 0.00 |" in text
    with Image.open(tmp_path / "run.png") as plot:
        plot.verify()


def test_the_worst_come_first(tmp_path, bad, dialogs):
    assert worst_dialogs(bad) == [1, 0]
    assert worst_dialogs(bad, 1) == [1]
    write_worst(tmp_path, bad, dialogs, [true_pictures(dialog, SIDE) for dialog in dialogs])
    assert {file.name for file in tmp_path.iterdir()} == {"01.png", "02.png"}


def test_comparison_pairs_the_same_dialogs(tmp_path, good, bad, dialogs, detector, capsys):
    """Dialog 1's last picture lacks one of two objects: F1 falls by 1/3 on one of five pictures."""
    for name, report in (("good", good), ("bad", bad)):
        write_report(tmp_path / f"{name}.json", report)
    assert main(["compare", str(tmp_path / "good.json"), str(tmp_path / "bad.json")]) == 0
    table = capsys.readouterr().out
    assert "| minus good | dialogs |" in table
    assert "| good | 2 dialogs of squares test, seed 0 | 100.00 [100.00, 100.00] |" in table
    row = next(line for line in table.splitlines() if line.startswith("| bad | 2 |"))
    assert "-6.67" in row  # F1
    assert "+0.00 [+0.00, +0.00]" in row  # AP
    # on the dialog that both have, the difference is that dialog's own
    write_report(tmp_path / "part.json", report_of(dialogs[1:], [true_pictures(dialogs[1], SIDE)], detector))
    assert "| bad | 1 |" in compare([tmp_path / "part.json", tmp_path / "bad.json"])


@pytest.mark.slow
def test_what_can_not_be_compared_is_refused(tmp_path, good, bad, dialogs, detector, capsys):
    write_report(tmp_path / "good.json", good)
    write_report(tmp_path / "other.json", bad | {"detector": {"name": "x", "fingerprint": "d2"}})
    assert main(["compare", str(tmp_path / "good.json"), str(tmp_path / "other.json")]) == 2
    assert "detector d2 is not that of" in capsys.readouterr().err
    renamed = [replace(dialog, id=f"new_{dialog.id}") for dialog in dialogs]
    drawn = [true_pictures(dialog, SIDE) for dialog in renamed]
    write_report(tmp_path / "strange.json", report_of(renamed, drawn, detector))
    with pytest.raises(InputError, match="strange.json: no dialog in common"):
        compare([tmp_path / "good.json", tmp_path / "strange.json"])
    (tmp_path / "text.json").write_text("not JSON")
    with pytest.raises(InputError, match="text.json: not JSON"):
        compare([tmp_path / "good.json", tmp_path / "text.json"])
    figures = copy.deepcopy(good["figures"])
    figures["model"]["detector"]["ap"]["value"] = "high"
    short = [good["dialogs"][0] | {"f1": good["dialogs"][0]["f1"][:-1]}]
    for hollow in (
        *({"figures": {}}, {"figures": figures}, {"detector": None}, {"data": {"split": "val"}}),
        *({"dialogs": [{"fingerprint": "x", "rsim": []}]}, {"dialogs": short}),
    ):
        write_report(tmp_path / "hollow.json", good)
        (tmp_path / "hollow.json").write_text(json.dumps(good | hollow))
        with pytest.raises(InputError, match="hollow.json: not a report"):
            compare([tmp_path / "good.json", tmp_path / "hollow.json"])
    with pytest.raises(InputError, match="absent.json: No such file"):
        compare([tmp_path / "absent.json"])


def test_a_comparison_tells_how_each_was_drawn(tmp_path, good):
    write_report(tmp_path / "a.json", good | {"preset": "fast", "sampling": {"num_inference_steps": 3}})
    write_report(tmp_path / "b.json", good | {"teacher_forced": True})
    table = compare([tmp_path / "a.json", tmp_path / "b.json"])
    assert "| a | 2 dialogs of squares test, seed 0, preset=fast, num_inference_steps=3 |" in table
    assert "| b | 2 dialogs of squares test, seed 0, on true references |" in table


def test_a_report_of_the_first_format_is_read_without_what_it_did_not_measure(tmp_path, good):
    no_op = {"instruction": "keep everything as it is", "dialogs": 2, "change_by_turn": [0]}
    first = {key: value for key, value in good.items() if key != "devices"}
    first |= {"format": 1, "device": "cpu:0", "no_op": no_op}
    (tmp_path / "first.json").write_text(json.dumps(first))
    report = read_report(tmp_path / "first.json")
    assert report["no_op"] is None and report["figures"] == good["figures"]
    text = markdown(report)
    assert "Drawn on a device that the report does not name" in text and "keep everything" not in text
    write_report(tmp_path / "second.json", good)
    assert "| minus first | dialogs |" in compare([tmp_path / "first.json", tmp_path / "second.json"])
    (tmp_path / "third.json").write_text(json.dumps(good | {"format": 3}))
    with pytest.raises(InputError, match="third.json: format: 3 is not the report format 2"):
        read_report(tmp_path / "third.json")


def test_reports_of_both_formats_by_a_shipped_detector_can_be_compared(tmp_path, good):
    for former, now in FINGERPRINTS_OF_FORMAT_1.items():
        for name, format, detector in (("first", 1, former), ("second", 2, now)):
            report = good | {"format": format, "detector": {"name": "shipped", "fingerprint": detector}}
            (tmp_path / f"{name}.json").write_text(json.dumps(report))
        assert "| minus first | dialogs |" in compare([tmp_path / "first.json", tmp_path / "second.json"])
    names = ("detector_iclevr", "detector_codraw", "iclevr", "codraw")
    shipped = [fingerprint.of_folder(SHIPPED / name) for name in names]
    assert list(FINGERPRINTS_OF_FORMAT_1.values()) == shipped


def test_markdown_tells_how_it_was_drawn(good):
    assert "free-running" in markdown(good)
    assert "each turn on the true reference" in markdown(good | {"teacher_forced": True})


@pytest.fixture(scope="module")
def detector_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("detector")
    Detector(["red", "green", "blue"], image_size=32, widths=(8, 8, 8)).save_pretrained(folder)
    return folder


def test_distance_on_the_detectors_features_is_never_called_fid(detector_folder):
    rng = np.random.default_rng(0)
    true = rng.integers(0, 256, (24, 32, 32, 3), np.uint8)
    same = fidelity(true, true, detector_folder)
    other = fidelity(true, true // 4, detector_folder)
    assert set(same) == {"detector-fd", "detector-kd", "detector-kd_std"}
    assert (
        same["detector-fd"] == pytest.approx(0, abs=1e-4) and other["detector-fd"] > 10 * same["detector-fd"]
    )


def test_inception_weights_are_never_unpickled(tmp_path):
    (tmp_path / "weights.pth").write_bytes(b"\x80\x04pickle")
    with pytest.raises(InputError, match="weights.pth: not a complete safetensors file"):
        inception_weights(str(tmp_path / "weights.pth"))
    save_file({"x": torch.zeros(1)}, tmp_path / "x.safetensors")
    with pytest.raises(InputError, match="x.safetensors: not torch-fidelity's Inception-v3"):
        inception_weights(str(tmp_path / "x.safetensors"))


@pytest.mark.slow
def test_with_inception_weights_it_is_fid(tmp_path, monkeypatch, detector_folder):
    """torch-fidelity's own network with random weights, from a file and as if the hub had it."""
    file = tmp_path / "inception.safetensors"
    with monkeypatch.context() as patch:
        patch.setattr(feature_extractor_inceptionv3, "load_state_dict_from_url", lambda *_, **__: {})
        network = feature_extractor_inceptionv3.FeatureExtractorInceptionV3
        patch.setattr(network, "load_state_dict", lambda self, tensors: None)
        save_file(network("random", ["2048"]).state_dict(), file)
    true = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), np.uint8)
    found = fidelity(true, true // 4, detector_folder, inception_weights(str(file)))
    same = fidelity(true, true, detector_folder, inception_weights(str(file)))
    assert set(found) == {"fid", "kid", "kid_std"}
    assert found["fid"] > 1000 * abs(same["fid"])  # small, as the features of random weights are

    asked, module = [], sys.modules[fidelity.__module__]  # the package has the function by that name
    monkeypatch.setattr(module, "hf_hub_download", lambda *where: asked.append(where) or str(file))
    assert inception_weights("hf://a/b/c/d.safetensors") == inception_weights(str(file))
    assert asked == [("a/b", "c/d.safetensors")]

    def no_network(*where):
        raise LocalEntryNotFoundError("no network\nand more of it")

    monkeypatch.setattr(module, "hf_hub_download", no_network)
    with pytest.raises(InputError, match=r"hf://a/b/c: can't be downloaded \(no network\)$"):
        inception_weights("hf://a/b/c")


def test_a_detector_that_can_not_be_loaded_is_named(tmp_path, detector_folder):
    config, weights = tmp_path / "config.json", tmp_path / "diffusion_pytorch_model.safetensors"
    with pytest.raises(InputError, match=f"{config}: No such file"):
        load_detector(tmp_path)
    config.write_bytes((detector_folder / "config.json").read_bytes())
    with pytest.raises(InputError, match="no weights"):
        load_detector(tmp_path)
    weights.write_bytes(b"truncated")
    with pytest.raises(InputError, match=f"{weights}: not a complete safetensors file"):
        load_detector(tmp_path)
    tensors = load_tensors(detector_folder / weights.name)
    save_file({key: value for key, value in tensors.items() if key != "heat.bias"}, weights)
    with pytest.raises(InputError, match="heat.bias is missing, but config.json expects it"):
        load_detector(tmp_path)
    config.write_text(config.read_text().replace("8,\n", "", 1))  # a width
    with pytest.raises(InputError, match="config.json: "):
        load_detector(tmp_path)


def test_no_shipped_detector_for_foreign_data(dialogs):
    with pytest.raises(InputError, match="no shipped detector knows the class"):
        shipped_detector(dialogs)
    bare = [replace(d, turns=tuple(replace(turn, objects=None) for turn in d.turns)) for d in dialogs]
    with pytest.raises(InputError, match="give --detector DIR"):
        shipped_detector(bare)
