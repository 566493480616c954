"""Instructions told anew from the annotation, in i-CLEVR's grammar.

Of all that stands, a turn's own text names one object or two; the same turn could be told beside any others.
Told so, each picture teaches several times what "behind it on the left and in front of the red cube" means.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from cdd_icm.data.dialog import SceneObject

APART = 0.342
"""Of two objects whose places on the ground are closer in a direction, in Blender's units, no side is told.
Of all others it is, as in i-CLEVR, so that silence says something, too; with the camera below this agrees
with nearly all that the data's own texts say or leave out."""
CROWDED = 1.45
"""No two objects stand closer."""
HORIZON = -0.298
"""Where the camera would see the ground end, as a share of the picture's height: over its upper edge."""
LENS = 0.914  # width of what is seen at a distance of 1
DISTANCE = {"cube": 8.090, "sphere": 7.779, "cylinder": 7.779}
"""From the camera to an object that is seen a picture's height below the horizon."""
LOWER = {"cube": 0.090, "sphere": 0.0, "cylinder": 0.0}
"""How much further from the camera the middle of an object is for being lower."""
TILT = 0.83  # of the way from the camera the part that lies along the ground


def on_the_ground(thing: SceneObject) -> tuple[float, float]:
    """Where an object stands, in Blender's units: how far to the right of the middle, and how far away."""
    shape = thing.name.split()[-1]
    distance = DISTANCE[shape] / max(thing.y - HORIZON, 1e-3)
    return LENS * (thing.x - 0.5) * distance, (distance - LOWER[shape]) / TILT


def crowded(thing: SceneObject, other: SceneObject) -> bool:
    """Whether the two can't stand beside each other."""
    return math.dist(on_the_ground(thing), on_the_ground(other)) < CROWDED


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
    right, away = (new - old for new, old in zip(on_the_ground(thing), on_the_ground(anchor), strict=True))
    beside = "" if abs(right) < APART else "on the right" if right > 0 else "on the left"
    depth = "" if abs(away) < APART else "behind" if away > 0 else "in front of"
    if beside and depth:
        return f"{depth} {name} {beside}"
    return f"{depth} {name}" if depth else f"{beside} of {name}" if beside else ""
