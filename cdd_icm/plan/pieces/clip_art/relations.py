"""Where pieces of clip art are put from others, and how people say so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from cdd_icm.data.codraw_painter import ANIMALS, CLOTHES, SKY
from cdd_icm.data.dialog import SceneObject
from cdd_icm.plan.pieces.clip_art.mentions import Speaker
from cdd_icm.plan.pieces.clip_art.places import Place, inside
from cdd_icm.plan.pieces.clip_art.relation_words import (
    ABOVE,
    ABOVE_THING,
    ACROSS,
    AT_FEET,
    AWAY,
    BEHIND,
    BELOW,
    CLOSER,
    FAR,
    FRONT,
    HIS_SIDE,
    IN,
    IN_HAND,
    IN_SIDE_HAND,
    NEAR,
    OFF,
    ON,
    ON_EYES,
    ON_HEAD,
    OTHER_SIDE,
    UNDER,
)
from cdd_icm.plan.pieces.clip_art.shapes import (
    EYES,
    FEET,
    GROUND,
    HANDS,
    HATS,
    HELD,
    PEOPLE,
    TREES,
    at_point,
    between,
    half_size,
    is_grounded,
    on_head,
    side_of,
    usual_height,
)
from cdd_icm.plan.shared.speech.grammar import pick
from cdd_icm.plan.shared.speech.place_words import AT_SIDE, BETWEEN

SUPPORTS = {"table", "slide", "grill", "bear", "dog", "spring bee", "swing set", *PEOPLE}
"""Pieces on which others are put."""
INSIDES = {
    "sandbox": 0.0,
    "tent": 0.1,
    "swing set": 0.15,
    "pine tree": -0.1,
    "oak tree": -0.25,
    "apple tree": -0.2,
}
"""Pieces in which others are put, and how far below the middle, as a share of the height."""
_BESIDE = (
    *("left", "right", "left", "right", "near", "near", "near"),
    *("above", "under", "on", "on", "in", "in", "behind", "front", "between", "far"),
)


def beside(
    obj: SceneObject,
    scene: Sequence[SceneObject],
    rng: np.random.Generator,
    speaker: Speaker,
    look_at: Callable[[SceneObject], None],
) -> Place | None:
    """A place by something in the scene; None if there is none in the picture.

    Args:
        look_at: is called with each piece that the words speak of.
    """
    marks = [mark for mark in scene if mark.name != obj.name]
    if not marks:
        return None
    people = [mark for mark in marks if mark.name in PEOPLE]
    if people and (obj.name in CLOTHES or obj.name in HELD) and rng.random() < 0.65:
        person = pick(rng, people)
        look_at(person)
        return by_person(obj, person, rng, speaker)
    recent = [mark for mark in marks if mark.name in speaker.touched]
    mark = pick(rng, recent if recent and rng.random() < 0.35 else marks)
    kind = pick(rng, _BESIDE)
    if obj.name in HATS and mark.name in WEARERS and rng.random() < 0.5:
        kind = "head"
    if kind == "on" and mark.name not in SUPPORTS or kind == "in" and mark.name not in INSIDES:
        kind = pick(rng, ("near", "left", "right", "behind", "front"))
    if obj.name in SKY and mark.name not in SKY and kind in ("front", "behind", "in", "on"):
        kind = "above"  # the sky is painted first, so it is behind all else
    if kind == "behind" and mark.name in SKY and obj.name not in SKY:
        kind = "near"
    place = _BY_KIND[kind](obj, mark, marks, rng, speaker, look_at)
    if place is None or inside(place) is None:
        return None
    look_at(mark)
    return place


def _words(mark: SceneObject, speaker: Speaker) -> dict[str, str]:
    """Slots: "x" is a piece as an object, "o" its possessive."""
    return {"x": speaker.the(mark, 0.35), "o": speaker.owner(mark)}


def _level(obj: SceneObject, mark: SceneObject, rng: np.random.Generator, close: bool) -> float:
    """The height of a piece that is beside another."""
    half, other = half_size(obj)[1], half_size(mark)[1]
    if is_grounded(obj.name) and is_grounded(mark.name) and mark.name != "owl":
        # both stand on the same ground, unless the mark is up somewhere
        base = min(mark.y + other, 0.97)
        base = base if base > 0.6 else GROUND[int(obj.look["depth"])]
        return max(base - half + between(rng, -0.01, 0.02), 0.02)
    if close or (obj.name in SKY) == (mark.name in SKY):
        return mark.y + between(rng, -0.02, 0.02)
    return usual_height(obj, rng)


def _side(side: str):
    sign = -1 if side == "left" else 1

    def place(obj, mark, marks, rng, speaker, look_at) -> Place | None:
        apart = _apart(obj, mark)
        chance, words = rng.random(), _words(mark, speaker)
        gap = between(rng, 0.0, 0.08)
        if chance < 0.12:
            text = OFF[side](rng, words)
            gap = between(rng, 0.25, 0.35) if any(w in text for w in ("far", "long way", "two")) else 0.01
        elif chance < 0.2 and mark.name in PEOPLE:
            text = HIS_SIDE[side](rng, words)
        else:
            text = AT_SIDE[side](rng, words)
        return Place(mark.x + sign * (apart + gap), _level(obj, mark, rng, chance < 0.12), text)

    return place


def _apart(obj: SceneObject, mark: SceneObject) -> float:
    """The distance of the middles of two pieces side by side; large ones overlap."""
    return min(max(0.85 * (half_size(obj)[0] + half_size(mark)[0]), 0.08), 0.3)


def _near(obj, mark, marks, rng, speaker, look_at) -> Place:
    apart = _apart(obj, mark) + between(rng, 0.0, 0.02)
    sides = [side for side in (-1, 1) if 0.03 < mark.x + side * apart < 0.97]
    room = pick(rng, sides) if sides else 1 if mark.x < 0.5 else -1
    if abs(mark.x - 0.5) > 0.12:  # to the middle of the picture, where there is more room
        room = 1 if mark.x < 0.5 else -1
    return Place(mark.x + room * apart, _level(obj, mark, rng, True), NEAR(rng, _words(mark, speaker)))


def company(obj: SceneObject, other: SceneObject, rng: np.random.Generator) -> Place | None:
    """Where something is that comes with a piece: on a table, in a tree, in a sandbox."""
    speaker = Speaker(rng, (), ())
    return (_on if obj.name == "table" else _in)(other, obj, (), rng, speaker, None)


def seat(person: SceneObject, mark: SceneObject, rng: np.random.Generator) -> Place | None:
    """Where a person sits on a piece, or in it."""
    speaker = Speaker(rng, (mark,), ())
    return (
        inside(place)
        if (place := (_in if mark.name in INSIDES else _on)(person, mark, (), rng, speaker, None))
        else None
    )


def _above(obj, mark, marks, rng, speaker, look_at) -> Place | None:
    y = mark.y - half_size(mark)[1] - half_size(obj)[1] - between(rng, 0.0, 0.06)
    if y < 0.02:
        if mark.y - half_size(mark)[1] < 0.12 or mark.y < 0.3:
            return None
        y = between(rng, 0.02, 0.06)
    grammar = ABOVE if mark.name in (*PEOPLE, *ANIMALS) else ABOVE_THING
    return Place(mark.x + between(rng, -0.03, 0.03), y, grammar(rng, _words(mark, speaker)))


def _under(obj, mark, marks, rng, speaker, look_at) -> Place | None:
    x, words = mark.x + between(rng, -0.03, 0.03), _words(mark, speaker)
    half, other = half_size(obj)[1], half_size(mark)[1]
    if mark.name in ("table", "slide", "swing set", *TREES) and is_grounded(obj.name):
        return Place(x, max(min(mark.y + other, 0.95) - half + 0.01, mark.y), UNDER(rng, words))
    y = mark.y + other + half + between(rng, 0.0, 0.06)
    if (
        is_grounded(obj.name) and mark.y < 0.45
    ):  # what stands on the ground is there, however high the other is
        y = max(min(y, 0.95), usual_height(obj, rng))
    return Place(x, y, BELOW(rng, words)) if y < 0.97 else None


def _on(obj, mark, marks, rng, speaker, look_at) -> Place | None:
    sunk = {"table": 0.35, "grill": 0.1, "slide": 0.25, "swing set": 1.4}.get(mark.name, 0.15)
    other = half_size(mark)[1]
    y = mark.y - other + sunk * other - half_size(obj)[1] + 0.01
    width = 0.6 * half_size(mark)[0] if mark.name == "table" else 0.02
    text = ON(rng, _words(mark, speaker))
    return Place(mark.x + between(rng, -width, width), y, text) if y > 0.01 else None


def _in(obj, mark, marks, rng, speaker, look_at) -> Place:
    half_width, half = half_size(mark)
    y = mark.y + 2 * half * INSIDES[mark.name]
    if mark.name in ("sandbox", "tent"):  # the foot of the piece is in it
        y = mark.y + (0.3 if mark.name == "sandbox" else 0.8) * half - half_size(obj)[1]
    x = mark.x + between(rng, -0.3, 0.3) * half_width
    return Place(x, min(max(y, 0.05), 0.95), IN(rng, _words(mark, speaker)))


def _behind(obj, mark, marks, rng, speaker, look_at) -> Place:
    """It is painted before what is nearer, and its foot is higher up."""
    depth = str(min(max(int(mark.depth) + 1, int(obj.depth)), 2))
    obj = replace(obj, depth=float(depth), look={**obj.look, "depth": depth})
    x = mark.x + between(rng, 0.02, 0.06) * pick(rng, (-1, 1))
    y = mark.y + half_size(mark)[1] - half_size(obj)[1] - between(rng, 0.03, 0.06)
    if obj.name in SKY or mark.name in SKY or mark.name in CLOTHES:
        y = mark.y - between(rng, 0.01, 0.05)
    y = min(max(y, 0.03), 0.93 - half_size(obj)[1] if is_grounded(obj.name) else 0.93)
    return Place(x, max(y, 0.02), BEHIND(rng, _words(mark, speaker)), depth=depth)


def _front(obj, mark, marks, rng, speaker, look_at) -> Place:
    depth = str(max(min(int(mark.depth), int(obj.depth)), 0))
    obj = replace(obj, depth=float(depth), look={**obj.look, "depth": depth})
    x = mark.x + between(rng, 0.0, 0.04) * pick(rng, (-1, 1))
    y = mark.y + half_size(mark)[1] - half_size(obj)[1] + between(rng, 0.03, 0.06)
    if obj.name in SKY or mark.name in SKY or mark.name in CLOTHES:
        y = mark.y + between(rng, 0.02, 0.05)
    words = _words(mark, speaker)
    if mark.name in FACING_FORWARD and is_grounded(obj.name) and rng.random() < 0.4:  # before its face
        ahead = 1 if side_of(mark) == "right" else -1
        return Place(
            mark.x + ahead * _apart(obj, mark), _level(obj, mark, rng, True), FRONT(rng, words), depth=depth
        )
    return Place(x, min(y, 0.96), FRONT(rng, words), depth=depth)


FACING_FORWARD = (*PEOPLE, "dog", "snake", "duck")
"""Pieces drawn from the side: what is in front of them may be where they look."""


def _between(obj, mark, marks, rng, speaker, look_at) -> Place | None:
    others = [other for other in marks if abs(other.x - mark.x) > 0.25]
    if not others:
        return None
    other = pick(rng, others)
    y = (mark.y + other.y) / 2
    if is_grounded(obj.name) and is_grounded(mark.name) and is_grounded(other.name):
        y = (_level(obj, mark, rng, True) + _level(obj, other, rng, True)) / 2
    look_at(other)
    words = {"x": speaker.the(mark, 0.2), "y": Speaker(rng, speaker.scene, ()).the(other, 0.0)}
    return Place((mark.x + other.x) / 2, y, BETWEEN(rng, words))


def _far(obj, mark, marks, rng, speaker, look_at) -> Place | None:
    if abs(mark.x - 0.5) < 0.15:
        return None
    x = between(rng, 0.08, 0.2)
    text = (FAR if rng.random() < 0.5 else OTHER_SIDE)(rng, _words(mark, speaker))
    return Place(1 - x if mark.x < 0.5 else x, usual_height(obj, rng), text, says_height=False)


def _head(obj, mark, marks, rng, speaker, look_at) -> Place:
    """On the head of an animal."""
    ahead = 1 if side_of(mark) == "right" else -1
    x = mark.x + ahead * WEARERS[mark.name] * half_size(mark)[0]
    y = mark.y - half_size(mark)[1] - 0.3 * half_size(obj)[1]
    return Place(x, max(y, 0.02), ON_HEAD(rng, _words(mark, speaker)))


WEARERS = {"bear": 0.1, "cat": 0.2, "dog": 0.6, "duck": 0.4, "owl": 0.0, "snake": 0.6}
"""Animals that may wear hats, and how far before their middle the head is, as a share of half the width."""
_BY_KIND = {
    "head": _head,
    "left": _side("left"),
    "right": _side("right"),
    "near": _near,
    "above": _above,
    "under": _under,
    "on": _on,
    "in": _in,
    "behind": _behind,
    "front": _front,
    "between": _between,
    "far": _far,
}


def by_person(obj: SceneObject, person: SceneObject, rng: np.random.Generator, speaker: Speaker) -> Place:
    """On the head, over the eyes, in the hand or at the feet of a person; worn and held things have the
    person's size."""
    words, depth = _words(person, speaker), person.look["depth"]
    if obj.name in HATS or obj.name in EYES:
        x, y = on_head(obj.name, person)
        return Place(_clip(x), _clip(y), (ON_HEAD if obj.name in HATS else ON_EYES)(rng, words), depth=depth)
    if rng.random() < 0.72:
        return hand_of(obj, person, rng, words)
    x, y = at_point(person, FEET[person.name][int(person.look["pose"])])
    half = half_size(obj)
    ahead = 1 if side_of(person) == "right" else -1
    y = min(y + 0.02 - half[1] * 0.7, 0.97)
    return Place(_clip(x + ahead * (half[0] + 0.02)), y, AT_FEET(rng, words))


