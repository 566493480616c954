"""Small pipelines of random weights, a small data set in i-CLEVR's layout, and the real data where there are
any."""

import copy
import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from cdd_icm.config import Config, from_dict
from cdd_icm.model.cddicm import CDDICM
from cdd_icm.model.tokenizer import learn_tokenizer
from cdd_icm.train.generator import build_pipeline
from tests.cdd_icm.plans import plan_of
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
    "unet": {"patch_size": 4, "widths": [64, 64]},
    "plan": {"kind": "annotated", "grid": 8},
    "matcher": {"width": 32},
    "sampling": {"num_inference_steps": 2},
    "sampling_presets": {"fast": {"scheduler": "DDIMScheduler", "num_inference_steps": 1}},
}

CLASSES = ("blue sphere", "red cube")

SHAPES = ("cube", "sphere", "cylinder")

SAMPLE = Path(__file__).parents[2] / "data" / "iclevr_sample"


def pytest_itemcollected(item):
    if "two_processes" in getattr(item, "fixturenames", ()):
        item.add_marker("slow")


@pytest.fixture
def tiny_settings():
    """What a config file of that model says."""
    return copy.deepcopy(TINY)


def tiny(settings, classes):
    """A pipeline of 32 x 32 pixels and two steps, with a gray canvas."""
    config = from_dict(Config, settings)
    torch.manual_seed(0)
    model = CDDICM(config, plan_of(config, classes)).eval().requires_grad_(False)
    tokenizer = learn_tokenizer(["add a red cube on the left of it"], 300, 24)
    pipeline = build_pipeline(model, tokenizer, config, Image.new("RGB", (32, 32), (120, 130, 140)))
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


@pytest.fixture(scope="session")
def tiny_pipeline():
    return tiny(TINY, CLASSES)


@pytest.fixture(scope="session")
def planless_pipeline():
    """The same without a plan, as a model of data without annotation is."""
    return tiny(TINY | {"plan": {"kind": "none"}}, ())


@pytest.fixture(params=["with a plan", "without a plan"])
def any_pipeline(request, tiny_pipeline, planless_pipeline):
    """Both, one after the other."""
    return tiny_pipeline if request.param == "with a plan" else planless_pipeline


@pytest.fixture
def tiny_folder(tiny_pipeline, tmp_path):
    """The same pipeline on disk."""
    tiny_pipeline.save_pretrained(tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture(scope="session", autouse=True)
def cache_folder(tmp_path_factory):
    """The user's cache folder in all tests and the processes that they start."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def settings_in():
    """What a config file says that trains that model in a folder: six steps of four shipped turns."""

    def settings(folder):
        return copy.deepcopy(TINY) | {
            "output_dir": str(folder),
            "data": {"image_size": 32, "path": str(SAMPLE)},
            "training": {
                **{"batch_size": 4, "total_samples": 24, "learning_rate": 1e-3, "warmup_samples": 8},
                **{"log_samples": 8, "checkpoint_samples": 8},
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


@pytest.fixture(scope="session")
def real_data() -> Path:
    folder = os.environ.get("CDD_ICM_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("CDD_ICM_DATA does not name the folder of the real data")
    return Path(folder)


@pytest.fixture
def make_iclevr():
    return write_iclevr


@pytest.fixture
def iclevr(tmp_path) -> Path:
    """Three train dialogs and one of val, of three turns each, all pictures different."""
    folder = write_iclevr(tmp_path / "iclevr", 3, "train")
    return write_iclevr(folder, 1, "val")


def write_iclevr(folder: Path, dialogs: int, split: str, suffix=".png", first_turn=0, turns=3) -> Path:
    for name in ("images", "scenes", "text"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (16, 12), (90, 90, 90)).save(folder / "background.png")
    for number in range(dialogs):
        id = f"CLEVR_{split}_{number:06d}"
        objects = [
            {"color": "red", "shape": SHAPES[turn], "pixel_coords": [160 + 10 * turn, 60, 9.5]}
            for turn in range(turns)
        ]
        (folder / f"scenes/{id}.json").write_text(json.dumps({"objects": objects}))
        text = [f"Add a red {SHAPES[turn]} on the left" for turn in range(turns)]
        (folder / f"text/{id}.txt").write_text("\n".join(text) + "\n")
        for turn in range(turns):
            pixels = np.full((12, 16, 3), 90, np.uint8)
            pixels[: turn + 1, : number + 1] = (200, 30, len(split))
            picture = Image.fromarray(pixels)
            picture.save(folder / f"images/{id}_{turn + first_turn}{suffix}")
    return folder
