"""The tuned constants are stored with the model that they were tuned for, and count."""

import json
from dataclasses import fields
from pathlib import Path

import pytest
import torch

from cdd_icm.config import load_config
from cdd_icm.errors import InputError
from cdd_icm.plan.annotated.decoding import sample_plan
from cdd_icm.plan.annotated.grammars.iclevr import HORIZON
from cdd_icm.plan.annotated.logits import PlanLogits
from cdd_icm.plan.annotated.plan import AnnotatedPlan
from cdd_icm.plan.shared.tuning import Tuning

ROOT = Path(__file__).parents[4]
SIZES = {"width": 8, "text_width": 8, "image_size": 32, "classes": ["ball", "cube"], "heads": 2, "grid": 4}


@pytest.mark.parametrize("model", ["iclevr", "codraw"])
def test_the_shipped_models_hold_all_of_them(model):
    saved = json.loads((ROOT / "data" / "pretrained" / model / "planner" / "config.json").read_text())
    assert saved["tuning"].keys() == {field.name for field in fields(Tuning)}
    assert Tuning(**saved["tuning"]) == Tuning()


def test_the_horizon_of_the_grammar_is_that_of_the_shipped_recipe_and_model():
    saved = json.loads((ROOT / "data" / "pretrained" / "iclevr" / "planner" / "config.json").read_text())
    recipe = load_config(ROOT / "configs" / "generate" / "iclevr.yaml")
    assert saved["horizon"] == recipe.plan.horizon == HORIZON


def test_they_come_back_with_the_model(tmp_path):
    AnnotatedPlan(**SIZES, tuning={"presence_threshold": 0.7, "sharpening": 3.0}, kernels=4).save_pretrained(
        tmp_path
    )
    plan = AnnotatedPlan.from_pretrained(tmp_path)
    assert plan.tuning == Tuning(presence_threshold=0.7, sharpening=3.0)
    assert plan.network.placement.sharpening == 3.0 and plan.network.tuning == plan.tuning


def test_a_threshold_decides_what_is_drawn():
    logits = PlanLogits(torch.tensor([[0.5, 0.6]]).logit(), torch.zeros(1, 2, 16))
    noise = torch.zeros(1, 2, 16)
    for threshold, drawn in ((0.4, [True, True]), (0.55, [False, True]), (0.7, [False, False])):
        cells, _ = sample_plan(logits, noise, 0.0, Tuning(presence_threshold=threshold))
        assert (cells[0] >= 0).tolist() == drawn


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"presence_treshold": 0.5}, "unknown key tuning.presence_treshold; the nearest is tuning.presence_"),
        ({"sharpening": 0.0}, "tuning.sharpening is 0.0, expected a number over 0"),
        ({"likely_share": float("nan")}, "tuning.likely_share is nan, expected a number over 0"),
        ({"moved_distance": "far"}, "tuning.moved_distance is 'far', expected a number"),
    ],
)
def test_what_is_none_of_them_is_named(given, says):
    with pytest.raises(InputError, match=f"^planner: {says}"):
        AnnotatedPlan(**SIZES, tuning=given)
