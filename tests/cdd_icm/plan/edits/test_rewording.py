"""A plan in its own words: the same in training and in drawing."""

import torch

from cdd_icm.plan.edits.answers import Describer
from cdd_icm.plan.edits.memory import Remembered, scene_of
from cdd_icm.plan.edits.plan import asked_edits
from cdd_icm.plan.edits.requests import Asked, stacked
from cdd_icm.plan.edits.rewording import reword
from cdd_icm.plan.edits.truth import EditTruthEncoder, SyntheticRequest
from tests.cdd_icm.plan.edits.toy import BALL, CHANGES, CLASSES, CUBE, GRID, TEXTS, TRAITS, encoder


def test_what_goes_is_said_before_what_comes():
    assert reword(["red cube"], ["small ball", "tube"]) == "Remove the red cube. Add a small ball. Add a tube"
    assert reword([], []) == ""


def test_drawing_says_what_training_said():
    encode = encoder()
    truth = EditTruthEncoder(encode, None, 6, 0, None)
    scene = scene_of(
        [Remembered([(1, (0,), encode.cell_of(CUBE)), (0, (1,), encode.cell_of(BALL))])],
        1,
        torch.device("cpu"),
    )
    describer = Describer(CLASSES, TRAITS, GRID, None, ())
    said = []
    for text, changes in zip(TEXTS, CHANGES, strict=True):
        edits = asked_edits(scene, stacked(Asked, [encode.asked((CUBE, BALL), changes, "change")]))
        said.append(describer.reworded(scene, edits, 0))
        assert said[-1] == truth.reworded(SyntheticRequest((CUBE, BALL), (), changes, text, "change"))
    assert said == ["Remove the cube", "Add a tube", "Remove the small ball. Add a small ball", ""]
