"""What the earlier instructions did."""

import torch

from cdd_icm.plan.edits.memory import Remembered, scene_of
from cdd_icm.plan.edits.plan import asked_edits
from cdd_icm.plan.edits.requests import TOUCHED, TOUCHED_LAST, Asked, stacked
from tests.cdd_icm.plan.edits.toy import BALL, CHANGES, CUBE, GRID, encoder

CUBE_SEEN, BALL_SEEN = (1, (0,), 26), (0, (1,), 37)


def after(memory, changes):
    scene = scene_of([memory], 1, torch.device("cpu"))
    asked = stacked(Asked, [encoder().asked((CUBE, BALL), changes, "change")])
    return memory.after(asked_edits(scene, asked), 0)


def test_edits_are_remembered():
    memory = Remembered([CUBE_SEEN, BALL_SEEN], [0])
    assert after(memory, CHANGES[0]) == Remembered([BALL_SEEN], [])
    assert after(memory, CHANGES[1]) == Remembered([CUBE_SEEN, BALL_SEEN, (2, (0,), 60)], [2])
    assert after(memory, CHANGES[2]) == Remembered([CUBE_SEEN, (0, (1,), 32)], [1])


def test_what_is_detected_takes_the_remembered_order():
    memory = Remembered([BALL_SEEN, CUBE_SEEN], [0])
    tube, moved = (2, (0,), 5), (0, (1,), 38)
    assert memory.seen_in([CUBE_SEEN, tube, moved], GRID) == Remembered([tube, moved, CUBE_SEEN], [1])
    assert memory.seen_in([CUBE_SEEN], GRID) == Remembered([CUBE_SEEN], [])


def test_a_badly_drawn_object_is_the_one_remembered_in_its_place():
    memory = Remembered([BALL_SEEN, CUBE_SEEN], [1])
    looks_like_a_tube, elsewhere = (2, (0,), CUBE_SEEN[2] + GRID + 1), (2, (0,), 0)
    expected = Remembered([BALL_SEEN, (*CUBE_SEEN[:2], CUBE_SEEN[2] + GRID + 1)], [1])
    assert memory.seen_in([looks_like_a_tube, BALL_SEEN], GRID) == expected
    assert memory.seen_in([elsewhere, BALL_SEEN], GRID) == Remembered([elsewhere, BALL_SEEN], [])


def test_the_last_touched_object_is_marked():
    scene = scene_of([Remembered([BALL_SEEN, CUBE_SEEN], [1, 0])], 1, torch.device("cpu"))
    assert scene.touched[0, :3].tolist() == [TOUCHED_LAST, TOUCHED, 0]
    assert scene.exists.sum() == 2