def hand_of(
    obj: SceneObject,
    person: SceneObject,
    rng: np.random.Generator,
    words: dict[str, str],
    sides: bool = True,
) -> Place:
    """In a hand of a person; where there are two, left and right are those of the picture."""
    hands = [at_point(person, hand) for hand in HANDS[person.name][int(person.look["pose"])]]
    depth = person.look["depth"]
    (x, y), text = hands[0], ""
    if sides and len(hands) == 2 and rng.random() < 0.25:
        x, y = pick(rng, hands)
        text = IN_SIDE_HAND["left" if x == min(hands)[0] else "right"](rng, words)
    return Place(_clip(x), _clip(y), text or IN_HAND(rng, words), depth=depth)


def _clip(value: float) -> float:
    return min(max(value, 0.01), 0.99)


def moved_by(obj: SceneObject, mark: SceneObject, rng: np.random.Generator, speaker: Speaker) -> Place | None:
    """A place nearer to something, further from it or on its other side; None if there is none."""
    dx, dy, chance = mark.x - obj.x, mark.y - obj.y, rng.random()
    words = {"x": speaker.the(mark, 0.0)}
    if chance < 0.2:
        if abs(dx) < 0.06:
            return None
        apart = max(abs(dx), _apart(obj, mark)) if abs(dx) < 0.35 else _apart(obj, mark)
        return inside(Place(mark.x + (apart if dx > 0 else -apart), obj.y, ACROSS(rng, words)))
    if abs(dx) < 0.2:
        if chance < 0.8 or abs(dx) < 0.05:
            return None
        return inside(Place(obj.x - (0.15 if dx > 0 else -0.15), obj.y, AWAY(rng, words)))
    if chance < 0.75:
        return inside(Place(obj.x + 0.5 * dx, obj.y + 0.25 * dy, CLOSER(rng, words)))
    return inside(Place(obj.x - (0.15 if dx > 0 else -0.15), obj.y, AWAY(rng, words)))
