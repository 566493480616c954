"""Instructions written from the annotation in i-CLEVR's grammar.

A turn's own text names one or two of the existing objects; the same turn could be described beside any
others. So described, each picture teaches several times what "behind it on the left and in front of the red
cube" means.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cdd_icm.data.dialog import SceneObject

APART = 0.342
"""No side is given of two objects whose places on the ground are closer in a direction, in Blender's units.
It is of all others, as in i-CLEVR, so that silence says something, too; with the camera below this agrees
with nearly all that the data's own texts say or leave out."""
COLLISION = 1.45
"""No two objects of the data are closer."""
HORIZON = -0.298
"""Height at which the data's camera would see the ground end, as a share of the picture's side from the top:
over its upper edge. A model that plans on the ground has it as `plan.horizon`, and then that counts."""
LENS = 0.914  # width of what is seen at a distance of 1
DISTANCE = {"cube": 8.090, "sphere": 7.779, "cylinder": 7.779}
"""From the camera to an object that is seen a picture's height below the horizon."""
LOWER = {"cube": 0.090, "sphere": 0.0, "cylinder": 0.0}
"""How much further from the camera the middle of an object is for being lower."""
TILT = 0.83  # of the way from the camera the part that lies along the ground


@dataclass(frozen=True)
class IclevrGrammar:
    """i-CLEVR's grammar. `horizon`: see `HORIZON`."""

    horizon: float = HORIZON

    def write(
        self, drawn: Sequence[SceneObject], existing: Sequence[SceneObject], rng: np.random.Generator
    ) -> str:
        """Asks for the objects `drawn`, each on its sides of one or two of those that exist or were just
        mentioned; the last of them is "it"."""
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
        """Where an object is, in Blender's units: how far to the right of the middle, and how far away."""
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
