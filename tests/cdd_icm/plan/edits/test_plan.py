"""`EditPlan` in training and drawing."""

import json
from typing import get_args

import pytest
import torch

from cdd_icm.config import Config, from_dict
from cdd_icm.data.dialog import Dialog, SceneObject, Turn
from cdd_icm.data.readers.folder import WhitePicture
from cdd_icm.errors import InputError
from cdd_icm.plan.answer import Outcome
from cdd_icm.plan.edits import plan
from cdd_icm.plan.edits.plan import EditPlan
from cdd_icm.plan.shared.intents import INTENTS
from cdd_icm.sampling.loading import load_pipeline
from cdd_icm.train.generator import train

PLAN = {"kind": "edits", "grid": 8, "synthetic_turns": 2, "reversed": 0.5}


@pytest.fixture(scope="module")
def run(settings_in, tmp_path_factory):
    settings = settings_in(tmp_path_factory.mktemp("edits") / "run") | {"plan": PLAN}
    settings["training"] |= {"total_samples": 8, "log_samples": 4}
    config = from_dict(Config, settings)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan, "TEXTS", 300)
        return train(config), config


@pytest.mark.slow
def test_it_trains_and_draws(run):
    folder, config = run
    lines = [json.loads(line) for line in (folder.parent / "log.jsonl").read_text().splitlines()]
    assert {"actions", "aspects", "added", "classes", "intent", "places", "sides", "detection"} <= lines[
        0
    ].keys()
    pipeline = load_pipeline(folder, "cpu", "fp32")
    assert isinstance(pipeline.planner, EditPlan)
    pipeline.set_progress_bar_config(disable=True)
    out = pipeline(pipeline.canvas, "add a red cube", ["add a blue sphere"], output_type="pt")
    assert out.images.shape == (1, 3, config.data.image_size, config.data.image_size)
    assert out.answers[0].outcome in get_args(Outcome)


@pytest.mark.slow
def test_what_is_not_understood_changes_no_pixel_and_is_said(run):
    pipeline = load_pipeline(run[0], "cpu", "fp32")
    pipeline.set_progress_bar_config(disable=True)
    with torch.no_grad():
        pipeline.planner.network.intent_out.bias[INTENTS.index("unknown")] = 99.0
    out = pipeline(pipeline.canvas, "add a zebra", output_type="pt")
    canvas = pipeline(pipeline.canvas, "add another zebra", output_type="pt").images
    assert torch.equal(out.images, canvas)
    assert "zebra" in str(out.answers[0]) and "nothing was changed" in str(out.answers[0])


@pytest.mark.slow
def test_the_unet_does_not_see_the_words(run):
    pipeline = load_pipeline(run[0], "cpu", "fp32")
    pipeline.set_progress_bar_config(disable=True)
    pipeline.planner.network.forward = fixed(pipeline.planner.network)
    pictures = [
        pipeline(pipeline.canvas, text, generator=torch.Generator().manual_seed(0), output_type="pt").images
        for text in ("add a red cube", "put it there")
    ]
    assert torch.equal(*pictures)


def fixed(network):
    """The network, deaf: it reads every text as the same one."""
    real = network.forward

    def forward(ids, mask, scene):
        logits = real(torch.ones_like(ids), torch.ones_like(mask[:, :1]).expand_as(mask), scene)
        logits.actions, logits.intents = logits.actions * 0, torch.eye(len(INTENTS))[:1] * 9
        logits.added = torch.tensor([[9.0, -9.0, -9.0]])
        logits.classes, logits.states = logits.classes * 0, torch.zeros_like(logits.states)
        return logits

    return forward


def test_a_world_without_synthetic_requests_is_refused(run):
    zebra = SceneObject("zebra", 0.5, 0.5)
    canvas = WhitePicture(8, 8)
    dialog = Dialog("one", "train", canvas, (Turn("add a zebra", canvas, (zebra,)),))
    with pytest.raises(InputError) as error:
        EditPlan.settings(run[1], [dialog])
    assert "no synthetic requests for objects such as 'zebra'" in str(error.value)
