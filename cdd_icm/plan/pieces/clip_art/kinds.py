"""The kinds of edit of a scene of clip art, each with the clause that asks for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from cdd_icm.data.codraw_painter import CODRAW_CLASSES, SKY
from cdd_icm.data.dialog import SceneObject
from cdd_icm.plan.pieces.clip_art.mentions import Speaker
from cdd_icm.plan.pieces.clip_art.names import (
    DRAWN_LEFT,
    FACES,
    FACING,
    GENERAL,
    HATS,
    MANY,
    NAMES,
    PEOPLE,
    POSES,
    SIZES,
    with_article,
)
from cdd_icm.plan.pieces.clip_art.phrases import (
    CHANGE_FACE,
    CHANGE_POSE,
    EVERYTHING,
    FACE_SIDE,
    FACE_THING,
    GIVE,
    RESIZE,
    TERSE,
    TURN_AROUND,
)
from cdd_icm.plan.pieces.clip_art.places import (
    EYES,
    HELD,
    Place,
    anywhere,
    beside,
    by_person,
    closer,
    in_picture,
    shifted_place,
)
from cdd_icm.plan.shared.speech.additions import ADD_AT_DO, ADD_AT_SAY, ADD_DO, ADD_SAY
from cdd_icm.plan.shared.speech.alterations import BECOME_DO, BIGGER_DO, BIGGER_SAY, SMALLER_DO, SMALLER_SAY
from cdd_icm.plan.shared.speech.grammar import pick
from cdd_icm.plan.shared.speech.movements import (
    MOVE_DO,
    MOVE_SAY,
    REMOVE_DO,
    REMOVE_MANY_SAY,
    REMOVE_SAY,
    SWAP_DO,
    SWAP_SAY,
)
from cdd_icm.plan.shared.speech.requests import Clause

_TWO = ("them", "both", "both of them", "those two")
_ALL = ("them", "them all", "all of them")
APART = 0.06
"""Two pieces of a swap are at least so far apart."""


@dataclass
class Draft:
    """A request while it is being written: the scene as it is after what has been said so far."""

    rng: np.random.Generator
    before: tuple[SceneObject, ...]
    touched: tuple[str, ...]
    after: list[SceneObject]
    used: set[str] = field(default_factory=set)
    """Classes of which the request has spoken already."""

    @property
    def speaker(self) -> Speaker:
        """Points at what is in the picture. After the first clause "it" could be something else."""
        return Speaker(self.rng, self.after, () if self.used else self.touched)

    def say(self, obj: SceneObject) -> str:
        """Words for a piece beside which another is put."""
        return self.speaker.the(obj, 0.35)

    def some(self, fits: Callable[[SceneObject], bool] = lambda obj: True) -> SceneObject | None:
        """A piece of the picture of which nothing has been said yet; one that was just drawn more often."""
        options = [obj for obj in self.after if obj.name not in self.used and fits(obj)]
        recent = [obj for obj in options if obj.name in self.touched]
        if not options:
            return None
        return pick(self.rng, recent if recent and self.rng.random() < 0.4 else options)

    def free(self) -> list[str]:
        """Classes that neither the picture has nor the request has spoken of."""
        taken = {obj.name for obj in (*self.before, *self.after)} | self.used
        return [name for name in CODRAW_CLASSES if name not in taken]

    def change(self, obj: SceneObject, new: SceneObject | None) -> None:
        """Replaces or removes a piece."""
        i = next(i for i, old in enumerate(self.after) if old.name == obj.name)
        self.after[i : i + 1] = [] if new is None else [new]
        self.used.add(obj.name)


def _look(name: str, rng: np.random.Generator) -> dict[str, str]:
    look = {"depth": pick(rng, "01112"), "flip": pick(rng, "01")}
    if name in PEOPLE:
        look |= {"pose": pick(rng, "0123456"), "face": pick(rng, "01234")}
    return look


def _piece(name: str, place: Place, look: dict[str, str]) -> SceneObject:
    return SceneObject(name, place.x, place.y, float(look["depth"]), look)


def side_of(obj: SceneObject) -> str:
    """The side that a piece faces."""
    return "left" if (obj.look["flip"] == "1") != (obj.name in DRAWN_LEFT) else "right"


def _faced(obj: SceneObject, side: str) -> SceneObject:
    if side_of(obj) == side:
        return obj
    return replace(obj, look={**obj.look, "flip": "0" if obj.look["flip"] == "1" else "1"})


def _resized(obj: SceneObject, depth: str) -> SceneObject:
    return replace(obj, depth=float(depth), look={**obj.look, "depth": depth})


def add(draft: Draft) -> Clause | None:
    rng, free = draft.rng, draft.free()
    if not free:
        return None
    name, words = pick(rng, free), None
    if rng.random() < 0.16:  # a general word, for some member that is not there
        word = pick(rng, tuple(GENERAL))
        members = [member for member in GENERAL[word] if member in free]
        if not members or word in ("tree", "ball", "hat", "cloud") and len(members) < len(GENERAL[word]) / 2:
            return None
        name, words = pick(rng, members), word
    elif any(obj.name in PEOPLE for obj in draft.after) and rng.random() < 0.2:
        name = pick(rng, [n for n in free if n not in SKY])
    chance = rng.random()
    place = None
    if chance < 0.45:
        place = beside(name, draft.after, rng, draft.say)
    elif chance < 0.75:
        place = in_picture(name, rng)
    place = place or anywhere(name, rng)
    look = _look(name, rng)
    obj, size, tail = _piece(name, place, look), "", []
    noun = words or pick(rng, NAMES[name])
    if rng.random() < 0.25 and noun[:3] not in ("som", "big", "lit"):
        size = pick(rng, SIZES[look["depth"]])
    if name in PEOPLE and words is None and rng.random() < 0.5:
        if rng.random() < 0.6:
            size = f"{size} {pick(rng, FACES[look['face']])}".strip()
        if rng.random() < 0.5:
            pose = pick(rng, "0123456")
            obj = replace(obj, look={**look, "pose": pose})
            tail.append(pick(rng, POSES[pose]))
    if name in FACING and rng.random() < 0.2:
        tail.append(FACE_SIDE(rng, {"d": side_of(obj)}))
    noun = noun.strip()
    if words is not None and words.split()[0] in ("something", "some"):
        size = ""
    phrase = f"{size} {noun}".strip()
    if noun in ("Mike", "Jenny"):
        phrase = noun if not size else f"{size} {noun}"
    article = pick(rng, ("a", "a", "a", "a", "a", "a", "the", "one", ""))
    if article == "one":
        countable = phrase == noun and len(noun) > 4 and noun not in GENERAL
        phrase = f"one {phrase}" if countable else with_article(phrase, "a")
    elif noun in ("Mike", "Jenny"):
        pass
    else:
        phrase = with_article(phrase, article)
    if tail:
        phrase = f"{phrase} {pick(rng, (' and ', ' ', ', ')).join(tail)}".replace("  ", " ")
    draft.after.append(obj)
    draft.used.add(name)
    slots = {"n": phrase, "p": place.text}
    if place.text:
        if rng.random() < 0.2:
            return Clause(TERSE, TERSE, slots)
        return Clause(ADD_AT_DO, ADD_AT_SAY, slots)
    return Clause(ADD_DO, ADD_SAY, slots)


def give(draft: Draft) -> Clause | None:
    """Something for a person: "give the boy a hat"."""
    person = draft.some(lambda obj: obj.name in PEOPLE)
    if person is None:
        return None
    rng, free = draft.rng, draft.free()
    options = [name for name in free if name in HATS or name in EYES or name in HELD]
    if not options:
        return None
    name, words = pick(rng, options), None
    if rng.random() < 0.3:
        word = pick(rng, ("hat", "ball", "something to eat", "toy", "snack"))
        members = [member for member in GENERAL[word] if member in options]
        if members:
            name, words = pick(rng, members), word
    place = by_person(name, person, rng, str)
    draft.after.append(_piece(name, place, _look(name, rng)))
    slots = {"x": draft.speaker.the(person), "n": with_article(words or pick(rng, NAMES[name]), "a")}
    draft.used |= {name, person.name}
    return Clause(GIVE, None, slots)


def remove(draft: Draft) -> Clause | None:
    rng = draft.rng
    obj = draft.some()
    if obj is None:
        return None
    words = draft.speaker.the(obj, 0.35)
    noun = pick(rng, NAMES[obj.name])
    draft.change(obj, None)
    say = REMOVE_SAY if words not in ("it", "him", "her", "them") else None
    return Clause(REMOVE_DO, say, {"x": words, "k": noun})


def remove_many(draft: Draft) -> Clause | None:
    rng, after = draft.rng, draft.after
    chance = rng.random()
    here = [obj.name for obj in after]
    last = [name for name in draft.touched if name in here]
    if chance < 0.2 and len(after) > 1 and not draft.used:
        gone, words = here, EVERYTHING(rng)
        clause = Clause(REMOVE_DO, None, {"x": words})
    elif chance < 0.45 and len(last) > 1 and not draft.used:
        gone = last
        words = pick(rng, ("them", "these", "those", *(_TWO if len(last) == 2 else _ALL)))
        clause = Clause(REMOVE_DO, None, {"x": words})
    else:
        groups = [(word, [n for n in here if n in members]) for word, members in MANY.items()]
        groups = [(word, gone) for word, gone in groups if len(gone) > 1]
        if groups and chance < 0.75:
            word, gone = pick(rng, groups)
            ways = [f"the {word}", f"all the {word}", f"all {word}", f"all of the {word}"]
            ways += [f"both {word}", f"the two {word}"] if len(gone) == 2 else []
            words = pick(rng, ways)
            clause = Clause(REMOVE_DO, REMOVE_MANY_SAY, {"x": words, "k": word})
        else:
            one, other = draft.some(), draft.some()
            if one is None or one.name == other.name:
                return None
            gone = [one.name, other.name]
            plain = Speaker(rng, after, ())
            words = f"{plain.the(one)} and {plain.the(other)}"
            clause = Clause(REMOVE_DO, None, {"x": words})
    draft.after[:] = [obj for obj in after if obj.name not in gone]
    draft.used.update(gone)
    return clause


def move(draft: Draft) -> Clause | None:
    obj = draft.some()
    if obj is None:
        return None
    rng, chance = draft.rng, draft.rng.random()
    others = [other for other in draft.after if other.name != obj.name]
    words = draft.speaker.the(obj)
    plain = Speaker(rng, draft.after, ())

    def say(mark: SceneObject) -> str:
        return plain.the(mark)

    if chance < 0.4:
        place = shifted_place(obj, rng)
    elif chance < 0.7:
        place = in_picture(obj.name, rng)
        if not place.says_height:
            place = replace(place, y=obj.y)
    elif chance < 0.9:
        place = beside(obj.name, others, rng, say)
    else:
        place = closer(obj, pick(rng, others), rng, say) if others else None
    if place is None or not place.text or max(abs(place.x - obj.x), abs(place.y - obj.y)) < APART:
        return None
    draft.change(obj, replace(obj, x=place.x, y=place.y))
    return Clause(MOVE_DO, MOVE_SAY, {"x": words, "p": place.text, "i": draft_it(words)})


def draft_it(words: str) -> str:
    """A pronoun for what was just named."""
    return words if words in ("him", "her", "them") else "it"


def swap(draft: Draft) -> Clause | None:
    one, other = draft.some(), draft.some()
    if one is None or one.name == other.name or abs(one.x - other.x) + abs(one.y - other.y) < 2 * APART:
        return None
    plain = Speaker(draft.rng, draft.after, ())
    slots = {"x": plain.the(one), "y": plain.the(other)}
    draft.change(one, replace(one, x=other.x, y=other.y))
    draft.change(other, replace(other, x=one.x, y=one.y))
    return Clause(SWAP_DO, SWAP_SAY, slots)


def resize(draft: Draft) -> Clause | None:
    obj = draft.some()
    if obj is None:
        return None
    rng, depth = draft.rng, int(obj.look["depth"])
    words = draft.speaker.the(obj)
    if rng.random() < 0.3:
        new = pick(rng, [d for d in "012" if d != str(depth)])
        draft.change(obj, _resized(obj, new))
        return Clause(RESIZE, None, {"x": words, "s": pick(rng, SIZES[new])})
    bigger = rng.random() < 0.5
    if not 0 <= depth + (-1 if bigger else 1) <= 2:
        return None
    draft.change(obj, _resized(obj, str(depth + (-1 if bigger else 1))))
    do, say = (BIGGER_DO, BIGGER_SAY) if bigger else (SMALLER_DO, SMALLER_SAY)
    return Clause(do, say, {"x": words})


def turn(draft: Draft) -> Clause | None:
    obj = draft.some(lambda obj: obj.name in FACING or obj.name in ("kite", "oak tree"))
    if obj is None:
        return None
    rng = draft.rng
    words = draft.speaker.the(obj)
    other = "left" if side_of(obj) == "right" else "right"
    ahead = -1 if other == "left" else 1
    marks = [mark for mark in draft.after if mark.name != obj.name and ahead * (mark.x - obj.x) > 0.1]
    draft.change(obj, _faced(obj, other))
    if marks and obj.name in FACING and rng.random() < 0.25:
        return Clause(
            FACE_THING, None, {"x": words, "y": Speaker(rng, draft.after, ()).the(pick(rng, marks))}
        )
    if obj.name in FACING and rng.random() < 0.55:
        return Clause(TURN_AROUND["side"], TURN_AROUND["side say"], {"x": words, "d": other})
    return Clause(TURN_AROUND["around"], None, {"x": words})


def mood(draft: Draft) -> Clause | None:
    obj = draft.some(lambda obj: obj.name in PEOPLE)
    if obj is None:
        return None
    rng, words = draft.rng, draft.speaker.the(obj, 0.5)
    if rng.random() < 0.55:
        face = pick(rng, [f for f in FACES if f != obj.look["face"]])
        draft.change(obj, replace(obj, look={**obj.look, "face": face}))
        return Clause(CHANGE_FACE[face], None, {"x": words, "f": pick(rng, FACES[face])})
    pose = pick(rng, [p for p in POSES if p != obj.look["pose"]])
    if {pose, obj.look["pose"]} == {"4", "5"}:
        return None
    draft.change(obj, replace(obj, look={**obj.look, "pose": pose}))
    return Clause(CHANGE_POSE[pose], None, {"x": words, "f": pick(rng, POSES[pose])})


def replaced(draft: Draft) -> Clause | None:
    obj, free, rng = draft.some(), draft.free(), draft.rng
    if obj is None or not free:
        return None
    group = [members for members in GENERAL.values() if obj.name in members and len(members) > 1]
    alike = [name for name in pick(rng, group) if name in free] if group else []
    name = pick(rng, alike) if alike and rng.random() < 0.6 else pick(rng, free)
    look = _look(name, rng) | {"depth": obj.look["depth"], "flip": obj.look["flip"]}
    words, article = draft.speaker.the(obj), "a" if rng.random() < 0.9 else "the"
    if words in ("him", "her"):
        return None
    draft.change(obj, replace(obj, name=name, look=look))
    draft.used.add(name)
    return Clause(BECOME_DO, None, {"x": words, "t": with_article(pick(rng, NAMES[name]), article)})


KINDS = (
    (add, 0.36),
    (give, 0.05),
    (remove, 0.17),
    (remove_many, 0.05),
    (move, 0.14),
    (swap, 0.015),
    (resize, 0.055),
    (turn, 0.045),
    (mood, 0.055),
    (replaced, 0.06),
)
"""The kinds of edit, and their shares."""
