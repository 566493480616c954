"""Instructions told anew from the annotation, in i-CLEVR's grammar.

Of all that stands, a turn's own text names one object or two; the same turn could be told beside any others.
Told so, each picture teaches several times what "behind it on the left and in front of the red cube" means.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cdd_icm.data.dialog import SceneObject

APART = (0.035, 0.02)
"""Of two objects that stand less far apart, in x and in y as shares of the picture's sides, no side is told.
Of all others it is, as in i-CLEVR, so that silence says something, too. On the ground both are as far."""


def retell(drawn: Sequence[SceneObject], standing: Sequence[SceneObject], rng: np.random.Generator) -> str:
    """A text that asks for the objects `drawn`, each on its sides of one or two of those that stand already
    or were just told; the latest of them is "it"."""
    told = list(standing)
    sentences = []
    for thing in drawn:
        sides = [_sides(thing, i, told) for i in rng.permutation(len(told))]
        sides = [side for side in sides if side][: 1 + rng.integers(2)]
        place = " and ".join(sides) if sides else "" if told else "at the center"
        sentences.append(f"Add a {thing.name} {place}".rstrip())
        told.append(thing)
    return ". ".join(sentences)


def _sides(thing: SceneObject, i: int, told: Sequence[SceneObject]) -> str:
    """On which sides of `told[i]` the thing stands: "behind it on the left"; "" if on none."""
    anchor, name = told[i], "it" if i == len(told) - 1 else f"the {told[i].name}"
    right, down = thing.x - anchor.x, thing.y - anchor.y
    beside = "" if abs(right) < APART[0] else "on the right" if right > 0 else "on the left"
    depth = "" if abs(down) < APART[1] else "in front of" if down > 0 else "behind"
    if beside and depth:
        return f"{depth} {name} {beside}"
    return f"{depth} {name}" if depth else f"{beside} of {name}" if beside else ""
