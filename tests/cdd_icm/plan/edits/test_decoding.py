"""From logits to edits."""

import pytest
import torch

from cdd_icm.plan.edits.decoding import choose_edits, existing_objects, look_of, sure
from cdd_icm.plan.edits.network import EditLogits
from cdd_icm.plan.edits.requests import CHANGE, KEEP, MAX_ADDED, MAX_OBJECTS, REMOVE
from cdd_icm.plan.shared.intents import INTENTS
from cdd_icm.plan.shared.tuning import Tuning
from tests.cdd_icm.plan.edits.toy import GRID, network, requests

N, M = MAX_OBJECTS, MAX_OBJECTS + MAX_ADDED


def logits(**changed):
    """Of one text that asks for nothing but what is changed."""
    net, one = network(), requests()[slice(0, 1)]
    made = net(one.ids, one.mask, one.scene)
    values = {
        "actions": torch.tensor([9.0, 0.0, 0.0]).expand(1, N, 3).clone(),
        "aspects": torch.full((1, N, 3), -9.0),
        "added": torch.full((1, MAX_ADDED), -9.0),
        "classes": torch.zeros(1, M, 3),
        "traits": (torch.zeros(1, M, 2),),
        "intents": torch.eye(len(INTENTS))[:1] * 9,
    }
    for name, (index, value) in changed.items():
        values[name][index] = value
    return net, one.scene, EditLogits(**values, states=made.states)


def choose(made, place="likeliest", noise=0.0):
    net, scene, values = made
    gumbel = torch.full((1, M, GRID**2 + 3 + 2), noise)
    return scene, choose_edits(net, values, scene, gumbel, 0.0, Tuning(), place)


def test_nothing_asked_changes_nothing():
    _, edits = choose(logits())
    assert edits.no_op.all() and (edits.classes == -1).all() and edits.confidence > 0.9


def test_another_intent_changes_nothing():
    made = logits(actions=((0, 0, REMOVE), 99.0), intents=((0, INTENTS.index("absent")), 99.0))
    _, edits = choose(made)
    assert edits.no_op.all()


def test_a_removed_object_is_not_drawn():
    scene, edits = choose(logits(actions=((0, 0, REMOVE), 99.0)))
    assert edits.actions[0, :2].tolist() == [REMOVE, KEEP] and (edits.classes == -1).all()


def test_a_changed_object_stays_what_it_is_where_nothing_else_is_said():
    made = logits(actions=((0, 1, CHANGE), 99.0), aspects=((0, 1, 1), 99.0), classes=((0, 1, 2), 9.0))
    scene, edits = choose(made)
    assert edits.classes[0, 1] == scene.classes[0, 1] and edits.cells[0, 1] == scene.cells[0, 1]
    assert edits.traits[0, 1, 0] == 0  # the only aspect that changes


def test_no_two_objects_of_a_class():
    made = logits(added=((0, slice(None)), 9.0), classes=((0, slice(None), 1), 9.0))
    scene, edits = choose(made)
    assert scene.classes[0, :2].tolist() == [1, 0]  # a cube, a ball
    assert edits.classes[0, N] == 2  # no second cube, nor ball; then all are taken
    assert edits.added.all()


@pytest.mark.parametrize("place", ["likeliest", "median"])
def test_objects_of_a_turn_keep_clear_of_each_other(place):
    _, edits = choose(logits(added=((0, slice(None)), 9.0)), place)
    assert len(set(edits.cells[0, N:].tolist())) == MAX_ADDED


def test_a_detection_beside_a_likelier_one_is_dropped():
    grid = torch.full((1, 6, GRID, GRID), -20.0)
    grid[0, 3, 2, 2], grid[0, 2, 2, 3], grid[0, 5, 6, 6] = 5.0, 3.0, 4.0
    (found,) = existing_objects(grid, (2,), expected_objects=0.2, apart=1)
    assert found == [(1, (1,), 2 * GRID + 2), (2, (1,), 6 * GRID + 6)]


def test_looks_are_numbered_by_class_and_traits():
    classes, traits = torch.tensor([2, -1]), torch.tensor([[1], [0]])
    assert look_of(classes, traits, (2,)).tolist() == [5, -1]


def test_sure_is_the_probability_of_the_likelier_outcome():
    assert torch.allclose(sure(torch.tensor([-2.0, 2.0])), torch.tensor(2.0).sigmoid().expand(2))
