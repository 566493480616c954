from __future__ import annotations

import copy
import json
import os
from pathlib import Path

import pytest
import torch
from milvus_lite.adapter.grpc.server import start_server_in_thread

from cdd_icm.config import from_dict
from cdd_icm.model.backbone import CLIPTowers
from cdd_icm.model.tokenizer import learn_tokenizer
from retrieval.backbones.clip import CLIPBackbone
from retrieval.config import RetrievalConfig
from retrieval.model import RetrievalModel

SAMPLE = Path(__file__).parents[2] / "data" / "iclevr_sample"
FUSION = {"width": 32, "layers": 1, "heads": 2, "gated": True}
TINY = {
    "encoder": {
        "model": {
            "embed_dim": 24,
            "vision_cfg": {"image_size": 32, "patch_size": 8, "width": 32, "layers": 1, "head_width": 16},
            "text_cfg": {
                **{"context_length": 24, "vocab_size": 300, "width": 32, "heads": 2, "layers": 1},
                **{"pool_type": "eos", "eos_id": 2, "no_causal_mask": True},
            },
        },
    },
    "fusion": {"width": 32, "layers": 1, "heads": 2},
    "matcher": {"width": 16},
    "training": {
        **{"batch_size": 4, "total_samples": 24, "learning_rate": 1e-3, "warmup_samples": 8},
        **{"log_samples": 8, "checkpoint_samples": 8},
    },
}
TOWERS = {"image_width": 32, "text_width": 32, "embed_dim": 24}
OPTIONS = {
    "combiner": {"dim": 24},
    "matching": {
        "fusion": {**TOWERS, **FUSION},
        "matcher": {"image_size": 32, "query_width": 32, "width": 16},
    },
    "finecir": {
        **{"image_width": 32, "text_width": 32, "image_tokens": 16, "width": 32, "heads": 2, "queries": 4},
        **{"layers": 1, "entities": 3, "nodes": 4, "parser": "rules", "tokens": "entities"},
    },
    "image": {},
    "multi-vector": {
        **{"composer": "fusion", "options": {"fusion": {**TOWERS, **FUSION}, "tokens": None}},
        **{"token_width": 32, "tokens": 16, "dim": 32, "vectors": 4},
    },
    "patch-projection": {
        **{"composer": "tirg", "options": {"dim": 24}},
        **{"token_width": 32, "tokens": 16, "dim": 24},
    },
    "sum": {},
    "text": {},
    "tirg": {"dim": 24},
    "fusion": {"fusion": {**TOWERS, **FUSION}, "tokens": 16},
}


@pytest.fixture(scope="session")
def cir() -> Path:
    """The folder of official annotation files."""
    data = os.environ.get("CDD_ICM_DATA")
    folder = Path(data or "") / "cir"
    if not data or not folder.is_dir():
        pytest.skip("CDD_ICM_DATA is not set, or has no cir/: the official annotations are not here")
    return folder


@pytest.fixture
def write(tmp_path):
    """write(name, content) -> the path of a JSON file (of the text itself, if content is a text)."""

    def write(name: str, content) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    return write


@pytest.fixture(params=["embedded", "server"])
def uri(request, tmp_path):
    """Of a store: a path, and a server on a port of this machine."""
    if request.param == "embedded":
        yield str(tmp_path / "stores" / "mine.db")
        return
    server, database, port = start_server_in_thread(str(tmp_path / "server"))
    yield f"http://127.0.0.1:{port}"
    server.stop(grace=0).wait()
    database.close()


@pytest.fixture(scope="session")
def make_model():
    """make_model(composer) -> a model of 32 x 32 pixels with random weights."""
    tokenizer = learn_tokenizer(["add a red cube on the left of it"], 300, 24)

    def make(composer: str = "fusion", seed: int = 0, history: int = 1, speaker: str = "") -> RetrievalModel:
        torch.manual_seed(seed)
        towers = CLIPTowers(TINY["encoder"]["model"])
        backbone = CLIPBackbone(towers, tokenizer, 32)
        model = RetrievalModel(backbone, composer, OPTIONS[composer], history, speaker)
        return model.eval().requires_grad_(False)

    return make


@pytest.fixture(scope="session")
def settings_in(tmp_path_factory):
    """What a config file says that trains such a model in a folder: six steps of four shipped turns."""
    pictures = tmp_path_factory.mktemp("pictures")

    def settings(folder, composer="fusion"):
        data = {"image_size": 32, "path": str(SAMPLE), "cache_dir": str(pictures)}
        return copy.deepcopy(TINY) | {"output_dir": str(folder), "composer": composer, "data": data}

    return settings


@pytest.fixture
def make_config(settings_in, tmp_path):
    """The config in `tmp_path`; keywords change it, such as `training__batch_size=2`."""

    def make(composer: str = "fusion", **changed) -> RetrievalConfig:
        settings = settings_in(tmp_path / "run", composer)
        for key, value in changed.items():
            node = settings
            *sections, last = key.split("__")
            for section in sections:
                node = node.setdefault(section, {})
            node[last] = value
        return from_dict(RetrievalConfig, settings)

    return make
