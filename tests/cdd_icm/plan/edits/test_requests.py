"""Requests as tensors."""

import pytest
import torch

from cdd_icm.data.dialog import SceneObject
from cdd_icm.errors import InputError
from cdd_icm.plan.edits.changes import ObjectChange
from cdd_icm.plan.edits.requests import CHANGE, KEEP, MAX_OBJECTS, REMOVE, TOUCHED_LAST
from tests.cdd_icm.plan.edits.toy import BALL, CUBE, GRID, TEXTS, encoder, requests


def test_a_request_says_what_becomes_of_each_object():
    asked, scene = requests().asked, requests().scene
    assert asked.actions[:, :2].tolist() == [[REMOVE, KEEP], [KEEP, KEEP], [KEEP, CHANGE], [KEEP, KEEP]]
    assert (asked.actions[:, 2:] == -1).all()
    assert asked.added.sum(dim=1).tolist() == [0, 1, 0, 0]
    assert asked.classes[1, MAX_OBJECTS] == 2 and asked.cells[1, MAX_OBJECTS] == 7 * GRID + 4
    assert asked.classes[2, 1] == -1 and asked.cells[2, 1] == 4 * GRID + 0  # moved, else the same
    assert scene.classes[0, :3].tolist() == [1, 0, -1] and scene.traits[0, :2, 0].tolist() == [0, 1]
    assert scene.touched[0].tolist() == [0, TOUCHED_LAST] + [0] * (MAX_OBJECTS - 2)


def test_a_larger_object_is_not_moved():
    larger = SceneObject("ball", 0.7, 0.57, look={"size": "large"})
    asked = encoder().asked((CUBE, BALL), [ObjectChange(1, larger)], "change")
    assert asked["cells"][1] == -1 and asked["traits"][1].item() == 0 and asked["actions"][1] == CHANGE


def test_texts_are_padded_to_the_longest():
    made = requests()
    assert made.ids.shape == made.mask.shape and made.mask.any(dim=0).all()
    longest = made.mask.sum(dim=1).argmax().item()
    assert TEXTS[longest] == max(TEXTS, key=len)
    assert torch.equal(made.trimmed(3).ids, made.ids[:, :3])


@pytest.mark.parametrize(
    ("obj", "line"),
    [
        (SceneObject("dog", 0.5, 0.5), "objects: 'dog' is not one of the 3 classes of the plan"),
        (
            SceneObject("cube", 0.5, 0.5, look={"size": "huge"}),
            "objects: look: size: 'huge' is not one of large, small",
        ),
    ],
)
def test_an_unknown_object_is_refused(obj, line):
    with pytest.raises(InputError) as error:
        encoder().scene([obj], ())
    assert str(error.value) == line
