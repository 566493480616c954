"""Writes instructions from the annotation in i-CLEVR's grammar.

A turn's original text refers to one or two of the existing objects. Describing it relative to others gives
more training examples of phrases such as "behind it on the left and in front of the red cube".
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cdd_icm.data.dialog import SceneObject

APART = 0.342
"""Distance on the ground in one direction, in Blender units, below which a relation is not mentioned. Above
it, it always is, as in i-CLEVR: with the camera constants below this agrees with nearly all of the data's own
texts."""
COLLISION = 1.45
"""Smallest distance on the ground between two objects in the data, in Blender units."""
HORIZON = -0.298
"""The horizon of the data's camera, as a share of the picture's side from the top: it is above the picture.
If the config has a `plan.relational.horizon`, that is used instead."""
LENS = 0.914  # width of the field of view at distance 1
DISTANCE = {"cube": 8.090, "sphere": 7.779, "cylinder": 7.779}
"""Distance from the camera to an object that appears a picture's height below the horizon."""
LOWER = {"cube": 0.090, "sphere": 0.0, "cylinder": 0.0}
"""Additional distance from the camera to an object's centre because it is lower."""
TILT = 0.83  # share of the distance from the camera that is along the ground


@dataclass(frozen=True)
class IclevrGrammar:
    """i-CLEVR's grammar. `horizon`: see `HORIZON`."""

    horizon: float = HORIZON

    def write(
        self, drawn: Sequence[SceneObject], existing: Sequence[SceneObject], rng: np.random.Generator
    ) -> str:
        """An instruction to draw the objects `drawn`, each relative to one or two existing or previously
        mentioned objects; the last of these is called "it"."""
        mentioned = list(existing)
        sentences = []
        for obj in drawn:
            sides = [self._sides(obj, i, mentioned) for i in rng.permutation(len(mentioned))]
            sides = [side for side in sides if side][: 1 + rng.integers(2)]
            place = " and ".join(sides) if sides else "" if mentioned else "at the center"
            sentences.append(f"Add a {obj.name} {place}".rstrip())
            mentioned.append(obj)
        return ". ".join(sentences)

    def collides(self, obj: SceneObject, existing: Sequence[SceneObject]) -> bool:
        """Whether the object would be closer to one of `existing` than any two objects in the data."""
        place = self.on_the_ground(obj)
        return any(math.dist(place, self.on_the_ground(other)) < COLLISION for other in existing)

    def on_the_ground(self, obj: SceneObject) -> tuple[float, float]:
        """The position of an object on the ground in Blender units: right of the middle, and away from the
        camera."""
        shape = obj.name.split()[-1]
        distance = DISTANCE[shape] / max(obj.y - self.horizon, 1e-3)
        return LENS * (obj.x - 0.5) * distance, (distance - LOWER[shape]) / TILT

    def _sides(self, obj: SceneObject, i: int, mentioned: Sequence[SceneObject]) -> str:
        """The position relative to `mentioned[i]`, such as "behind it on the left"; "" if there is nothing to
        say."""
        anchor, name = mentioned[i], "it" if i == len(mentioned) - 1 else f"the {mentioned[i].name}"
        places = (self.on_the_ground(obj), self.on_the_ground(anchor))
        right, away = (new - old for new, old in zip(*places, strict=True))
        beside = "" if abs(right) < APART else "on the right" if right > 0 else "on the left"
        depth = "" if abs(away) < APART else "behind" if away > 0 else "in front of"
        if beside and depth:
            return f"{depth} {name} {beside}"
        return f"{depth} {name}" if depth else f"{beside} of {name}" if beside else ""
