"""A config or a model that asks for too much memory: what goes in, and the one line that comes out
beforehand; and what a dry run tells."""

import json
from pathlib import Path

import pytest
import torch
import yaml
from PIL import Image
from safetensors.torch import save_file

from cdd_icm import CDDICMPipeline, cli
from cdd_icm.config import Config, from_dict
from cdd_icm.data import load_dialogs
from cdd_icm.evaluation.detector import Detector, load_detector
from cdd_icm.evaluation.train_detector import DetectorConfig, train_detector
from cdd_icm.io import load_tensors
from cdd_icm.limits import GIB, Limit
from cdd_icm.plan.registry import plan_settings
from cdd_icm.train.generator import dry_run, train
from cdd_icm.train.memory import Memory, step_memory
from retrieval.config import RetrievalConfig
from retrieval.model import RetrievalModel
from retrieval.train import trainer
from tests.cdd_icm.conftest import SAMPLE, TINY, tiny_folder, tiny_pipeline, write_iclevr  # noqa: F401
from tests.retrieval.conftest import TINY as TINY_RETRIEVAL
from tests.retrieval.conftest import make_model  # noqa: F401
from tests.test_limits import refused

ROOT = Path(__file__).parents[1]


@pytest.fixture
def small(monkeypatch):
    """Limits that are the same on every machine."""
    monkeypatch.setattr("cdd_icm.model.size.TENSORS", Limit(500, "tensors"))
    for module in ("train.loop", "train.memory", "model.size"):
        monkeypatch.setattr(f"cdd_icm.{module}.MEMORY", Limit(4 * GIB))
    monkeypatch.setattr("cdd_icm.train.memory.memory_of", lambda device: Limit(4 * GIB))


# --- configs -------------------------------------------------------------------------------------------


def generator(**changed):
    data = {"image_size": 32, "path": str(SAMPLE)} | changed.pop("data", {})
    return from_dict(Config, TINY | {"output_dir": changed.pop("out"), "data": data} | changed)


TEXT_TOWER = TINY["encoder"]["model"]["text_cfg"]


def with_layers(layers):
    return {"model": TINY["encoder"]["model"] | {"text_cfg": TEXT_TOWER | {"layers": layers}}}


CONFIGS = {
    "image_size": (
        dict(data={"image_size": 9_999_872}),
        "data.image_size is 9999872: a picture has 99997440016384 pixels, over the limit of 64000000 pixels",
    ),
    "batch_size": (
        dict(training={"batch_size": 10**7}),
        "training.batch_size is 10000000: pictures of 32x32 need at least 114.4 GiB, over the limit of 4 GiB",
    ),
    "batch_size, its step": (
        dict(training={"batch_size": 10**5}),
        "training.batch_size is 100000, training.gradient_accumulation 1: a step needs about",
    ),
    "num_workers": (
        dict(data={"num_workers": 10**7}),
        "data.num_workers asks for 10000000 processes, over the limit of 1024 processes",
    ),
    "fusion.width": (dict(fusion={"width": 4_000_000}), "the model needs at least"),
    "fusion.layers": (
        dict(fusion={"layers": 10**8, "width": 32}),
        "the model has at least 501 tensors, over the limit of 500 tensors (CDD_ICM_LIMITS=2 allows it)",
    ),
    "unet.widths": (dict(unet={"widths": [64, 2**20]}), "the model needs at least"),
    "matcher.width": (dict(matcher={"width": 16_000_000}), "the model needs at least"),
    "encoder.model": (dict(encoder=with_layers(10**8)), "the model has at least 501 tensors, over the"),
}


@pytest.mark.slow
@pytest.mark.parametrize(("changed", "line"), CONFIGS.values(), ids=CONFIGS.keys())
def test_a_config_is_refused_beforehand(tmp_path, small, changed, line):
    config = generator(out=str(tmp_path / "run"), **changed)
    said = refused(lambda: train(config))
    assert said.startswith(line) and "over the limit of" in said
    assert refused(lambda: dry_run(config)) == said


