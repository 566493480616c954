"""A new system is its own file and one line of the registry: it trains, loads, indexes and searches."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import mse_loss, normalize

from cdd_icm.config import section
from cdd_icm.config.base import AtLeastOne
from cdd_icm.errors import InputError
from retrieval.backbones.base import Backbone, ImageFeatures, TextFeatures
from retrieval.cli import main
from retrieval.config import RetrievalConfig
from retrieval.model import RetrievalModel
from retrieval.systems import registry
from retrieval.systems.base import Inputs, System, TrainingBatch
from retrieval.train.trainer import build_model, load_init, train
from tests.retrieval.conftest import SAMPLE


@section
class ToyOptions:
    dim: AtLeastOne = 6
    twice: bool = False


class Toy(System):
    """Pixels and the texts' lengths, a loss of its own, and two stages if `twice`."""

    Options = ToyOptions
    query_inputs = gallery_inputs = Inputs.PIXELS
    transfers = ("image_out",)

    def __init__(self, dim: int):
        super().__init__()
        self.image_out, self.text_out = nn.Linear(3 * 16, dim), nn.Linear(1, dim)
        self.width = dim

    @classmethod
    def keywords(cls, config: RetrievalConfig, options: ToyOptions, backbone: Backbone) -> dict[str, Any]:
        return {"dim": options.dim}

    @classmethod
    def stages(cls, config: RetrievalConfig) -> Sequence[RetrievalConfig]:
        first = str(Path(config.output_dir) / "first")
        last = replace(config, init=f"{first}/model")
        return [replace(config, output_dir=first), last] if config.options.get("twice") else [config]

    @property
    def logit_scale(self) -> Float[Tensor, ""]:
        return self.text_out.bias.new_ones(())

    def encode_query(self, reference: ImageFeatures, text: TextFeatures) -> Float[Tensor, "B D"]:
        lengths = self.text_out.weight.new_tensor([[len(text)] for text in text.texts])
        return normalize(self._image(reference) + self.text_out(lengths / 100), dim=-1)

    def encode_gallery(self, pictures: ImageFeatures) -> Float[Tensor, "N D"]:
        return normalize(self._image(pictures), dim=-1)

    def loss(self, batch: TrainingBatch) -> dict[str, Tensor]:
        queries = self.encode_query(batch.reference, batch.text)
        loss = mse_loss(queries, self.encode_gallery(batch.target))
        return {"loss": loss, "found": torch.ones(len(queries)), "distance": loss.detach()}

    def _image(self, pictures: ImageFeatures) -> Float[Tensor, "N D"]:
        return self.image_out(nn.functional.adaptive_avg_pool2d(pictures.pixels, 4).flatten(1))


class OtherToy(Toy):
    """Another system that has a submodule in common with the first."""


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    monkeypatch.setitem(registry.SYSTEMS, "toy", f"{__name__}:Toy")
    monkeypatch.setitem(registry.SYSTEMS, "other-toy", f"{__name__}:OtherToy")


@pytest.mark.slow
def test_it_trains_loads_indexes_and_searches(make_config, tmp_path, capsys):
    folder = train(make_config("toy", options={"dim": 5, "twice": True}))
    model = RetrievalModel.from_pretrained(folder)
    assert type(model.composer) is Toy and model.width == 5
    assert json.loads((folder / "config.json").read_text())["options"] == {"dim": 5}
    assert (tmp_path / "run" / "first" / "model" / "model.safetensors").is_file()
    logged = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert all({"loss", "found", "distance"} <= line.keys() for line in logged)
    rows = json.loads((tmp_path / "run" / "validation" / "000000024.json").read_text())
    assert set(rows) == {"composed", "image only", "text only"}

    picture = SAMPLE / "images" / "CLEVR_test_000000_1.webp"
    store = ["--store", str(tmp_path / "toy.db"), "--model", str(folder), "--device", "cpu"]
    assert main(["index", str(SAMPLE / "images"), *store]) == 0
    capsys.readouterr()
    assert main(["search", *store, "--image", str(picture), "--text", "add a cube", "-k", "1"]) == 0
    path = Path(capsys.readouterr().out.split("\t")[2])
    names = [file.name for file in sorted((SAMPLE / "images").iterdir())]
    vectors = model.encode_gallery([Image.open(SAMPLE / "images" / name) for name in names])
    (query,) = model.encode_query([Image.open(picture)], ["add a cube"])
    assert path.name == names[int((vectors @ query).argmax())]


@pytest.mark.slow
def test_the_backbone_is_not_run_for_pixels_alone(make_config, monkeypatch, tmp_path):
    model = RetrievalModel.from_pretrained(train(make_config("toy", options={"dim": 5})))
    monkeypatch.setattr(type(model.backbone), "encode_image", None)
    pictures = torch.zeros(2, 3, 32, 32, dtype=torch.uint8)
    assert model.encode_gallery(pictures).shape == model.encode_query(pictures, ["a", "b"]).shape == (2, 5)


@pytest.mark.slow
def test_another_system_begins_with_what_both_have(make_config, tmp_path):
    known = RetrievalModel.from_pretrained(train(make_config("toy", options={"dim": 5})))
    init = {"init": str(tmp_path / "run" / "model"), "output_dir": str(tmp_path / "other")}
    config = make_config("other-toy", options={"dim": 5}, **init)
    model = build_model(config, load_init(config), [], None)
    assert torch.equal(model.composer.image_out.weight, known.composer.image_out.weight)
    assert not torch.equal(model.composer.text_out.weight, known.composer.text_out.weight)
    wider = make_config("other-toy", options={"dim": 7}, **init)
    with pytest.raises(InputError, match="^init: its weights are of another shape .size mismatch for "):
        build_model(wider, load_init(wider), [], None)


def test_its_options_are_checked_by_its_own_dataclass(make_config):
    for options, says in (
        ({"dims": 5}, "unknown key options.dims; the nearest is options.dim"),
        ({"dim": 0}, "options.dim is 0, expected at least 1"),
        ({"dim": "five"}, "options.dim is 'five', expected a whole number"),
    ):
        with pytest.raises(InputError, match=says):
            make_config("toy", options=options)


@pytest.mark.parametrize("name", registry.SYSTEMS)
def test_every_name_is_a_system(name):
    assert issubclass(registry.find(name), System)
