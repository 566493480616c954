"""A pipeline folder: it comes back as it was, canvas included, and a damaged one is refused by name."""

import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from diffusers.utils import logging
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer

from cdd_icm import CDDICMPipeline, DrawingSession
from cdd_icm.diffusion.samplers import scheduler_like
from cdd_icm.errors import InputError
from cdd_icm.model.tokenizer import as_built, clip_tokenizer, learn_tokenizer, tokenize
from cdd_icm.plan.registry import PLANS
from cdd_icm.sampling.dialogs import weights_fingerprint
from cdd_icm.sampling.folder import MODELS
from cdd_icm.sampling.loading import load_pipeline
from retrieval.model import RetrievalModel


def draw(pipeline):
    pipeline.set_progress_bar_config(disable=True)
    return np.asarray(DrawingSession(pipeline).say("add a red cube"))


def test_saved_and_loaded_gives_the_same_pixels(tiny_pipeline, tiny_folder):
    loaded = CDDICMPipeline.from_pretrained(tiny_folder)
    assert weights_fingerprint(loaded) == weights_fingerprint(tiny_pipeline)
    assert np.array_equal(np.asarray(loaded.canvas), np.asarray(tiny_pipeline.canvas))
    assert loaded.settings() == tiny_pipeline.settings()
    assert np.array_equal(draw(loaded), draw(tiny_pipeline))


def test_a_tokenizer_is_saved_as_it_was_built_whatever_it_was_used_for(tmp_path):
    tokenizer = learn_tokenizer(["add a red cube"], 300, 24)
    as_built(tokenizer).save_pretrained(tmp_path / "new")
    tokenize(tokenizer, ["add a red cube"])
    tokenizer.save_pretrained(tmp_path / "without")
    as_built(tokenizer).save_pretrained(tmp_path / "used")
    files = {name: (tmp_path / name / "tokenizer.json").read_bytes() for name in ("new", "used", "without")}
    assert files["new"] == files["used"] != files["without"]


def test_a_pipeline_is_saved_with_that_tokenizer(tiny_pipeline, tmp_path):
    tiny_pipeline.encode(torch.zeros(1, 3, 32, 32), ["add a red cube"])
    tiny_pipeline.save_pretrained(tmp_path)
    saved = json.loads((tmp_path / "tokenizer" / "tokenizer.json").read_text())
    assert saved["padding"] is None and saved["truncation"] is None


def test_loading_draws_no_bar_and_leaves_diffusers_as_it_was(tiny_folder, capsys):
    logging.enable_progress_bar()
    load_pipeline(tiny_folder, "cpu", "fp32")
    assert capsys.readouterr().err == ""
    assert logging.is_progress_bar_enabled()


@pytest.mark.slow
@pytest.mark.parametrize("reader", [CDDICMPipeline, RetrievalModel])
def test_a_tokenizer_is_loaded_once(tiny_folder, monkeypatch, reader):
    load, loaded = AutoTokenizer.from_pretrained, []
    monkeypatch.setattr(
        AutoTokenizer, "from_pretrained", lambda *args, **more: loaded.append(args) or load(*args, **more)
    )
    reader.from_pretrained(tiny_folder)
    assert len(loaded) == 1


