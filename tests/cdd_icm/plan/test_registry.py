"""A second kind of plan needs its own module, its section of the config and a line of the registry: it is
trained, saved, and draws."""

import json
from dataclasses import fields
from typing import Literal

import pytest
import torch
from PIL import Image
from pydantic import Field

from cdd_icm.config import Config, from_dict, section, to_dict
from cdd_icm.config.plan import KINDS, any_of
from cdd_icm.plan import registry
from cdd_icm.sampling.loading import load_pipeline
from cdd_icm.train.generator import train
from tests.cdd_icm.plan.quadrant import QuadrantPlan


@section
class QuadrantConfig:
    RULES = ()

    kind: Literal["quadrant"] = "quadrant"
    weight: float = 0.5


@section
class ConfigWithQuadrants(Config):
    plan: any_of({**KINDS, "quadrant": QuadrantConfig}) = Field(default_factory=QuadrantConfig)


@pytest.mark.slow
def test_a_second_kind_of_plan_trains_and_draws(make_config, monkeypatch):
    monkeypatch.setitem(registry.PLANS, "quadrant", QuadrantPlan)
    two_steps = {"training__total_samples": 8, "training__log_samples": 4}
    values = to_dict(make_config(**two_steps)) | {"plan": {"kind": "quadrant", "weight": 0.25}}
    config = from_dict(ConfigWithQuadrants, values)
    assert {f.name for f in fields(config)} == {f.name for f in fields(Config)}
    folder = train(config)
    lines = [json.loads(line) for line in (folder.parent / "log.jsonl").read_text().splitlines()]
    assert len(lines) == 2 and all(line["quadrant"] > 0 for line in lines)
    assert not {"plan", "relation", "detection"} & lines[0].keys()

    pipeline = load_pipeline(folder, "cpu", "fp32")
    assert isinstance(pipeline.planner, QuadrantPlan) and pipeline.unet.config.map_channels == 1
    pipeline.set_progress_bar_config(disable=True)
    torch.nn.init.zeros_(pipeline.planner.head.weight)
    pictures = []
    for quadrant in (0, 3):
        with torch.no_grad():
            pipeline.planner.head.bias.copy_(torch.eye(4)[quadrant] * 99)
        options = {"generator": torch.Generator().manual_seed(0), "output_type": "pt"}
        pictures.append(pipeline(Image.new("RGB", (32, 32), (90, 90, 90)), "add a cube", **options).images)
    assert not torch.equal(*pictures)  # it is told where to paint
