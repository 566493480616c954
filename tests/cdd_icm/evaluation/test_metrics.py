"""The figures against scikit-learn, and the scene graph against ones worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import precision_recall_fscore_support

from cdd_icm.evaluation.metrics import (
    bootstrap_interval,
    precision_recall_f1,
    preservation,
    relational_similarity,
    relations,
)


@pytest.mark.parametrize("density", [0.02, 0.2, 0.7])
def test_precision_recall_and_f1_are_scikit_learns(density):
    rng = np.random.default_rng(0)
    truth, found = (
        rng.random((2, 200, 24)) < density
    )  # the sparse ones have empty rows on either side and on both
    ours = [figure.mean() for figure in precision_recall_f1(truth, found)]
    theirs = precision_recall_fscore_support(truth, found, average="samples", zero_division=0)[:3]
    assert np.allclose(ours, theirs, atol=1e-12)


def test_one_image_by_hand():
    truth = np.array([[True, True, True, False], [False, False, False, False]])
    found = np.array([[True, False, False, True], [False, False, False, False]])
    precision, recall, f1 = precision_recall_f1(truth, found)
    assert precision.tolist() == [1 / 2, 0]
    assert np.allclose(recall, [1 / 3, 0])
    assert np.allclose(f1, [2 / 5, 0])


def test_graph_of_three_objects():
    """A at the upper left, B at the centre column below, C at A's height on the right.

            x     y                x: A   B   C       y: A   B   C
        A  0.2   0.3            A  -   -   -       A  -   -   0
        B  0.5   0.8            B  +   0   -       B  +   +   +
        C  0.9   0.3            C  +   +   +       C  0   -   -

    Row i, column j: the sign of c_i - c_j; on the diagonal of c_i - 0.5."""
    graph = relations(np.array([[0.2, 0.3], [0.5, 0.8], [0.9, 0.3]]))
    assert graph[0].tolist() == [[-1, -1, -1], [1, 0, -1], [1, 1, 1]]
    assert graph[1].tolist() == [[-1, -1, 0], [1, 1, 1], [0, -1, -1]]


def test_rsim_of_a_moved_object_by_hand():
    """Three of four true classes are found, and C stands left of A and B instead of right of them.

    Recall is 3/4. Of the 9 x entries the pairs AC, CA, BC, CB and C's own against the centre are wrong, of
    the 9 y entries none: 13 of 18 agree."""
    truth = np.array([True, True, True, True, False])
    found = np.array([True, True, True, False, True])
    true_places = np.array([[0.2, 0.3], [0.5, 0.8], [0.9, 0.4], [0.1, 0.1], [0, 0]])
    found_places = true_places.copy()
    found_places[2] = [0.1, 0.4]
    found_places[3:] = 0.77  # what is said of a class that is not in both does not count
    assert relational_similarity(truth, found, true_places, found_places) == pytest.approx(3 / 4 * 13 / 18)


def test_rsim_of_a_perfect_picture_is_1_and_an_extra_object_costs_nothing():
    truth, found = np.array([True, True, False]), np.array([True, True, True])
    places = np.random.default_rng(0).random((3, 2))
    assert relational_similarity(truth, truth, places, places) == 1
    assert relational_similarity(truth, found, places, places) == 1


def test_rsim_is_0_where_nothing_is_shared():
    places = np.full((2, 2), 0.3)
    assert relational_similarity(np.array([True, False]), np.array([False, True]), places, places) == 0
    assert relational_similarity(np.array([False, False]), np.array([True, True]), places, places) == 0


def test_with_a_depth_the_axes_are_x_and_depth():
    both = np.array([True, True])
    truth = np.array([[0.2, 0.1, 0.0], [0.8, 0.9, 1.0]])
    upside_down, front_to_back = truth.copy(), truth.copy()
    upside_down[:, 1] = truth[::-1, 1]
    front_to_back[:, 2] = truth[::-1, 2]
    assert relational_similarity(both, both, truth, upside_down) == 1
    assert relational_similarity(both, both, truth, front_to_back) == 0.5


def test_preservation_counts_only_what_should_stay():
    before = np.zeros((2, 4, 4, 3), np.uint8)
    after = before.copy()
    after[:, 0] = 200  # the new object
    after[:, 1, 0] = 24  # a pixel of the rest
    allowed = np.zeros((2, 4, 4), bool)
    allowed[:, 0] = True
    allowed[1] = True
    assert preservation(before, after, allowed).tolist() == [24 / 12, 0]
    assert preservation(after, before, allowed).tolist() == [24 / 12, 0]


def test_interval_covers_the_mean_and_whole_dialogs_are_drawn():
    rng = np.random.default_rng(1)
    of_dialog = rng.normal(0.8, 0.1, 400)
    dialogs = np.repeat(np.arange(400), 5)
    low, high = bootstrap_interval(np.repeat(of_dialog, 5), dialogs)
    standard_error = of_dialog.std() / 20
    assert low < of_dialog.mean() < high
    # five equal pictures of a dialog say no more than one of them
    assert high - low == pytest.approx(2 * 1.96 * standard_error, rel=0.1)


def test_interval_weighs_dialogs_by_their_pictures():
    values, dialogs = np.array([1.0, 0.0, 0.0, 0.0]), np.array([0, 1, 1, 1])
    low, high = bootstrap_interval(values, dialogs)
    assert (low, high) == (0, 1)
    assert bootstrap_interval(values[:1], dialogs[:1]) == (1, 1)
    assert bootstrap_interval(values, dialogs, seed=3) == bootstrap_interval(values, dialogs, seed=3)
