"""Changes are read off the objects before and after a turn."""

from dataclasses import replace

import pytest

from cdd_icm.data.dialog import SceneObject
from cdd_icm.plan.edits.changes import ObjectChange, changes_between, touched_by

CUBE = SceneObject("red cube", 0.5, 0.4, look={"size": "large"})
BALL = SceneObject("blue sphere", 0.2, 0.6, look={"size": "large"})
TUBE = SceneObject("green cylinder", 0.8, 0.7, look={"size": "small"})


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ((CUBE, BALL), []),
        ((CUBE, BALL, TUBE), [ObjectChange(None, TUBE)]),
        ((BALL,), [ObjectChange(0, None)]),
        ((), [ObjectChange(0, None), ObjectChange(1, None)]),
        ((CUBE, moved := replace(BALL, x=0.6)), [ObjectChange(1, moved)]),
        ((CUBE, replace(BALL, x=0.21)), []),
        ((small := replace(CUBE, look={"size": "small"}), BALL), [ObjectChange(0, small)]),
        ((other := replace(CUBE, name="gray cube"), BALL), [ObjectChange(0, other)]),
        (
            (elsewhere := replace(CUBE, name="gray cube", x=0.7), BALL),
            [ObjectChange(0, None), (None, elsewhere)],
        ),
        ((other, BALL, TUBE), [ObjectChange(0, other), ObjectChange(None, TUBE)]),
    ],
)
def test_changes_between_two_scenes(after, expected):
    assert changes_between((CUBE, BALL), after, moved_distance=0.02) == expected


def test_touched_are_those_that_are_new_or_changed():
    after = (CUBE, replace(BALL, x=0.6), TUBE)
    assert touched_by((CUBE, BALL), after, moved_distance=0.02) == [1, 2]
