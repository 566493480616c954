"""The parts that a turn's edits are drawn in."""

import torch

from cdd_icm.plan.edits.decoding import Edits
from cdd_icm.plan.edits.parts import in_parts
from cdd_icm.plan.edits.requests import CHANGE, KEEP, MAX_ADDED, MAX_OBJECTS, REMOVE

GRID = 4


def edits(*turns):
    """Of each turn: actions by object, and class and cell by slot."""
    actions = torch.full((len(turns), MAX_OBJECTS), KEEP)
    classes, cells = (torch.full((len(turns), MAX_OBJECTS + MAX_ADDED), -1) for _ in range(2))
    for item, (acted, drawn) in enumerate(turns):
        for number, action in acted.items():
            actions[item, number] = action
        for slot, (name, cell) in drawn.items():
            classes[item, slot], cells[item, slot] = name, cell
    return Edits(
        actions,
        classes[:, MAX_OBJECTS:] >= 0,
        classes,
        classes.new_zeros(*classes.shape, 0),
        cells,
        torch.zeros(len(turns), dtype=torch.long),
        torch.ones(len(turns)),
    )


def drawn_in(part, item):
    return {slot: name for slot, name in enumerate(part.classes[item].tolist()) if name >= 0}


def test_what_goes_comes_first_and_then_each_object_from_the_back():
    front, back = 3 * GRID, 1
    (clear, first, second) = in_parts(
        edits(({0: REMOVE, 2: CHANGE}, {2: (5, front), MAX_OBJECTS: (7, back)})), GRID
    )
    assert clear.actions[0].tolist() == [REMOVE, KEEP, CHANGE] + [KEEP] * (MAX_OBJECTS - 3)
    assert drawn_in(clear, 0) == {}
    assert drawn_in(first, 0) == {MAX_OBJECTS: 7} and drawn_in(second, 0) == {2: 5}
    assert (first.actions == KEEP).all() and (second.actions == KEEP).all()
    assert not any(part.no_op.item() for part in (clear, first, second))


def test_a_turn_of_fewer_parts_keeps_its_picture():
    whole = edits(({}, {MAX_OBJECTS: (1, 0)}), ({1: CHANGE}, {1: (2, 5)}), ({}, {}))
    parts = in_parts(whole, GRID)
    assert [part.no_op.tolist() for part in parts] == [[False, False, True], [True, False, True]]


def test_a_single_part_is_the_whole():
    whole = edits(({}, {MAX_OBJECTS + 1: (3, 9)}))
    (part,) = in_parts(whole, GRID)
    for name, value in vars(whole).items():
        assert torch.equal(getattr(part, name), value)


def test_a_batch_that_changes_nothing_has_one_part():
    (part,) = in_parts(edits(({}, {}), ({}, {})), GRID)
    assert part.no_op.all()
