"""A request about a scene of clip art while it is being written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from cdd_icm.data.codraw_painter import CODRAW_CLASSES
from cdd_icm.data.dialog import SceneObject
from cdd_icm.plan.pieces.clip_art.mentions import ALL, BOTH, Speaker
from cdd_icm.plan.pieces.clip_art.names import MANY
from cdd_icm.plan.pieces.clip_art.places import Place
from cdd_icm.plan.pieces.clip_art.removing_words import (
    EVERYTHING,
)
from cdd_icm.plan.pieces.clip_art.shapes import FACING, PEOPLE, faced, usual_depth
from cdd_icm.plan.shared.speech.grammar import pick

_FACES, _POSES = "0112222234", "0011234566"
"""Faces and poses of people of whom nothing is said, as often as they are drawn."""


@dataclass
class Draft:
    """The scene as it is after what has been said so far."""

    rng: np.random.Generator
    before: tuple[SceneObject, ...]
    touched: tuple[str, ...]
    after: list[SceneObject]
    used: set[str] = field(default_factory=set)
    """Classes of which the request has spoken already."""
    last: str | None = None
    """The one piece that the clause before drew, which "it" may mean next."""

    @property
    def speaker(self) -> Speaker:
        """Points at what is in the picture. After the first clause "it" could be something else."""
        return Speaker(self.rng, self.after, () if self.used else self.touched)

    @property
    def plain(self) -> Speaker:
        """Points at what is in the picture without "it"."""
        return Speaker(self.rng, self.after, ())

    def some(self, fits: Callable[[SceneObject], bool] = lambda obj: True) -> SceneObject | None:
        """A piece of the picture of which nothing has been said yet; one that was just drawn more often."""
        options = [obj for obj in self.after if obj.name not in self.used and fits(obj)]
        recent = [obj for obj in options if obj.name in self.touched]
        if not options:
            return None
        return pick(self.rng, recent if recent and self.rng.random() < 0.4 else options)

    def subject(
        self, fits: Callable[[SceneObject], bool] = lambda obj: True, pronoun: float = 0.3
    ) -> tuple[SceneObject, str] | None:
        """A piece to change and words for it: what the clause before drew, as "it", or another."""
        if self.last is not None and self.rng.random() < 0.6:
            obj = next((obj for obj in self.after if obj.name == self.last), None)
            if obj is not None and fits(obj):
                return obj, self.plain.it(obj)
        obj = self.some(fits)
        return None if obj is None else (obj, self.speaker.the(obj, pronoun))

    def several(
        self, fits: Callable[[SceneObject], bool] = lambda obj: True
    ) -> tuple[list[SceneObject], str] | None:
        """Two pieces or more, and words for them: "both", "all the trees", "the dog and the cat"."""
        rng, chance = self.rng, self.rng.random()
        if self.used:
            here, chance = [obj for obj in self.after if obj.name not in self.used], 0.3 + 0.7 * chance
        else:
            here = self.after
        if chance < 0.3:
            last = [obj for obj in here if obj.name in self.touched]
            if len(last) < 2 or not all(map(fits, last)):
                return None
            return last, pick(rng, BOTH if len(last) == 2 else ALL)
        if chance < 0.42:
            return (
                (here, EVERYTHING(rng)) if len(here) > 2 and not self.used and all(map(fits, here)) else None
            )
        if chance < 0.72:
            groups = [
                (word, [obj for obj in self.after if obj.name in members]) for word, members in MANY.items()
            ]
            groups = [
                (word, many)
                for word, many in groups
                if len(many) > 1 and all(map(fits, many)) and not self.used & {obj.name for obj in many}
            ]
            if not groups:
                return None
            word, many = pick(rng, groups)
            if word in ("two kids", "boy and girl"):
                return many, f"the {word}"
            ways = [f"the {word}", f"the {word}", f"all the {word}", f"all {word}", f"all of the {word}"]
            ways += [f"both {word}", f"the two {word}", f"both the {word}"] if len(many) == 2 else []
            if word in ("kids", "people", "children"):
                ways += ["everyone", "everybody", "both of the kids", "both the boy and the girl"]
            return many, pick(rng, ways)
        options = [obj for obj in here if fits(obj)]
        if len(options) < 2:
            return None
        count = 3 if len(options) > 2 and rng.random() < 0.2 else 2
        many = [options[i] for i in rng.permutation(len(options))[:count]]
        return many, self.listing(many)

    def listing(self, many: Sequence[SceneObject]) -> str:
        """Several pieces, named one by one."""
        *most, last = (self.plain.named(obj) for obj in many)
        joint = pick(self.rng, (" and ", " and ", " and ", ", ", " & ", " and also ", " plus "))
        return f"{', '.join(most)}{joint}{last}"

    def free(self) -> list[str]:
        """Classes that neither the picture has nor the request has spoken of."""
        taken = {obj.name for obj in (*self.before, *self.after)} | self.used
        return [name for name in CODRAW_CLASSES if name not in taken]

    def speak_of(self, obj: SceneObject) -> None:
        """A place was told by the piece, which later words had better leave as it is."""
        self.used.add(obj.name)

    def draw(self, obj: SceneObject) -> None:
        """Adds a piece."""
        self.after.append(obj)
        self.used.add(obj.name)
        self.last = obj.name

    def change(self, obj: SceneObject, new: SceneObject | None) -> None:
        """Replaces or removes a piece."""
        i = next(i for i, old in enumerate(self.after) if old.name == obj.name)
        self.after[i : i + 1] = [] if new is None else [new]
        self.used.add(obj.name)
        self.last = None if new is None else new.name

    def trim(self, many: Sequence[SceneObject], change: Callable[[SceneObject], SceneObject | None]) -> None:
        """Changes or removes several pieces."""
        for obj in many:
            self.change(obj, change(obj))
        self.last = None


def new_piece(name: str, rng: np.random.Generator, depth: str | None = None) -> SceneObject:
    """A piece that looks as such ones often do, in the middle of the picture."""
    depth = depth or usual_depth(name, rng)
    look = {"depth": depth, "flip": pick(rng, "01")}
    if name in PEOPLE:
        look |= {"pose": pick(rng, _POSES), "face": pick(rng, _FACES)}
    return SceneObject(name, 0.5, 0.5, float(depth), look)


def put(obj: SceneObject, place: Place, keep_size: bool) -> SceneObject:
    """The piece at a place, and in the size that it has there unless that was said."""
    look = obj.look
    if place.depth is not None and not keep_size:
        look = {**look, "depth": place.depth}
    return replace(obj, x=place.x, y=place.y, depth=float(look["depth"]), look=look)


def turned_inward(obj: SceneObject, rng: np.random.Generator) -> SceneObject:
    """The piece, facing the middle of the picture more often than not if it is at a side."""
    if obj.name in FACING and abs(obj.x - 0.5) > 0.15 and rng.random() < 0.8:
        return faced(obj, "right" if obj.x < 0.5 else "left")
    return obj
