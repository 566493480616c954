"""A pipeline small enough to be built and run in a moment; its weights are random."""

import copy
from pathlib import Path

import pytest
import torch
import yaml
from PIL import Image

from cdd_icm.config import Config, from_dict
from cdd_icm.model.cddicm import CDDICM
from cdd_icm.model.tokenizer import learn_tokenizer
from cdd_icm.train.generator import build_pipeline
from tests.runs import run_two_processes

TINY = {
    "data": {"image_size": 32},
    "encoder": {
        "model": {
            "embed_dim": 32,
            "vision_cfg": {"image_size": 32, "patch_size": 8, "width": 32, "layers": 1, "head_width": 16},
            "text_cfg": {
                **{"context_length": 24, "vocab_size": 300, "width": 32, "heads": 2, "layers": 1},
                **{"pool_type": "eos", "eos_id": 2, "no_causal_mask": True},
            },
        },
    },
    "fusion": {"width": 32, "layers": 1, "heads": 2},
    "unet": {"patch_size": 4, "widths": [64, 64], "attention": [False, True], "heads": 2},
    "plan": {"kind": "annotated", "grid": 8},
    "matcher": {"width": 32},
    "sampling": {"num_inference_steps": 2},
    "sampling_presets": {"fast": {"scheduler": "DDIMScheduler", "num_inference_steps": 1}},
}

CLASSES = ("blue sphere", "red cube")

SAMPLE = Path(__file__).parents[2] / "data" / "iclevr_sample"


@pytest.fixture
def tiny_settings():
    """What a config file of that model says."""
    return copy.deepcopy(TINY)


@pytest.fixture(scope="session")
def tiny_pipeline():
    """32 x 32 pixels, two steps, and a gray canvas."""
    config = from_dict(Config, TINY)
    torch.manual_seed(0)
    model = CDDICM(config, CLASSES).eval().requires_grad_(False)
    tokenizer = learn_tokenizer(["add a red cube on the left of it"], 300, 24)
    pipeline = build_pipeline(model, tokenizer, config, Image.new("RGB", (32, 32), (120, 130, 140)))
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


@pytest.fixture
def tiny_folder(tiny_pipeline, tmp_path):
    """The same pipeline on disk."""
    tiny_pipeline.save_pretrained(tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture(scope="session")
def settings_in(tmp_path_factory):
    """What a config file says that trains that model in a folder: six steps of four shipped turns."""
    pictures = tmp_path_factory.mktemp("pictures")

    def settings(folder):
        return copy.deepcopy(TINY) | {
            "output_dir": str(folder),
            "data": {"image_size": 32, "path": str(SAMPLE), "cache_dir": str(pictures)},
            "objective": {"antonym_negatives": [["left", "right"]]},
            "training": {
                **{"batch_size": 4, "total_samples": 24, "learning_rate": 1e-3, "warmup_samples": 8},
                **{"log_samples": 8, "checkpoint_samples": 8, "ema_samples": 4},
                "validation_samples": 1000,
            },
        }

    return settings


@pytest.fixture
def make_config(settings_in, tmp_path):
    """The config in `tmp_path`; keywords change it, such as `training__batch_size=2`."""

    def make(**changed):
        settings = settings_in(tmp_path / "run")
        for key, value in changed.items():
            node = settings
            *sections, last = key.split("__")
            for section in sections:
                node = node.setdefault(section, {})
            node[last] = value
        return from_dict(Config, settings)

    return make


@pytest.fixture
def config(make_config):
    return make_config()


@pytest.fixture(scope="session")
def two_processes(tmp_path_factory, settings_in):
    """The folder in which `two_processes.py` left its results: started once, as it takes its time."""
    folder = tmp_path_factory.mktemp("two_processes")
    settings = settings_in(folder / "run")
    settings["training"] |= {"batch_size": 2, "total_samples": 12}
    (folder / "config.yaml").write_text(yaml.safe_dump(settings))
    run_two_processes("tests.cdd_icm.two_processes", folder)
    return folder
