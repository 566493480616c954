"""How people point at pieces that are in the picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cdd_icm.data.dialog import SceneObject
from cdd_icm.plan.pieces.clip_art.names import GENERAL, NAMES, PHRASES, PLURAL
from cdd_icm.plan.shared.speech.grammar import pick, weighted

_LAST = weighted(
    "the last one*2, the last thing, what you just drew*2, the thing you just added, the new one*2, "
    "that one, that thing, the one you just drew, this one"
)
_PRONOUNS = {"boy": ("him", "he", "his"), "girl": ("her", "she", "her")}


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
        """Words for a piece, as an object: "the dog", "it", "him"."""
        rng = self.rng
        if tuple(self.touched) == (obj.name,) and rng.random() < pronoun:
            return self.it(obj) if rng.random() < 0.75 else pick(rng, _LAST)
        if obj.name in _PRONOUNS and obj.name in self.touched and rng.random() < 0.5 * pronoun:
            return self.it(obj)
        general = self.general(obj)
        if general and rng.random() < 0.25:
            return f"the {pick(rng, general)}"
        words = pick(rng, NAMES[obj.name])
        if words in ("Mike", "Jenny"):
            return words
        chance = rng.random()
        if chance < 0.08:
            return words
        article = "the" if chance < 0.94 else pick(rng, ("that", "this", "your", "my"))
        return f"the {words}" if obj.name in PLURAL or words.startswith("some ") else f"{article} {words}"

    def it(self, obj: SceneObject) -> str:
        """The pronoun of a piece."""
        if obj.name in _PRONOUNS:
            return _PRONOUNS[obj.name][0]
        return "them" if obj.name in PLURAL else pick(self.rng, ("it", "it", "it", "it", "that", "this"))

    def general(self, obj: SceneObject) -> list[str]:
        """General words that mean this piece alone."""
        names = {other.name for other in self.scene}
        return [
            word
            for word, members in GENERAL.items()
            if obj.name in members and word not in PHRASES and len(names & set(members)) == 1
        ]