OTHERS = {
    "detector, batch_size": (
        lambda out: train_detector(_detector(out, training={"batch_size": 10**8})),
        "training.batch_size is 100000000: pictures of 32x32 need at least 1.118 TiB, over the limit",
    ),
    "detector, widths": (
        lambda out: train_detector(_detector(out, widths=[64, 128, 10**6])),
        "the model needs at least",
    ),
    "retrieval, image_size": (
        lambda out: trainer.train(_retrieval(out, data={"image_size": 10**7})),
        "data.image_size is 10000000: a picture has 100000000000000 pixels, over the limit of 64000000",
    ),
    "retrieval, width": (
        lambda out: trainer.train(_retrieval(out, fusion={"width": 4_000_000})),
        "the model needs at least",
    ),
}


def _detector(out, data=None, **changed):
    path = write_iclevr(Path(out) / "data", 2, "train")
    data = {"path": str(write_iclevr(path, 1, "val")), "image_size": 32} | (data or {})
    return from_dict(DetectorConfig, {"output_dir": out, "data": data} | changed)


def _retrieval(out, data=None, **changed):
    data = {"path": str(SAMPLE), "image_size": 32, "cache_dir": f"{out}/cache"} | (data or {})
    return from_dict(RetrievalConfig, TINY_RETRIEVAL | {"output_dir": out, "data": data} | changed)


@pytest.mark.parametrize(("run", "line"), OTHERS.values(), ids=OTHERS.keys())
def test_every_training_is_refused_beforehand(tmp_path, run, line):
    said = refused(lambda: run(str(tmp_path / "run")))
    assert said.startswith(line) and "over the limit of" in said


MODELS = {
    "image_size": ("unet", "image_size", 10**7, "unet/config.json: no valid ConditionalUNet config"),
    "widths": ("unet", "widths", [64, 2**20], "unet/config.json: no valid ConditionalUNet config (the model"),
    "layers": ("fusion", "layers", 10**8, "fusion/config.json: no valid GatedFusion config (the model has"),
    "width": (
        "matcher",
        "width",
        16_000_000,
        "matcher/config.json: no valid Matcher config (the model needs",
    ),
}


@pytest.mark.parametrize(("part", "key", "value", "line"), MODELS.values(), ids=MODELS.keys())
def test_a_folder_declares_a_huge_model(tiny_folder, small, part, key, value, line):  # noqa: F811
    file = tiny_folder / part / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {key: value}))
    said = refused(lambda: CDDICMPipeline.from_pretrained(tiny_folder))
    if key != "image_size":  # nothing in the UNet depends on it, but the other parts do
        assert said.startswith(f"{tiny_folder}/{line}")
    else:
        assert "image_size" in said


def test_a_scheduler_declares_many_steps(tiny_folder):  # noqa: F811
    file = tiny_folder / "scheduler" / "scheduler_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"num_train_timesteps": 10**12}))
    line = f"{file}: num_train_timesteps is 1000000000000, expected 1000, as in training"
    assert refused(lambda: CDDICMPipeline.from_pretrained(tiny_folder)) == line


def test_a_detector_declares_many_cells(tmp_path):
    Detector(["a"], image_size=32, widths=(8, 8, 8)).save_pretrained(tmp_path)
    file = tmp_path / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"image_size": 16 * 10**8}))
    said = refused(lambda: load_detector(tmp_path))
    assert said.startswith(f"{file}: no valid Detector config (the model needs at least")


def test_a_retrieval_model_declares_a_wide_fusion(tmp_path, make_model):  # noqa: F811
    make_model().save_pretrained(tmp_path / "m")
    file = tmp_path / "m" / "config.json"
    config = json.loads(file.read_text())
    config["options"]["fusion"]["width"] = 4_000_000
    file.write_text(json.dumps(config))
    said = refused(lambda: RetrievalModel.from_pretrained(tmp_path / "m"))
    assert said.startswith(f"{file}: no RetrievalModel can be built from it (the model needs at least")


def test_many_pictures_at_once(tiny_pipeline, monkeypatch):  # noqa: F811
    monkeypatch.setattr("cdd_icm.sampling.pipeline.MEMORY", Limit(2**16))
    picture = Image.new("RGB", (32, 32))
    said = refused(lambda: tiny_pipeline(picture, "a red cube", num_candidates=256))
    assert said.startswith("instruction: 256 pictures at once need at least 3 MiB, over the limit of 64 KiB")


