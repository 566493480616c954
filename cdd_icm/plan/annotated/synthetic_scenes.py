"""Additional training data: synthetic dialogs for placement, and shifted pictures for detection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from cdd_icm.data.dialog import SceneObject
from cdd_icm.plan.annotated.grammars.registry import Grammar


def synthetic_dialog(
    scenes: Sequence[Sequence[SceneObject]], grammar: Grammar, rng: np.random.Generator
) -> tuple[list[str], list[SceneObject]]:
    """A dialog without pictures: an instruction for each object, and the objects. They are those of a random
    scene in random order. The first is placed where another scene's first object is, the others at positions
    of any objects. Objects that collide in eight tries are omitted."""

    def scene() -> Sequence[SceneObject]:
        return scenes[rng.integers(len(scenes))]

    placed: list[SceneObject] = []
    for obj in rng.permutation(np.array(scene(), dtype=object)):
        for _ in range(8):
            other = scene()
            other = other[rng.integers(len(other)) if placed else 0]
            moved = replace(obj, x=other.x, y=other.y)
            if not grammar.collides(moved, placed):
                placed.append(moved)
                break
    return [grammar.write([obj], placed[:i], rng) for i, obj in enumerate(placed)], placed
