"""Instructions written from the annotation in the short sentences of CoDraw's tellers.

People's texts ask for much at once, and few of their words tell which side belongs to which object: "left top
corner medium sun no cuts right side apple tree small size". These have the same words and style, and are
always right: a small model learns from them what belongs to what, many times sooner.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cdd_icm.data.dialog import SceneObject

SIZES = {"0": ("big", "large"), "1": ("medium",), "2": ("small", "little")}
"""What the tellers call the values of the trait `depth`."""
SIDES = {"0": "right", "1": "left"}
"""Which way an object faces, by the trait `flip`."""
DRAWN_LEFT = {"kite", "oak tree", "rocket"}
"""Except for these, whose drawing faces left."""
LOOKING = ("facing", "looking", "faces")
APART = 0.08
"""No side is given of two objects that are less far apart, as a share of the picture's side."""


class CoDrawGrammar:
    """The short sentences of CoDraw's tellers."""

    def write(
        self, drawn: Sequence[SceneObject], existing: Sequence[SceneObject], rng: np.random.Generator
    ) -> str:
        """Asks for the objects `drawn`, in any order, each by its place in the picture or beside another one
        that exists or was just mentioned; in one style throughout, as a teller has it."""
        style, joint = rng.integers(4), _one((" ", " and ", " <teller> ", " then "), rng)
        mentioned: list[SceneObject] = list(existing)
        sentences = []
        for index in rng.permutation(len(drawn)):
            obj = drawn[index]
            article, place = _one(("", "a ", "the "), rng), _place(obj, mentioned, rng)
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
        """Never: pieces may lie on each other."""
        return False


def _place(obj: SceneObject, mentioned: Sequence[SceneObject], rng: np.random.Generator) -> str:
    others = [other for other in mentioned if other.name != obj.name and abs(other.x - obj.x) > APART]
    if others and rng.random() < 0.3:
        other = others[rng.integers(len(others))]
        side = "left" if obj.x < other.x else "right"
        return f"{_one(('to the ', 'on the ', 'just '), rng)}{side} of {_one(('the ', ''), rng)}{other.name}"
    side = "left" if obj.x < 0.4 else "right" if obj.x > 0.6 else _one(("middle", "center"), rng)
    height = "top" if obj.y < 0.3 else "bottom" if obj.y > 0.7 else ""
    if height and rng.random() < 0.5:
        corner = " corner" if abs(obj.x - 0.5) > 0.3 else ""
        words = (height, side) if rng.random() < 0.5 else (side, height)
        return _one(("", "on the ", "in the "), rng) + " ".join(words) + corner
    far = "far " if abs(obj.x - 0.5) > 0.38 and rng.random() < 0.3 else ""
    return _one(("on the {}", "on {}", "{} side", "{}", "on the {} side", "in the {}"), rng).format(
        far + side
    )


def _size(obj: SceneObject, rng: np.random.Generator) -> str:
    names = SIZES.get(obj.look.get("depth", ""), ())
    return f"{_one(names, rng)} " if names and rng.random() < 0.5 else ""


def _direction(obj: SceneObject, rng: np.random.Generator) -> str:
    """Which way it faces: a side, too, but not that of its place."""
    if "flip" not in obj.look or rng.random() >= 0.4:
        return ""
    seen = obj.mirrored() if obj.name in DRAWN_LEFT else obj
    return f" {_one(LOOKING, rng)} {SIDES[seen.look['flip']]}"


def _one(among: Sequence[str], rng: np.random.Generator) -> str:
    return among[rng.integers(len(among))]