@pytest.mark.slow
def test_a_preset_travels_with_the_model(tiny_folder):
    """It draws what its settings and its scheduler draw when they are given one by one."""
    loaded, by_hand = (CDDICMPipeline.from_pretrained(tiny_folder) for _ in range(2))
    loaded.use_preset("fast")
    by_hand.scheduler = scheduler_like(by_hand.scheduler, "DDIMScheduler")
    assert loaded.settings() == replace(by_hand.settings(), num_inference_steps=1)
    assert type(loaded.scheduler) is type(by_hand.scheduler)
    by_hand.set_progress_bar_config(disable=True)
    picture = DrawingSession(by_hand, num_inference_steps=1).say("add a red cube")
    assert np.array_equal(draw(loaded), np.asarray(picture))
    assert loaded.settings(num_inference_steps=3).num_inference_steps == 3  # what is given still counts
    with pytest.raises(InputError, match="preset: 'slow' is unknown; this model has fast"):
        loaded.use_preset("slow")
    loaded.register_to_config(sampling_presets={})
    with pytest.raises(InputError, match="preset: 'fast' is unknown; this model has none"):
        loaded.use_preset("fast")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("left_out", "given"),
    [
        ("condition_dropout", {"guidance_scale": 3.0}),
        ("condition_dropout", {"image_guidance_scale": 1.5}),
        ("icm_weight", {"icm_guidance_scale": 1.0}),
        ("icm_weight", {"num_candidates": 4}),
    ],
)
def test_what_was_not_trained_does_not_guide(tiny_folder, left_out, given):
    (name,) = given
    trained = CDDICMPipeline.from_pretrained(tiny_folder)
    assert trained.config.objective[left_out] > 0
    setting("model_index.json", "objective", left_out, value=0)(tiny_folder)
    setting("model_index.json", "sampling", "guidance_scale", value=1.0)(tiny_folder)
    untrained = CDDICMPipeline.from_pretrained(tiny_folder)
    with pytest.raises(InputError, match=f"sampling.{name} is .* where objective.{left_out} is 0"):
        untrained.settings(**given)
    index = tiny_folder / "model_index.json"
    index.write_text(json.dumps({k: v for k, v in json.loads(index.read_text()).items() if k != "objective"}))
    unknown = CDDICMPipeline.from_pretrained(tiny_folder)  # as folders of earlier versions
    for pipeline in (trained, unknown):
        assert getattr(pipeline.settings(**given), name) == given[name]


def test_the_canvas_goes_where_the_pipeline_goes(tiny_pipeline, tiny_folder):
    twin = CDDICMPipeline.from_pipe(tiny_pipeline)
    assert twin.canvas is tiny_pipeline.canvas
    twin.canvas = None
    twin.save_pretrained(tiny_folder)
    assert not (tiny_folder / "canvas.png").exists()


def test_a_folder_without_canvas_loads(tiny_pipeline, tiny_folder):
    (tiny_folder / "canvas.png").unlink()
    loaded = CDDICMPipeline.from_pretrained(tiny_folder)
    assert loaded.canvas is None
    with pytest.raises(InputError, match="canvas"):
        DrawingSession(loaded)


def test_from_a_hub_cache(tiny_folder, tmp_path):
    """A hub name: what the hub's client has in its cache is checked and read like any folder."""
    repository = tmp_path / "cache" / "models--someone--drawer"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("0" * 40)
    shutil.copytree(tiny_folder, repository / "snapshots" / ("0" * 40))
    loaded = CDDICMPipeline.from_pretrained(
        "someone/drawer", cache_dir=tmp_path / "cache", local_files_only=True
    )
    assert loaded.canvas.size == (32, 32)


@pytest.mark.slow
def test_half_precision_weights_load_into_any_format(tiny_pipeline, tiny_folder, tmp_path):
    half = CDDICMPipeline.from_pretrained(tiny_folder).to(torch.float16)
    half.save_pretrained(tmp_path / "half")
    assert (
        load_file(tmp_path / "half/fusion/diffusion_pytorch_model.safetensors").popitem()[1].dtype
        == torch.float16
    )
    whole = load_pipeline(tmp_path / "half", "cpu", "fp32")
    assert whole.unet.dtype == torch.float32
    assert np.abs(draw(whole).astype(int) - draw(tiny_pipeline)).max() <= 8
    brain = load_pipeline(tmp_path / "half", "cpu", "bf16")
    assert brain.unet.dtype == torch.bfloat16
    assert np.abs(draw(brain).astype(int) - draw(tiny_pipeline)).max() <= 32
    assert load_pipeline(tmp_path / "half").unet.dtype in (torch.bfloat16, torch.float32)


def weights(name):
    return f"{name}/diffusion_pytorch_model.safetensors"


def truncated(folder):
    file = folder / weights("unet")
    file.write_bytes(file.read_bytes()[:-1000])


def change(name, how):
    def spoil(folder):
        tensors = load_file(folder / weights(name))
        how(tensors)
        save_file(tensors, folder / weights(name))

    return spoil


def setting(file, *keys, value):
    def spoil(folder):
        values = json.loads((folder / file).read_text())
        node = values
        for key in keys[:-1]:
            node = node[key]
        node[keys[-1]] = value
        (folder / file).write_text(json.dumps(values))

    return spoil


