"""Writes instructions from the annotation in the style of CoDraw's tellers.

Human texts ask for many objects at once and barely show which words belong to which object: "left top corner
medium sun no cuts right side apple tree small size". The generated texts have the same words and style but
are always correct, so that a small model learns much sooner which words belong together.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cdd_icm.data.dialog import SceneObject

SIZES = {"0": ("big", "large"), "1": ("medium",), "2": ("small", "little")}
"""Words for the values of the trait `depth`."""
SIDES = {"0": "right", "1": "left"}
"""The direction that an object faces, by the trait `flip`."""
DRAWN_LEFT = {"kite", "oak tree", "rocket"}
"""Objects whose unflipped drawing faces left instead of right."""
FACING = ("facing", "looking", "faces")
APART = 0.08
"""Objects that are closer horizontally, as a share of the picture's width, are not described as left or right
of each other."""


class CoDrawGrammar:
    """The short sentences of CoDraw's tellers."""

    def write(
        self, drawn: Sequence[SceneObject], existing: Sequence[SceneObject], rng: np.random.Generator
    ) -> str:
        """An instruction to draw the objects `drawn`, in random order and a consistent style; each is placed
        in the picture or relative to an existing or previously mentioned object."""
        style, joint = rng.integers(4), _choice((" ", " and ", " <teller> ", " then "), rng)
        mentioned: list[SceneObject] = list(existing)
        sentences = []
        for index in rng.permutation(len(drawn)):
            obj = drawn[index]
            article, place = _choice(("", "a ", "the "), rng), _place(obj, mentioned, rng)
            name, traits = _size(obj, rng) + obj.name, _direction(obj, rng)
            sentences.append(
                (
                    f"{article}{name} {place}{traits}",
                    f"{article}{name}{traits} {place}",
                    f"{place} {article}{name}{traits}",
                    f"{place} is {article}{name}{traits}",
                )[style]
            )
            mentioned.append(obj)
        return "<teller> " + joint.join(sentences)

    def collides(self, obj: SceneObject, existing: Sequence[SceneObject]) -> bool:
        """Always False: clip art may overlap."""
        return False


def _place(obj: SceneObject, mentioned: Sequence[SceneObject], rng: np.random.Generator) -> str:
    others = [other for other in mentioned if other.name != obj.name and abs(other.x - obj.x) > APART]
    if others and rng.random() < 0.3:
        other = others[rng.integers(len(others))]
        side = "left" if obj.x < other.x else "right"
        before, article = _choice(("to the ", "on the ", "just "), rng), _choice(("the ", ""), rng)
        return f"{before}{side} of {article}{other.name}"
    side = "left" if obj.x < 0.4 else "right" if obj.x > 0.6 else _choice(("middle", "center"), rng)
    height = "top" if obj.y < 0.3 else "bottom" if obj.y > 0.7 else ""
    if height and rng.random() < 0.5:
        corner = " corner" if abs(obj.x - 0.5) > 0.3 else ""
        words = (height, side) if rng.random() < 0.5 else (side, height)
        return _choice(("", "on the ", "in the "), rng) + " ".join(words) + corner
    far = "far " if abs(obj.x - 0.5) > 0.38 and rng.random() < 0.3 else ""
    return _choice(("on the {}", "on {}", "{} side", "{}", "on the {} side", "in the {}"), rng).format(
        far + side
    )


def _size(obj: SceneObject, rng: np.random.Generator) -> str:
    names = SIZES.get(obj.look.get("depth", ""), ())
    return f"{_choice(names, rng)} " if names and rng.random() < 0.5 else ""


def _direction(obj: SceneObject, rng: np.random.Generator) -> str:
    """The direction that it faces, which may be omitted; unlike its place, it also says left or right."""
    if "flip" not in obj.look or rng.random() >= 0.4:
        return ""
    facing = obj.mirrored() if obj.name in DRAWN_LEFT else obj
    return f" {_choice(FACING, rng)} {SIDES[facing.look['flip']]}"


def _choice(options: Sequence[str], rng: np.random.Generator) -> str:
    return options[rng.integers(len(options))]