# --- the dry run ---------------------------------------------------------------------------------------


def test_a_dry_run_tells_data_batch_and_memory(tmp_path, capsys):
    settings = TINY | {"data": {"image_size": 32, "path": str(SAMPLE)}, "output_dir": str(tmp_path / "run")}
    (tmp_path / "x.yaml").write_text(yaml.safe_dump(settings))
    assert cli.main(["train", "--dry-run", str(tmp_path / "x.yaml"), "training.batch_size=8"]) == 0
    data, batch, memory = capsys.readouterr().out.splitlines()
    assert data == f"data: {SAMPLE}: 12 dialogs with 60 turns; 3 to validate"
    assert batch == "batch: 8 turns of 32x32 pixels, of which 8 at once; 100000 turns in all"
    assert memory.startswith("a step on ") and " GiB of memory: weights 0.01, gradients 0.01, " in memory
    assert not (tmp_path / "run").exists()


def memory_of_a_step(**changed) -> Memory:
    config, dialogs = generator(**changed), load_dialogs(SAMPLE, "train")
    return step_memory(config, plan_settings(config, dialogs), dialogs, torch.device("cpu"))


@pytest.mark.slow
def test_the_memory_of_a_step(tmp_path):
    """Weights are counted; the estimate of activations grows with the batch and shrinks with its parts."""
    needed = memory_of_a_step(out=str(tmp_path), training={"batch_size": 8})
    assert needed.optimizer == 2 * needed.gradients and needed.gradients <= needed.weights == needed.average
    assert needed.total == sum(vars(needed).values())
    larger = memory_of_a_step(out=str(tmp_path), training={"batch_size": 16})
    assert larger.activations == 2 * needed.activations and larger.weights == needed.weights
    parts = {"batch_size": 16, "gradient_accumulation": 2}
    assert memory_of_a_step(out=str(tmp_path), training=parts) == needed


@pytest.fixture
def few_texts(monkeypatch):
    monkeypatch.setattr("cdd_icm.plan.edits.plan.TEXTS", 300)


@pytest.mark.parametrize("no_op_share", [0.0, 0.99])
def test_a_step_of_edits_is_measured(tmp_path, no_op_share, few_texts):
    """Also where no text asks for anything."""
    plan, objective = {"kind": "edits", "synthetic_turns": 0}, {"no_op_share": no_op_share}
    assert memory_of_a_step(out=str(tmp_path), plan=plan, objective=objective).activations > 0


ELSEWHERE = {
    "codraw": ["plan.template_attributes=[]"],
    "clip_art": ["plan.template_attributes=[]", "plan.requests=0", "plan.edits=0"],
}
"""What has to change so that a config for other data is for i-CLEVR's."""


@pytest.mark.slow
@pytest.mark.parametrize("config", sorted((ROOT / "configs/generate").glob("*.yaml")), ids=lambda c: c.stem)
def test_a_step_of_every_shipped_config_is_measured(config, few_texts, capsys):
    changed = [f"data.path={SAMPLE}", "training.batch_size=4", "training.gradient_accumulation=1"]
    changed += ELSEWHERE.get(config.stem, [])
    assert cli.main(["train", "--dry-run", str(config), *changed]) == 0
    assert " GiB of memory: " in capsys.readouterr().out


def test_the_estimate_is_what_autograd_keeps(tmp_path):
    """Of a model with known activations: one linear map after another, whose inputs are kept."""
    from cdd_icm.train.memory import _kept

    class Layers(torch.nn.Sequential):
        def forward(self, batch, draws):
            return super().forward(batch)

    with torch.device("meta"):
        model = Layers(torch.nn.Linear(10, 20), torch.nn.ReLU(), torch.nn.Linear(20, 30))
        batch = torch.empty(8, 10)
    assert _kept(model, batch, None) == 4 * (8 * 10 + 8 * 20)


def test_weights_of_an_ordinary_model_are_within_the_limits(tmp_path):
    save_file({"a": torch.zeros(2)}, tmp_path / "x.safetensors")
    assert load_tensors(tmp_path / "x.safetensors")["a"].tolist() == [0, 0]
