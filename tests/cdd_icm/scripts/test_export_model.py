"""A run becomes the folder that ships, and a report of its training."""

import json

import export_model
import pytest
import torch
from safetensors.torch import load_file

from cdd_icm.device import device_name
from cdd_icm.evaluation.evaluate import training_device
from cdd_icm.sampling.loading import load_pipeline
from cdd_icm.train.generator import train


@pytest.mark.slow
def test_a_run_is_exported_with_the_device_that_trained_it(config, tmp_path, monkeypatch, capsys):
    run = train(config).parent
    out, report = tmp_path / "model", tmp_path / "training_report.json"
    monkeypatch.setattr("sys.argv", ["export_model", str(run), str(out), "--report", str(report)])
    assert export_model.main() == 0
    weights = load_file(out / "unet" / "diffusion_pytorch_model.safetensors")
    assert {tensor.dtype for tensor in weights.values()} == {torch.float16}
    assert load_pipeline(out, "cpu", "fp32").image_size == 32
    facts = json.loads(report.read_text())
    assert training_device(out) == facts["device"] == device_name(torch.device("cpu"))
    assert facts["samples"] == config.training.total_samples
    assert str(tmp_path) not in report.read_text() + (out / "model_index.json").read_text()

    (run / "pipeline" / "training.json").unlink()
    capsys.readouterr()
    assert export_model.main() == 2
    missing = run / "pipeline" / "training.json"
    assert capsys.readouterr().err == f"export_model: {missing}: No such file or directory\n"
