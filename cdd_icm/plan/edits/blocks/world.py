"""The world of blocks: i-CLEVR and the CLEVR edits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cdd_icm.data.dialog import SceneObject
from cdd_icm.plan.edits.blocks.scene import COLOURS, SHAPES, SIZES, Block, Change
from cdd_icm.plan.edits.blocks.synthetic import synthetic_turn
from cdd_icm.plan.edits.blocks.wording import write_changes
from cdd_icm.plan.edits.changes import ObjectChange
from cdd_icm.plan.edits.truth import SyntheticRequest

CLASSES = tuple(f"{colour} {shape}" for colour in COLOURS for shape in SHAPES)


class BlocksWorld:
    """Scenes of coloured blocks, and texts about them; see `truth.World`."""

    def objects(self) -> list[SceneObject]:
        return [
            Block(colour, shape, size, 0.0, 0.0).as_object()
            for colour in COLOURS
            for shape in SHAPES
            for size in SIZES
        ]

    def request(self, rng: np.random.Generator) -> SyntheticRequest:
        turn = synthetic_turn(rng)
        scene = [block.as_object() for block in turn.scene]
        changes = [
            ObjectChange(change.before, change.after and change.after.as_object()) for change in turn.changes
        ]
        return SyntheticRequest(scene, turn.touched, changes, turn.text, turn.intent)

    def write(
        self, scene: Sequence[SceneObject], changes: Sequence[ObjectChange], rng: np.random.Generator
    ) -> str | None:
        blocks = tuple(Block.of(obj) for obj in scene)
        wanted = tuple(Change(number, after and Block.of(after)) for number, after in changes)
        return write_changes(blocks, (), wanted, rng)
