"""Edits that give something to people: hats, glasses, and what they hold."""

from __future__ import annotations

from dataclasses import replace

from cdd_icm.data.codraw_painter import CLOTHES
from cdd_icm.plan.pieces.clip_art.adding_words import (
    DRESS,
    GIVE,
    GIVE_BOTH,
    GIVE_HELD,
    GIVE_SAY,
    GIVE_WORN,
    HAND_OVER,
    HAND_OVER_WORN,
    HE_GETS,
    HE_HOLDS,
    HE_WEARS,
    HELD_SAY,
    SIT_ON,
    SIT_ON_SAY,
    WORN_SAY,
)
from cdd_icm.plan.pieces.clip_art.draft import Draft, new_piece, put
from cdd_icm.plan.pieces.clip_art.mentions import NO_SUBJECT
from cdd_icm.plan.pieces.clip_art.names import GENERAL, NAMES, PHRASES, with_article
from cdd_icm.plan.pieces.clip_art.places import Place
from cdd_icm.plan.pieces.clip_art.relations import by_person, hand_of, seat
from cdd_icm.plan.pieces.clip_art.shapes import HATS, HELD, PEOPLE, SITTING, wears
from cdd_icm.plan.shared.speech.grammar import pick
from cdd_icm.plan.shared.speech.requests import Clause


def give(draft: Draft) -> Clause | None:
    """Something for a person: "give the boy a hat"."""
    found = draft.subject(lambda obj: obj.name in PEOPLE, 0.6)
    if found is None:
        return None
    rng = draft.rng
    person, words = found
    worn = [
        name
        for name in draft.free()
        if name in CLOTHES
        and not any((o.name in HATS) == (name in HATS) and wears(person, o) for o in draft.after)
    ]
    held = [name for name in draft.free() if name in HELD]
    options = worn if worn and rng.random() < 0.55 else held
    if not options:
        return None
    name = pick(rng, options)
    noun = pick(rng, NAMES[name])
    if rng.random() < 0.25:
        word = pick(
            rng, ("hat", "ball", "something to eat", "toy", "snack", "something to play with", "some food")
        )
        members = [member for member in GENERAL[word] if member in options]
        if len(members) == len(GENERAL[word]) or members and word in PHRASES:
            name, noun = pick(rng, members), word
    obj, place = new_piece(name, rng), None
    if name in CLOTHES:
        place = by_person(obj, person, rng, draft.plain)
    else:
        place = hand_of(obj, person, rng, {"x": "", "o": ""})
        x, y = place.x, place.y
        place = Place(x, y, "", depth=person.look["depth"])
    draft.draw(put(obj, place, False))
    draft.speak_of(person)
    draft.last = None
    own = (GIVE_WORN, WORN_SAY) if name in CLOTHES else (GIVE_HELD, HELD_SAY)
    do, say = (GIVE, GIVE_SAY) if rng.random() < 0.55 else own
    if words in NO_SUBJECT or words == "it":
        subject = {"boy": "he", "girl": "she"}[person.name]
        if rng.random() < 0.3:
            say = {GIVE_SAY: HE_GETS, WORN_SAY: HE_WEARS, HELD_SAY: HE_HOLDS}[say]
            return Clause(say, say, {"x": subject, "n": with_article(noun, "a", rng)})
        say = None
    return Clause(do, say, {"x": words, "n": with_article(noun, "a", rng)})


_PARTS = {
    **dict.fromkeys(("wizard", "witch", "magician"), "wizard hat"),
    **dict.fromkeys(("chef", "cook", "baker"), "chef hat"),
    **dict.fromkeys(("king", "queen"), "crown"),
    "pirate": "pirate hat",
    "viking": "viking hat",
    "baseball player": "baseball cap",
}
"""Whom a hat makes of a person."""


def dress(draft: Draft) -> Clause | None:
    """A hat by the part that it makes a person play: "dress the boy as a pirate"."""
    found = draft.subject(lambda obj: obj.name in PEOPLE, 0.6)
    if found is None:
        return None
    rng, (person, words) = draft.rng, found
    part = pick(rng, tuple(_PARTS))
    wrong = part in {"boy": ("queen", "witch"), "girl": ("king",)}[person.name]
    covered = any(o.name in HATS and wears(person, o) for o in draft.after)
    if _PARTS[part] not in draft.free() or wrong or covered:
        return None
    hat = new_piece(_PARTS[part], rng)
    draft.draw(put(hat, by_person(hat, person, rng, draft.plain), False))
    draft.speak_of(person)
    draft.last = None
    return Clause(DRESS, None, {"x": words, "n": with_article(part, "a", rng)})


def give_both(draft: Draft) -> Clause | None:
    """A hat for each of two people."""
    rng = draft.rng
    people = [obj for obj in draft.after if obj.name in PEOPLE and obj.name not in draft.used]
    free = [name for name in draft.free() if name in HATS]
    if len(people) < 2 or len(free) < 2 or any(o.name in HATS for o in draft.after):
        return None
    for person, i in zip(people, rng.permutation(len(free))[:2], strict=True):
        hat = new_piece(free[i], rng)
        draft.draw(put(hat, by_person(hat, person, rng, draft.plain), False))
        draft.speak_of(person)
    draft.last = None
    return Clause(GIVE_BOTH, None, {})


def hand_over(draft: Draft) -> Clause | None:
    """A piece that is there goes to a person: "give the ball to the girl"."""
    rng = draft.rng
    obj = draft.some(lambda obj: obj.name in CLOTHES or obj.name in HELD)
    person = draft.some(lambda person: person.name in PEOPLE and (obj is None or not wears(person, obj)))
    if obj is None or person is None:
        return None
    if obj.name in CLOTHES:
        place = by_person(obj, person, rng, draft.plain)
    else:
        place = hand_of(obj, person, rng, {"x": "", "o": ""}, sides=False)
    if max(abs(place.x - obj.x), abs(place.y - obj.y)) < 0.06:
        return None
    words, y = draft.speaker.the(obj), draft.plain.the(person, 0.4)
    draft.change(obj, replace(obj, x=place.x, y=place.y))
    draft.speak_of(person)
    grammar = HAND_OVER_WORN if obj.name in CLOTHES and rng.random() < 0.4 else HAND_OVER
    if words == "it" or y in NO_SUBJECT:
        return Clause(HAND_OVER, None, {"x": words, "y": y})
    return Clause(grammar, None, {"x": words, "y": y})


def sit_on(draft: Draft) -> Clause | None:
    """A person sits down on something or in it."""
    rng = draft.rng
    found = draft.subject(lambda obj: obj.name in PEOPLE, 0.6)
    seats = [mark for mark in draft.after if mark.name in SEATS and mark.name not in draft.used]
    if found is None or not seats:
        return None
    (person, words), mark = found, pick(rng, seats)
    pose = person.look["pose"] if person.look["pose"] in SITTING else "5"
    sitting = replace(person, look={**person.look, "pose": pose})
    place = seat(sitting, mark, rng)
    if place is None:
        return None
    draft.change(person, replace(sitting, x=place.x, y=place.y))
    draft.speak_of(mark)
    slots = {"x": words, "y": draft.plain.named(mark), "p": SEATS[mark.name]}
    return Clause(SIT_ON, None if words in NO_SUBJECT else SIT_ON_SAY, slots)


SEATS = {"table": "on", "slide": "on", "swing set": "on", "sandbox": "in", "tent": "in"}
"""What people sit on or in."""
