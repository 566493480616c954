"""A pipeline small enough to be built and run in a moment; its weights are random."""

import copy

import pytest
import torch
from PIL import Image

from cdd_icm.config import Config, from_dict
from cdd_icm.encoders import learn_tokenizer
from cdd_icm.model import CDDICM
from cdd_icm.training import build_pipeline

TINY = {
    "data": {"image_size": 32},
    "encoder": {
        "vocab_size": 300,
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
    "unet": {"patch_size": 4, "widths": [32, 32], "attention": [False, True], "heads": 2},
    "matcher": {"width": 32},
    "sampling": {"num_inference_steps": 2},
}


@pytest.fixture
def tiny_settings():
    """What a config file of that model says."""
    return copy.deepcopy(TINY)


@pytest.fixture(scope="session")
def tiny_pipeline():
    """32 x 32 pixels, two steps, and a gray canvas."""
    config = from_dict(Config, TINY)
    torch.manual_seed(0)
    model = CDDICM(config).eval().requires_grad_(False)
    tokenizer = learn_tokenizer(["add a red cube on the left of it"], 300, 24)
    pipeline = build_pipeline(model, tokenizer, config, Image.new("RGB", (32, 32), (120, 130, 140)))
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


@pytest.fixture
def tiny_folder(tiny_pipeline, tmp_path):
    """The same pipeline on disk."""
    tiny_pipeline.save_pretrained(tmp_path / "model")
    return tmp_path / "model"
