"""What a turn changes, read off the annotated objects before and after it."""

from __future__ import annotations

from collections.abc import Sequence
from math import dist
from typing import NamedTuple

from cdd_icm.data.dialog import SceneObject

SAME_PLACE = 0.04
"""Distance, as a share of the picture's side, within which an object of another class stands in the place of
one that is gone: its centre is higher or lower where its shape or size differs."""


class ObjectChange(NamedTuple):
    """What becomes of one object: `before` is its number in the scene, None if it is added; `after` is None
    if it is removed."""

    before: int | None
    after: SceneObject | None


def changes_between(
    before: Sequence[SceneObject], after: Sequence[SceneObject], moved_distance: float
) -> list[ObjectChange]:
    """The changes from `before` to `after`; those of existing objects first, in their order, then the new
    objects in theirs.

    An object with the name, look and place of one before is unchanged. Of the others, one of the same name is
    the same object, moved or of another look; one in the same place is what the object there was made to.

    Args:
        moved_distance: an object that is farther away than this in x or y has moved.
    """
    gone, new = dict(enumerate(before)), list(after)

    def pair_off(same, changed: bool) -> list[ObjectChange]:
        found = []
        for number, old in list(gone.items()):
            match = next((obj for obj in new if same(old, obj)), None)
            if match is not None:
                del gone[number]
                new.remove(match)
                if changed:
                    found.append(ObjectChange(number, match))
        return found

    def near(a: SceneObject, b: SceneObject) -> bool:
        return max(abs(a.x - b.x), abs(a.y - b.y)) <= moved_distance

    pair_off(lambda a, b: a.name == b.name and a.look == b.look and near(a, b), changed=False)
    changes = pair_off(lambda a, b: a.name == b.name, changed=True)
    changes += pair_off(lambda a, b: dist((a.x, a.y), (b.x, b.y)) <= SAME_PLACE, changed=True)
    changes += [ObjectChange(number, None) for number in gone]
    return sorted(changes, key=lambda change: change.before) + [ObjectChange(None, obj) for obj in new]


def touched_by(
    before: Sequence[SceneObject], after: Sequence[SceneObject], moved_distance: float
) -> list[int]:
    """The numbers in `after` of the objects that are new or changed, in their order."""
    changed = [change.after for change in changes_between(before, after, moved_distance)]
    return [number for number, obj in enumerate(after) if any(obj is other for other in changed)]
