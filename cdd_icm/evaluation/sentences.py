"""Sentences in plain speech, each with the change that it asks for, and the judge of what a model drew.

A file holds one JSON object a line; `sides` and `at` may be left out:

    {"kind": "several", "before": ["Add a blue cube at the center"],
     "sentence": "a red ball on its left, please",
     "expect": [{"change": "add", "classes": ["red sphere"], "sides": [{"side": "left", "of": "blue cube"}]}]}

`before` are the instructions of the dialog so far; `expect` are all the changes that `sentence` asks for:

- "add": one of the classes, and only one, is new;
- "remove": the class is gone;
- "move": the class is still there, at a distance of at least `STILL` from its place before;
- "none", alone: the picture is the same to the pixel.

`sides` and `at` tell where the object is afterwards: beside other objects, and in which part of the picture.
All else must be as it was: no other class is new or gone, and none is farther than `STILL` from its place.

Coordinates are fractions of the picture's side, x from the left and y from the top. A is left of B where its
x is smaller and behind B where its y is smaller; right of and in front of it are the opposites; A is near B
where their distance is below `NEAR`. The parts of the picture are those of `PARTS`. (In i-CLEVR the first
object of a dialog is at y = 0.43.)

A case is unusable, and counts neither as right nor as wrong, where the earlier instructions did not lead to
the picture that the sentence is about: an object that is named as existing is absent, one that shall be added
is there already, or one that shall be moved is already where it shall go.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import dist, inf
from pathlib import Path
from typing import Literal

from cdd_icm.config.values import from_dict
from cdd_icm.errors import InputError
from cdd_icm.evaluation.detector import Detections
from cdd_icm.io import parse_json
from cdd_icm.text import read_lines

STILL = 0.05
"""An object within this distance of its place is still there; one that shall move has to go as far."""

NEAR = 0.4
"""Largest distance between the centres of two objects that are near each other: in CoDraw's validation split,
nine in ten of the objects that a teller places "next to" another are within it."""

PARTS: Mapping[str, tuple[int, float, float]] = {
    "left": (0, -inf, 0.45),
    "middle": (0, 0.3, 0.7),
    "right": (0, 0.55, inf),
    "top": (1, -inf, 0.4),
    "bottom": (1, 0.6, inf),
    "back": (1, -inf, 0.4),
    "front": (1, 0.5, inf),
}
"""By part of the picture, the axis (0: x, 1: y), and the least and the greatest coordinate on it."""

Part = Literal["left", "middle", "right", "top", "bottom", "back", "front"]

Outcome = Literal["right", "wrong", "unusable"]

Scene = Mapping[str, Sequence[float]]
"""By class that is in a picture, where it is: (x, y), or (x, y, depth)."""


@dataclass(frozen=True)
class Side:
    """Where an object is, seen from another one, which is `of` a class."""

    side: Literal["left", "right", "front", "behind", "near"]
    of: str

    def holds(self, name: str, scene: Scene) -> bool:
        """Whether the object of class `name` is there; both are in the scene."""
        (x, y), (other_x, other_y) = scene[name][:2], scene[self.of][:2]
        match self.side:
            case "left":
                return x < other_x
            case "right":
                return x > other_x
            case "front":
                return y > other_y
            case "behind":
                return y < other_y
        return dist((x, y), (other_x, other_y)) < NEAR

    def __str__(self) -> str:
        return {
            "left": f"left of the {self.of}",
            "right": f"right of the {self.of}",
            "front": f"in front of the {self.of}",
            "behind": f"behind the {self.of}",
            "near": f"near the {self.of}",
        }[self.side]


@dataclass(frozen=True)
class Change:
    """One change that a sentence asks for; see the module."""

    change: Literal["add", "remove", "move", "none"]
    classes: tuple[str, ...] = ()
    sides: tuple[Side, ...] = ()
    at: tuple[Part, ...] = ()

    def misplaced(self, name: str, scene: Scene) -> list[str]:
        """What is wrong about the place of the object of class `name`, which is in the scene. Where another
        one, beside which it should be, is absent, that is no fault of its place."""
        faults = [
            f"the {name} is not {side}"
            for side in self.sides
            if side.of in scene and not side.holds(name, scene)
        ]
        for part in self.at:
            axis, low, high = PARTS[part]
            if not low <= scene[name][axis] <= high:
                faults.append(f"the {name} is not at the {part}")
        return faults


@dataclass(frozen=True)
class Sentence:
    """A line of a file of sentences; see the module."""

    kind: str
    before: tuple[str, ...]
    sentence: str
    expect: tuple[Change, ...]

    def of(self, change: str) -> list[Change]:
        return [each for each in self.expect if each.change == change]

    def classes(self) -> set[str]:
        """All classes that the expectation names."""
        return {name for each in self.expect for name in (*each.classes, *(side.of for side in each.sides))}


def read_sentences(file: Path) -> list[Sentence]:
    """All sentences of a JSONL file.

    Raises:
        InputError: the file can't be read, has no line, or a line is not of the form that the module tells.
    """
    sentences = [
        _sentence(parse_json(line, f"{file}:{number}"), f"{file}:{number}")
        for number, line in enumerate(read_lines(file), 1)
        if line.strip()
    ]
    if not sentences:
        raise InputError(f"{file}: no sentence here")
    return sentences


def _sentence(fields: object, where: str) -> Sentence:
    if not isinstance(fields, dict):
        raise InputError(f"{where}: {fields!r} is not a JSON object")
    sentence = from_dict(Sentence, fields, where)
    texts = {"kind": [sentence.kind], "before": sentence.before, "sentence": [sentence.sentence]}
    for name, text in ((name, text) for name, each in texts.items() for text in each):
        if not text.strip():
            raise InputError(f"{where}: {name}: {text!r} has no text")
    if not sentence.expect or (sentence.of("none") and len(sentence.expect) > 1):
        raise InputError(
            f"{where}: expect: has {len(sentence.expect)} entries, expected 'none' alone or changes"
        )
    seen: set[str] = set()
    for number, each in enumerate(sentence.expect):
        _check(each, f"{where}: expect[{number}]")
        if repeated := seen.intersection(each.classes):
            raise InputError(
                f"{where}: expect[{number}].classes: {min(repeated)!r} is in another change, too"
            )
        seen.update(each.classes)
    return sentence


def _check(each: Change, where: str) -> None:
    """Raises InputError where a change has fields that those of its kind don't have, or lacks one."""
    least, most = {"none": (0, 0), "add": (1, inf)}.get(each.change, (1, 1))
    if not least <= len(each.classes) <= most:
        wanted = {(0, 0): "none", (1, 1): "one"}.get((least, most), "at least one")
        raise InputError(f"{where}.classes: {[*each.classes]} with {each.change!r}, expected {wanted}")
    placed = bool(each.sides or each.at)
    if each.change in ("none", "remove") and placed:
        raise InputError(f"{where}: {each.change!r} with a place, which only 'add' and 'move' have")
    if each.change == "move" and not placed:
        raise InputError(f"{where}: 'move' without a place; give it sides or at")