def of_another(name, **config):
    """That part of a model with another config."""

    def spoil(folder):
        part = {**MODELS, "planner": PLANS["annotated"]}[name]
        values = {**part.load_config(folder / name), **config}
        part.from_config(values).save_pretrained(folder / name)

    return spoil


def tokenizer_of(vocabulary, length):
    return lambda folder: learn_tokenizer(["add a red cube"] * 9, vocabulary, length).save_pretrained(
        folder / "tokenizer"
    )


def pickled(folder):
    (folder / weights("unet")).unlink()
    (folder / "unet/diffusion_pytorch_model.bin").write_bytes(b"\x80\x04.")


FAULTS = {
    "no such folder": (shutil.rmtree, ": no such folder"),
    "no index": (lambda f: (f / "model_index.json").unlink(), "/model_index.json: No such file or directory"),
    "index not JSON": (lambda f: (f / "model_index.json").write_text("{"), "/model_index.json: not JSON"),
    "another pipeline": (
        setting("model_index.json", "_class_name", value="DDPMPipeline"),
        "/model_index.json: _class_name is 'DDPMPipeline'",
    ),
    "another class": (
        setting("model_index.json", "unet", value=["os", "system"]),
        "/model_index.json: unet is ['os', 'system'], expected ['cdd_icm.model.unet', 'ConditionalUNet']",
    ),
    "another library": (
        setting("model_index.json", "tokenizer", value=["antigravity", "Tokenizer"]),
        "/model_index.json: tokenizer is ['antigravity', 'Tokenizer'], expected a class of transformers",
    ),
    "unknown prediction": (
        setting("model_index.json", "prediction_type", value="foo"),
        "/model_index.json: prediction_type is 'foo', expected",
    ),
    "history of text": (
        setting("model_index.json", "history", value="x"),
        "/model_index.json: history is 'x', expected a whole number",
    ),
    "a speaker without brackets": (
        setting("model_index.json", "speaker", value="teller"),
        "/model_index.json: speaker is 'teller', expected none, or a word in angle brackets",
    ),
    "no history": (
        setting("model_index.json", "history", value=None),
        "/model_index.json: history is None, expected a whole number",
    ),
    "unknown objective": (
        setting("model_index.json", "objective", "dropout", value=0.1),
        "/model_index.json: unknown key objective.dropout; the nearest is objective.condition_dropout",
    ),
    "unknown default": (
        setting("model_index.json", "sampling", "guidance", value=2.0),
        "/model_index.json: unknown key sampling.guidance; the nearest is sampling.guidance_scale",
    ),
    "unknown setting of a preset": (
        setting("model_index.json", "sampling_presets", "fast", value={"steps": 4}),
        "/model_index.json: sampling_presets.fast: unknown key steps; the nearest is num_inference_steps",
    ),
    "presets that are none": (
        setting("model_index.json", "sampling_presets", value=["fast"]),
        "/model_index.json: sampling_presets is ['fast'], expected a section of presets",
    ),
    "no component": (lambda f: shutil.rmtree(f / "fusion"), "/fusion/config.json: No such file or directory"),
    "no scheduler": (
        lambda f: shutil.rmtree(f / "scheduler"),
        "/scheduler/scheduler_config.json: No such file or directory",
    ),
    "no tokenizer": (lambda f: shutil.rmtree(f / "tokenizer"), "/tokenizer/tokenizer_config.json: No such"),
    "no weights": (lambda f: (f / weights("matcher")).unlink(), "/matcher: no weights (.safetensors)"),
    "truncated weights": (truncated, f"/{weights('unet')}: not a complete safetensors file"),
    "empty weights": (
        lambda f: (f / weights("unet")).write_bytes(b""),
        f"/{weights('unet')}: not a complete safetensors file",
    ),
    "pickle in place of safetensors": (
        pickled,
        "/unet/diffusion_pytorch_model.bin: pickled weights are refused",
    ),
    "pickle under the name of safetensors": (
        lambda f: torch.save({"a": torch.zeros(1)}, f / weights("unet")),
        f"/{weights('unet')}: not a complete safetensors file",
    ),
    "pickle beside safetensors": (
        lambda f: (f / "unet/extra.ckpt").write_bytes(b"\x80"),
        "/unet/extra.ckpt: pickled weights are refused",
    ),
    "weights of another shape": (
        change("matcher", lambda t: t.update(log_scale=torch.zeros(2))),
        f"/{weights('matcher')}: log_scale is (2,), but config.json expects ()",
    ),
    "missing tensor": (
        change("matcher", lambda t: t.pop("log_scale")),
        f"/{weights('matcher')}: log_scale is missing, but config.json expects it",
    ),
    "unknown tensor": (
        change("matcher", lambda t: t.update(more=torch.zeros(2))),
        f"/{weights('matcher')}: more is (2,), but config.json has no such tensor",
    ),
    "config that doesn't fit": (
        setting("fusion/config.json", "width", value=64),
        f"/{weights('fusion')}: ",
    ),
    "config that makes no model": (
        setting("unet/config.json", "widths", value=[33, 32]),
        "/unet/config.json: no valid ConditionalUNet config",
    ),
    "damaged tokenizer": (
        lambda f: (f / "tokenizer/tokenizer.json").write_text("{"),
        "/tokenizer: no tokenizer can be loaded from here (",
    ),
    "tokenizer of longer texts": (
        tokenizer_of(300, 25),
        "/tokenizer: 271 tokens and texts of 25, but the text tower of encoder.model has 300 tokens and "
        "texts of 24",
    ),
    "tokenizer of more words": (
        lambda f: clip_tokenizer(24).save_pretrained(f / "tokenizer"),
        "/tokenizer: 49408 tokens and texts of 24, but the text tower of encoder.model has 300",
    ),
    "another model's fusion": (
        of_another("fusion", image_width=64),
        "/fusion/config.json: image_width is 64, but the other parts expect 32",
    ),
    "another model's width": (
        of_another("fusion", width=64),
        "/unet/config.json: condition_width is 32, but the other parts expect 64",
    ),
    "another model's matcher": (
        of_another("matcher", image_size=64),
        "/matcher/config.json: image_size is 64, but the other parts expect 32",
    ),
    "a planner of another map": (
        of_another("planner", splat_channels=8),
        "/unet/config.json: map_channels is 32, but the other parts expect 8",
    ),
    "a planner of another grid": (
        of_another("planner", grid=5),
        "/unet/config.json: map_size is 8, but the other parts expect 5",
    ),
    "no planner": (
        setting("model_index.json", "planner", value=[None, None]),
        "/unet/config.json: map_channels is 32, but the other parts expect 0",
    ),
    "damaged canvas": (
        lambda f: (f / "canvas.png").write_bytes(b"\x89PNG"),
        "/canvas.png: picture can't be decoded",
    ),
}


