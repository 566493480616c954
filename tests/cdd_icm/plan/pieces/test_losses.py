"""The log-likelihood of changes, against a hand-worked case."""

import math

import torch

from cdd_icm.plan.pieces.losses import of_chosen, piece_loss
from cdd_icm.plan.pieces.network import PieceLogits
from cdd_icm.plan.pieces.scene import changes_of
from cdd_icm.plan.shared.intents import INTENTS
from tests.cdd_icm.plan.pieces.toy import CLASSES, GRID, TRAITS, piece, scene


def uniform():
    zeros = torch.zeros(1, 3)
    values = (torch.zeros(1, 3, 2), torch.zeros(1, 3, 2))
    return PieceLogits(zeros, zeros, torch.zeros(1, 3, GRID**2), values, torch.zeros(1, len(INTENTS)))


def test_each_part_counts_where_it_is_asked():
    """With uniform predictions: every class is drawn or not; those that are there are removed or not; those
    that are drawn have a cell and traits."""
    sun, dog = piece("sun", 0.1, 0.1), piece("dog", 0.5, 0.9)
    changes = changes_of([sun, dog], [dog, piece("boy", 0.2, 0.9)], CLASSES, TRAITS, GRID, 0.02, 0)
    assert changes.drawn.exists.tolist() == [[True, False, False]]
    assert changes.removed.tolist() == [[False, False, True]]
    terms = piece_loss(uniform(), scene(sun, dog), changes)
    expected = {
        "drawn": 3 * math.log(2),
        "removed": 2 * math.log(2),
        "places": math.log(GRID**2),
        "intent": math.log(len(INTENTS)),
        "traits": 2 * math.log(2),
    }
    assert terms.keys() == expected.keys()
    for name, value in expected.items():
        assert math.isclose(float(terms[name]), value, rel_tol=1e-5), name


def test_unknown_values_do_not_count():
    values = torch.randn(2, 3, 5)
    truth = torch.tensor([[-1, 2, -1], [-1, -1, -1]])
    assert torch.allclose(of_chosen(values, truth), -values[0, 1].log_softmax(dim=-1)[2] / 2)
