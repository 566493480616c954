"""Instructions told anew from the annotation, in i-CLEVR's grammar.

Of all that stands, a turn's own text names one object or two; the same turn could be told beside any others.
Told so, each picture teaches several times what "behind it on the left and in front of the red cube" means.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cdd_icm.data.dialog import SceneObject

APART = 0.03
"""Of two objects that stand less far apart, as a share of the picture's side, no side is told."""
BOTH = 0.85
"""How often two sides are told where there are two: "behind it on the left"."""


def retell(drawn: Sequence[SceneObject], standing: Sequence[SceneObject], rng: np.random.Generator) -> str:
    """A text that asks for the objects `drawn`, each on its sides of one or two of those that stand already
    or were just told; the latest of them is "it"."""
    told = list(standing)
    sentences = []
    for thing in drawn:
        sides = [_sides(thing, i, told, rng) for i in rng.permutation(len(told))]
        sides = [side for side in sides if side][: 1 + rng.integers(2)]
        place = " and ".join(sides) if sides else "" if told else "at the center"
        sentences.append(f"Add a {thing.name} {place}".rstrip())
        told.append(thing)
    return ". ".join(sentences)


def _sides(thing: SceneObject, i: int, told: Sequence[SceneObject], rng: np.random.Generator) -> str:
    """On which sides of `told[i]` the thing stands: "behind it on the left"; "" if on none."""
    anchor, name = told[i], "it" if i == len(told) - 1 else f"the {told[i].name}"
    right, down = thing.x - anchor.x, thing.y - anchor.y
    beside = "" if abs(right) < APART else "on the right" if right > 0 else "on the left"
    depth = "" if abs(down) < APART else "in front of" if down > 0 else "behind"
    if beside and depth:
        if rng.random() < BOTH:
            return f"{depth} {name} {beside}"
        beside, depth = (beside, "") if rng.random() < 0.5 else ("", depth)
    return f"{depth} {name}" if depth else f"{beside} of {name}" if beside else ""
