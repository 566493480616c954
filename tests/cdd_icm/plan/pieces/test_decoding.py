"""From logits to changes."""

import torch

from cdd_icm.plan.pieces.decoding import choose_changes, confidence
from cdd_icm.plan.shared.tuning import Tuning
from tests.cdd_icm.plan.pieces.toy import GRID, logits, piece, scene

NO_NOISE = torch.zeros(1, 3, GRID**2 + 4)


def chosen(found, before):
    return choose_changes(found, before, NO_NOISE, 0.0, Tuning(), "likeliest")


def test_a_new_piece_is_drawn_in_its_cell():
    changes = chosen(logits(drawn=(-9.0, -9.0, 9.0), cells=(0, 0, 6)), scene())
    assert changes.drawn.cells.tolist() == [[-1, -1, 6]]
    assert changes.drawn.traits.tolist() == [[[-1, -1], [-1, -1], [0, 0]]]
    assert not changes.no_op.any()


def test_a_piece_that_stays_about_where_it_is_keeps_its_cell():
    before = scene(piece("dog", 0.1, 0.1, depth="1"))  # in cell 0
    changes = chosen(logits(drawn=(-9.0, 9.0, -9.0), cells=(0, 5, 0)), before)
    assert changes.drawn.cells.tolist() == [[-1, 0, -1]]  # only its size changes
    changes = chosen(logits(drawn=(-9.0, 9.0, -9.0), cells=(0, 10, 0)), before)
    assert changes.drawn.cells.tolist() == [[-1, 10, -1]]


def test_a_piece_that_is_drawn_with_its_look_moves():
    """Even if it is likeliest to stay where it is."""
    before = scene(piece("dog", 0.1, 0.1))
    found = logits(drawn=(-9.0, 9.0, -9.0), cells=(0, 1, 0))
    found.cells[0, 1, 15] = 5.0
    changes = chosen(found, before)
    assert changes.drawn.cells.tolist() == [[-1, 15, -1]]
    assert changes.gone(before).tolist() == [[False, True, False]]


def test_one_of_several_unlikely_classes_is_drawn_if_they_are_likely_together():
    found = logits(drawn=(-1.0, -0.5, -0.9), cells=(0, 10, 6))  # 0.27 + 0.38 + 0.29
    assert chosen(found, scene()).drawn.cells.tolist() == [[-1, 10, -1]]
    found = logits(drawn=(-2.0, -0.5, -9.0), cells=(0, 10, 6))
    assert chosen(found, scene()).no_op.all()


def test_only_what_is_there_is_removed():
    before = scene(piece("sun", 0.9, 0.1))
    changes = chosen(logits(removed=(9.0, -9.0, 9.0)), before)
    assert changes.removed.tolist() == [[False, False, True]]


def test_what_asks_for_no_change_changes_nothing():
    before = scene(piece("sun", 0.9, 0.1))
    for intent in ("nothing", "undo", "unknown", "absent", "nonsense"):
        found = logits(drawn=(9.0, 9.0, 9.0), removed=(9.0, 9.0, 9.0), intent=intent)
        assert chosen(found, before).no_op.all()


def test_the_confidence_is_that_of_what_is_changed():
    found = logits(drawn=(-9.0, 0.0, 9.0), cells=(0, 0, 6))
    changes = chosen(found, scene())  # 0.5 is above the threshold
    expected = found.intents.softmax(dim=-1).max() * 0.5 * torch.tensor(9.0).sigmoid()
    assert torch.allclose(confidence(found, scene(), changes), expected)
