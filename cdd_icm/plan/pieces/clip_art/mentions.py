"""How people point at pieces that are in the picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cdd_icm.data.codraw_painter import ANIMALS
from cdd_icm.data.dialog import SceneObject
from cdd_icm.plan.pieces.clip_art.names import BARE, GENERAL, NAMES, PHRASES, VAGUE, is_plural
from cdd_icm.plan.pieces.clip_art.shapes import PEOPLE, wears
from cdd_icm.plan.shared.speech.grammar import Grammar, listed, pick, weighted

_LAST = weighted(
    "the last one*2, the last thing, what you just drew*2, the thing you just added, the new one*2, "
    "that one, that thing, the one you just drew, this one, what you just added, the thing you just drew, "
    "the latest thing, the new thing, the last thing you drew, the last object, the last addition, "
    "the one you just added, the thing from before"
)
_PRONOUNS = {"boy": ("him", "his"), "girl": ("her", "her")}
NO_SUBJECT = frozenset(("him", "her", "them"))
"""Pronouns that are no subject: "it should go", but not "him should go"."""
_POSSESSIVES = ("'s",) * 20 + ("s", "")
_ARTICLES = weighted("the*30, that, this, your, my, the")
_SORTS = ("tree", "ball", "hat", "animal", "kid", "toy", "bird", "flying machine", "person", "child")
"""General words for which there may be several in a picture, told apart by where they are."""
_AT_SIDE = {
    side: Grammar(f"""
    the {{k}} (on the {side}|to the {side}|at the {side}|on the {side} side|on the {side}[-| ]hand side)*6
    the {side} {{k}}*4
    the {side}most {{k}}*2
    the {{k}} (furthest|farthest|most) (to the |on the |){side}
    the {{k}} that is on the {side}
    """)
    for side in ("left", "right")
}
_ANY_AT_SIDE = {
    side: Grammar(f"""
    the (thing|object|one|piece) (on the {side}|on the far {side}|to the {side}|at the {side})*4
    the {side}most (thing|object|one|piece)*2
    what[ever] is on the [far] {side}*2
    the thing [that's] furthest [to the] {side}
    the (thing|object) at the {side} (edge|side)
    """)
    for side in ("left", "right")
}
_ONE = tuple(
    text.format
    for text in (
        "the {} one",
        "the {} one",
        "the one on the {}",
        "the one to the {}",
        "the {}most one",
        "the one further {}",
    )
)
"""Of what the turn before drew."""
_OTHER = Grammar("the other {k}*6\nthe other {k}, not the one you just drew\nthe second {k}")
_BY_SIZE = {
    -1: Grammar("the (bigger|larger|big|biggest) {k}"),
    1: Grammar("the (smaller|small|little|smallest) {k}"),
}
APART = 0.1
"""Pieces are told apart by their sides if they are at least so far apart."""


@dataclass(frozen=True)
class Speaker:
    """Says which piece of a scene is meant.

    Attributes:
        touched: names of the pieces that the turn before drew and that are there.
    """

    rng: np.random.Generator
    scene: Sequence[SceneObject]
    touched: Sequence[str]

    def the(self, obj: SceneObject, pronoun: float = 0.3) -> str:
        """Words for a piece, as an object: "the dog", "it", "him"; `pronoun`: how likely such a short word
        is, where it can be."""
        rng = self.rng
        alone = tuple(self.touched) == (obj.name,)
        if pronoun:
            if alone and rng.random() < pronoun:
                return self.it(obj) if rng.random() < 0.78 else pick(rng, _LAST)
            if obj.name in PEOPLE and rng.random() < 0.4 * pronoun:
                return _PRONOUNS[obj.name][0]
            if len(self.scene) == 1 and rng.random() < 0.5 * pronoun:
                return self.it(obj)
        if len(self.scene) > 1 and rng.random() < 0.12:
            words = self._by_place(obj)
            if words:
                return words
        if rng.random() < 0.14:
            general = self.general(obj)
            if general:
                return f"the {pick(rng, general)}"
        return self.named(obj)

    def named(self, obj: SceneObject) -> str:
        """Words for a piece that name its class."""
        rng = self.rng
        words = pick(rng, NAMES[obj.name])
        if words in BARE or rng.random() < 0.07:
            return words
        article = "the" if is_plural(words) else pick(rng, _ARTICLES)
        return f"{article} {words.removeprefix('some ')}"

    def owner(self, obj: SceneObject) -> str:
        """The possessive of a person or an animal: "the boy's", "his"."""
        if obj.name in PEOPLE and self.rng.random() < 0.3:
            return _PRONOUNS[obj.name][1]
        words = self.named(obj) if self.rng.random() < 0.4 else f"the {obj.name}"
        ending = pick(self.rng, _POSSESSIVES)
        return f"{words}{ending}"

    def it(self, obj: SceneObject) -> str:
        """The pronoun of a piece."""
        if obj.name in _PRONOUNS:
            return _PRONOUNS[obj.name][0]
        if obj.name in ANIMALS and self.rng.random() < 0.15 and not any(o.name in PEOPLE for o in self.scene):
            return pick(self.rng, ("him", "him", "her"))
        if obj.name in ("glasses", "sunglasses", "balloons"):
            return "them"
        return pick(self.rng, ("it", "it", "it", "it", "it", "that", "this"))

    def general(self, obj: SceneObject) -> list[str]:
        """General words that mean this piece alone."""
        names = {other.name for other in self.scene}
        return [
            word
            for word, members in GENERAL.items()
            if obj.name in members
            and word not in PHRASES
            and word not in VAGUE
            and len(names & set(members)) == 1
        ]

    def _by_place(self, obj: SceneObject) -> str | None:
        """Words that tell a piece from others by where it is, how large it is or who wears it."""
        rng, others = self.rng, [other for other in self.scene if other.name != obj.name]
        for person in others:
            if person.name in PEOPLE and wears(person, obj):
                word = "hat" if obj.name in GENERAL["hat"] else pick(rng, NAMES[obj.name])
                return pick(
                    rng,
                    (
                        f"the {person.name}'s {word}",
                        f"{_PRONOUNS[person.name][1]} {word}",
                        f"the {word} on the {person.name}'s head",
                        f"the {word} on the {person.name}",
                    ),
                )
        recent = [other for other in others if other.name in self.touched]
        if recent and obj.name in self.touched and rng.random() < 0.4:
            side = _extreme(obj, recent)
            return pick(rng, _ONE)(side) if side else None
        if rng.random() < 0.3:
            side = _extreme(obj, others)
            return _ANY_AT_SIDE[side](rng) if side else None
        sorts = [word for word in _SORTS if obj.name in GENERAL[word]]
        if not sorts:
            return None
        word = pick(rng, sorts)
        alike = [other for other in others if other.name in GENERAL[word]]
        if not alike:
            return None
        recent = [other for other in alike if other.name in self.touched]
        if len(alike) == 1 and recent and obj.name not in self.touched:
            return _OTHER(rng, {"k": word})
        side = _extreme(obj, alike)
        if side and rng.random() < 0.75:
            return _AT_SIDE[side](rng, {"k": word})
        for sign, grammar in _BY_SIZE.items():
            if all(sign * (obj.depth - other.depth) > 0 for other in alike):
                return grammar(rng, {"k": word})
        return None


def _extreme(obj: SceneObject, others: Sequence[SceneObject]) -> str | None:
    """The side on which a piece is of all."""
    if all(obj.x < other.x - APART for other in others):
        return "left"
    return "right" if all(obj.x > other.x + APART for other in others) else None


BOTH = listed("them, them, both, both of them, those two, these two, the two of them, the two, them both")
ALL = listed("them, them, them all, all of them, these, those, the new ones, these things, the last ones")