def scenes(found: Detections, names: Sequence[str]) -> list[Scene]:
    """What a detector found in each picture; `names` are its classes, or what objects of these are called. Of
    two objects of one name the second class's counts."""
    return [
        {
            name: tuple(map(float, place))
            for name, there, place in zip(names, present, places, strict=True)
            if there
        }
        for present, places in zip(found.present, found.coordinates, strict=True)
    ]


def judge(sentence: Sentence, before: Scene, after: Scene, unchanged: bool) -> tuple[Outcome, str]:
    """Whether the sentence led from one scene to the other, and what is wrong where it did not.

    Args:
        before, after: what is in the picture that the sentence is said about, and in the one drawn.
        unchanged: whether the two are the same to the pixel.

    Returns:
        The outcome, and the reason of one that is not "right", else "".
    """
    if sentence.of("none"):
        return ("right", "") if unchanged else ("wrong", f"the picture has changed: {_seen(before, after)}")
    if reasons := _unusable(sentence, before):
        return "unusable", "; ".join(reasons)
    if unchanged:
        return "wrong", "the picture is unchanged"
    reasons = _faults(sentence, before, after)
    return ("wrong", "; ".join(reasons)) if reasons else ("right", "")


def _unusable(sentence: Sentence, before: Scene) -> list[str]:
    """Why the picture is not the one that the sentence is about."""
    added = {name for each in sentence.of("add") for name in each.classes}
    existing = sentence.classes() - added
    reasons = [f"there is no {name} before" for name in sorted(existing - before.keys())]
    for each in sentence.of("add"):
        if set(each.classes) <= before.keys():
            reasons.append(f"the {' and the '.join(each.classes)} is there before")
    for each in sentence.of("move"):
        (name,) = each.classes
        known = all(side.of in before for side in each.sides)
        placed = each.sides or each.at
        if placed and name in before and known and not each.misplaced(name, before):
            reasons.append(f"the {name} is before where it shall be moved to")
    return reasons


def _faults(sentence: Sentence, before: Scene, after: Scene) -> list[str]:
    """What differs from the changes that were asked for."""
    new, gone = after.keys() - before.keys(), before.keys() - after.keys()
    faults = []
    for each in sentence.of("add"):
        found = sorted(new.intersection(each.classes))
        if not found:
            faults.append(f"no new {' or '.join(each.classes)}")
        else:
            faults += each.misplaced(found[0], after)
            new = new - {found[0]}
    for each in sentence.of("remove"):
        (name,) = each.classes
        if name in after:
            faults.append(f"the {name} is still there")
        gone = gone - {name}
    for each in sentence.of("move"):
        (name,) = each.classes
        if name in after:
            if distance_moved(name, before, after) < STILL:
                faults.append(f"the {name} has not moved")
            faults += each.misplaced(name, after)
    faults += [f"the {name} is new, too" for name in sorted(new)]
    faults += [f"the {name} is gone" for name in sorted(gone)]
    named = {name for change in ("remove", "move") for each in sentence.of(change) for name in each.classes}
    return faults + [
        f"the {name} has moved"
        for name in sorted(before.keys() & after.keys() - named)
        if distance_moved(name, before, after) > STILL
    ]


def distance_moved(name: str, before: Scene, after: Scene) -> float:
    """How far an object that is in both scenes has moved, in sides of the picture."""
    return dist(before[name][:2], after[name][:2])


def _seen(before: Scene, after: Scene) -> str:
    """All changes that the detector sees."""
    seen = [f"the {name} is new" for name in sorted(after.keys() - before.keys())]
    seen += [f"the {name} is gone" for name in sorted(before.keys() - after.keys())]
    seen += [
        f"the {name} has moved"
        for name in sorted(before.keys() & after.keys())
        if distance_moved(name, before, after) > STILL
    ]
    return "; ".join(seen) or "in no object that the detector finds"
