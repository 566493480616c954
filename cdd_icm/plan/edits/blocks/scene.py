"""Scenes of blocks on the ground, and the changes that a turn makes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cdd_icm.data.dialog import SceneObject
from cdd_icm.plan.edits.blocks.camera import to_ground, to_picture

COLOURS = ("blue", "brown", "cyan", "gray", "green", "purple", "red", "yellow")
SHAPES = ("cube", "cylinder", "sphere")
SIZES = ("large", "small")
APART = 0.35
"""Distance on the ground along an axis, in Blender units, from which two objects are told to be beside, or
behind, one another."""
SPACING = 1.5
"""Smallest distance between two objects of the data, in Blender units."""


@dataclass(frozen=True)
class Block:
    """An object, and where it stands: Blender units to the `right` of the middle of the scene, and `away`
    from the camera."""

    colour: str
    shape: str
    size: str
    right: float
    away: float

    @property
    def name(self) -> str:
        """Its class: colour and shape."""
        return f"{self.colour} {self.shape}"

    def as_object(self) -> SceneObject:
        """It as an annotated object of a picture."""
        x, y, depth = to_picture(self.right, self.away, self.shape, self.size)
        return SceneObject(self.name, x, y, depth, {"size": self.size})

    @classmethod
    def of(cls, obj: SceneObject) -> Block:
        """The block that is annotated as `obj`; one without a size is large, as all of i-CLEVR's are."""
        colour, shape = obj.name.split()
        size = obj.look.get("size", "large")
        return cls(colour, shape, size, *to_ground(obj.x, obj.y, shape, size))


@dataclass(frozen=True)
class Change:
    """What a turn does with one object: adds it (`before` is None), removes it (`after` is None), or makes
    `scene[before]` to `after`, which may differ in colour, shape, size and place."""

    before: int | None
    after: Block | None


@dataclass(frozen=True)
class Turn:
    """A turn of a synthetic dialog.

    Attributes:
        scene: the blocks before it, in the order in which they were added.
        touched: the numbers in `scene` of those that the turn before added or changed, in the order in which
            it spoke of them; the last of them is "it".
        changes: what the turn does, in the order in which its text speaks of it; none if the text asks for
            nothing that can be drawn.
        text: the instruction.
        intent: what kind of request the text is, see `intents.INTENTS`.
    """

    scene: tuple[Block, ...]
    touched: tuple[int, ...]
    changes: tuple[Change, ...]
    text: str
    intent: str


def after_changes(
    scene: Sequence[Block], changes: Sequence[Change]
) -> tuple[tuple[Block, ...], tuple[int, ...]]:
    """The scene after the changes, and the numbers in it of what they added or changed, in their order."""
    blocks: list[Block | None] = list(scene)
    touched = []
    for change in changes:
        if change.before is None:
            touched.append(len(blocks))
            blocks.append(change.after)
        else:
            blocks[change.before] = change.after
            if change.after is not None:
                touched.append(change.before)
    kept = [i for i, block in enumerate(blocks) if block is not None]
    return tuple(blocks[i] for i in kept), tuple(kept.index(i) for i in touched)