@pytest.mark.parametrize(("spoil", "says"), FAULTS.values(), ids=FAULTS.keys())
def test_fault_table(tiny_folder, spoil, says):
    spoil(tiny_folder)
    with pytest.raises(InputError) as error:
        load_pipeline(tiny_folder, "cpu", "fp32")
    message = str(error.value)
    assert message.startswith(f"{tiny_folder}{says}") and "\n" not in message


@pytest.mark.parametrize("name", ["data/pretrained/iclever", "../iclever", "{tmp}/iclever"])
def test_a_folder_that_is_not_here_and_no_name_of_a_hub(tmp_path, name):
    name = name.format(tmp=tmp_path)
    with pytest.raises(InputError, match=f"^{re.escape(name)}: no such folder$"):
        CDDICMPipeline.from_pretrained(name)


def test_devices_and_formats_that_are_not_here(tiny_folder):
    with pytest.raises(InputError, match="device: 'gpu', expected one of auto, cpu, cuda, mps"):
        load_pipeline(tiny_folder, "gpu")
    with pytest.raises(InputError, match="dtype: 'int8', expected auto or one of fp32, bf16, fp16"):
        load_pipeline(tiny_folder, "cpu", "int8")
    absent = "mps" if torch.cuda.is_available() else "cuda"
    with pytest.raises(InputError, match=f"device: '{absent}' is not available here"):
        load_pipeline(tiny_folder, absent)


def test_training_canvas_travels_to_the_session(tiny_pipeline, tmp_path):
    tiny_pipeline.save_pretrained(tmp_path)
    Image.new("RGB", (32, 32), (1, 2, 3)).save(tmp_path / "canvas.png")
    assert DrawingSession(load_pipeline(tmp_path, "cpu", "fp32")).picture.getpixel((5, 5)) == (1, 2, 3)
