"""A second kind of plan needs its own module and a line of the registry: it is trained, saved, and draws."""

import json

import pytest
import torch
from PIL import Image

from cdd_icm.errors import InputError
from cdd_icm.plan import registry
from cdd_icm.sampling.loading import load_pipeline
from cdd_icm.train.generator import train
from tests.cdd_icm.plan.quadrant import QuadrantPlan


def test_a_second_kind_of_plan_trains_and_draws(make_config, monkeypatch):
    monkeypatch.setitem(registry.PLANS, "quadrant", QuadrantPlan)
    two_steps = {"training__total_samples": 8, "training__log_samples": 4}
    config = make_config(plan__kind="quadrant", **two_steps)
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


def test_an_unknown_kind_is_named(make_config):
    with pytest.raises(InputError, match="^plan.kind is 'anotated'; the nearest is annotated$"):
        registry.plan_kind(make_config(plan__kind="anotated"))
