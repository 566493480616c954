"""Edits that move pieces of clip art or change what they look like."""

from __future__ import annotations

from dataclasses import replace

from cdd_icm.data.dialog import SceneObject
from cdd_icm.plan.pieces.clip_art.altering_words import (
    CHANGE_FACE,
    CHANGE_FACE_SAY,
    CHANGE_POSE,
    CHANGE_POSE_SAY,
    FACE_ACTS,
    FACE_EACH_OTHER,
    FACE_THING,
    FACE_THING_SAY,
    HE_SHOULD,
    MANY_FEEL,
    POSE_SIDE,
    TOO,
    TOO_CLOSE,
    TURN_AROUND,
)
from cdd_icm.plan.pieces.clip_art.draft import Draft
from cdd_icm.plan.pieces.clip_art.mentions import NO_SUBJECT, Speaker
from cdd_icm.plan.pieces.clip_art.names import FACES, NAMES, POSES, SIZES
from cdd_icm.plan.pieces.clip_art.places import Place, in_picture, inside, shifted_place
from cdd_icm.plan.pieces.clip_art.relations import beside, moved_by
from cdd_icm.plan.pieces.clip_art.shapes import FACING, PEOPLE, faced, resized, side_of
from cdd_icm.plan.pieces.clip_art.size_words import (
    BIGGER_DO,
    BIGGER_SAY,
    BIGGEST,
    RESIZE,
    RESIZE_SAY,
    SAME_SIZE,
    SMALLER_DO,
    SMALLER_SAY,
    SMALLEST,
)
from cdd_icm.plan.shared.speech.grammar import Grammar, pick
from cdd_icm.plan.shared.speech.movements import MOVE_DO, MOVE_SAY, SWAP_DO, SWAP_SAY
from cdd_icm.plan.shared.speech.requests import Clause

APART = 0.06
"""A piece that is moved is so far from where it was, and so are two that change places."""
_OTHER_SIDE = Grammar("(to|on|onto|over to) the other side*4\nto the opposite side*2\n"
                      "(to|on) the other side of the (picture|scene)*2")  # fmt: skip


def _say(words: str, say: Grammar | None) -> Grammar | None:
    """The statement's grammar, unless the words can't be its subject."""
    return None if words in NO_SUBJECT else say


def move(draft: Draft) -> Clause | None:
    rng, found = draft.rng, draft.subject()
    if found is None:
        return None
    obj, words = found
    chance = rng.random()
    others = [other for other in draft.after if other.name != obj.name]
    marks: list[SceneObject] = []
    place = None
    if chance < 0.36:
        place = shifted_place(obj, rng)
    elif chance < 0.66:
        place = in_picture(obj, rng)
        if not place.says_height:
            place = replace(place, y=obj.y)
        if (place.x - obj.x) * (place.x - 0.5) < 0 and abs(place.x - 0.5) > 0.1:
            return None  # "to the left" from still further left
    elif chance < 0.86:
        place = beside(obj, others, rng, draft.plain, marks.append)
    elif chance < 0.9:
        if abs(obj.x - 0.5) > 0.12:
            place = Place(1 - obj.x, obj.y, _OTHER_SIDE(rng))
    elif others:
        mark = pick(rng, others)
        marks.append(mark)
        place = moved_by(obj, mark, rng, draft.plain)
    if place is None or not place.text or max(abs(place.x - obj.x), abs(place.y - obj.y)) < APART:
        return None
    for mark in marks:
        draft.speak_of(mark)
    moved = replace(obj, x=place.x, y=place.y)
    draft.change(obj, moved)
    i = words if words in NO_SUBJECT else "it"
    return Clause(
        MOVE_DO, _say(words, MOVE_SAY), {"x": words, "p": place.text, "i": _subject(obj) if i != "it" else i}
    )


def _subject(obj: SceneObject) -> str:
    return {"boy": "he", "girl": "she"}.get(obj.name, "it")


def complain(draft: Draft) -> Clause | None:
    """A piece is moved the other way from where it is too far, or raised or lowered."""
    rng, found = draft.rng, draft.subject()
    if found is None:
        return None
    obj, words = found
    others = [
        other for other in draft.after if 0.03 < abs(other.x - obj.x) < 0.25 and other.name not in draft.used
    ]
    if others and rng.random() < 0.25:
        mark = pick(rng, others)
        x = obj.x + (0.2 if obj.x > mark.x else -0.2)
        if words in NO_SUBJECT or not 0.03 < x < 0.97:
            return None
        draft.speak_of(mark)
        draft.change(obj, replace(obj, x=x))
        return Clause(TOO_CLOSE, TOO_CLOSE, {"x": words, "y": draft.plain.named(mark)})
    way = pick(rng, tuple(TOO))
    dx, dy = {"left": (0.18, 0), "right": (-0.18, 0), "high": (0, 0.15), "low": (0, -0.15)}[way]
    place = inside(Place(obj.x + dx, obj.y + dy, ""))
    if place is None:
        return None
    say, do = TOO[way]
    if words in NO_SUBJECT or (do is not None and rng.random() < 0.6):
        if do is None:
            return None
        draft.change(obj, replace(obj, x=place.x, y=place.y))
        return Clause(do, None, {"x": words})
    draft.change(obj, replace(obj, x=place.x, y=place.y))
    return Clause(say, say, {"x": words})


def move_many(draft: Draft) -> Clause | None:
    """Several pieces in one direction."""
    found = draft.several()
    if found is None:
        return None
    rng, (many, words) = draft.rng, found
    place = shifted_place(many[0], rng)
    if place is None:
        return None
    dx, dy = place.x - many[0].x, place.y - many[0].y
    if not all(0.01 <= obj.x + dx <= 0.99 and 0.01 <= obj.y + dy <= 0.99 for obj in many):
        return None
    draft.trim(many, lambda obj: replace(obj, x=obj.x + dx, y=obj.y + dy))
    return Clause(_MOVE_MANY, None, {"x": words, "p": place.text})


_MOVE_MANY = Grammar("(<move>*8|<shift>*4|<push>*2|<slide>*2|<bring>|<put>|<drag>|<pull>) {x} {p}")


def swap(draft: Draft) -> Clause | None:
    one = draft.some()
    other = draft.some(lambda obj: one is None or obj.name != one.name)
    if one is None or other is None or abs(one.x - other.x) + abs(one.y - other.y) < 2 * APART:
        return None
    slots = {"x": draft.plain.the(one), "y": draft.plain.named(other)}
    if slots["x"] in NO_SUBJECT:
        slots["x"] = draft.plain.named(one)
    draft.change(one, replace(one, x=other.x, y=other.y))
    draft.change(other, replace(other, x=one.x, y=one.y))
    draft.last = None
    return Clause(SWAP_DO, SWAP_SAY, slots)


def _sized(rng, depths: list[int]) -> tuple[str | None, Grammar, Grammar | None]:
    """The new depth of pieces of such depths, by "bigger", "tiny" or the like (None: one step up or down,
    or as far as it goes), and the words; all of them must change."""
    chance = rng.random()
    if chance < 0.3 and min(depths) > 0:
        return "-1", BIGGER_DO, BIGGER_SAY
    if chance < 0.6 and max(depths) < 2:
        return "+1", SMALLER_DO, SMALLER_SAY
    if chance < 0.7 and min(depths) > 0:
        return "0", BIGGEST, None
    if chance < 0.8 and max(depths) < 2:
        return "2", SMALLEST, None
    new = pick(rng, "012")
    return (None if int(new) in depths else new), RESIZE, RESIZE_SAY


def _in_size(obj: SceneObject, size: str) -> SceneObject:
    return resized(obj, str(int(obj.depth) + int(size)) if size in ("-1", "+1") else size)


def resize(draft: Draft) -> Clause | None:
    rng, found = draft.rng, draft.subject()
    if found is None:
        return None
    obj, words = found
    others = [other for other in draft.after if other.depth != obj.depth and other.name not in draft.used]
    if others and rng.random() < 0.06:
        other = pick(rng, others)
        draft.change(obj, resized(obj, other.look["depth"]))
        return Clause(SAME_SIZE, None, {"x": words, "y": Speaker(rng, draft.after, ()).named(other)})
    size, do, say = _sized(rng, [int(obj.depth)])
    if size is None:
        return None
    draft.change(obj, _in_size(obj, size))
    slots = {"x": words, "k": pick(rng, NAMES[obj.name]).removeprefix("some ")}
    if do is RESIZE:
        slots["s"] = pick(rng, SIZES[size])
    return Clause(do, _say(words, say), slots)


def resize_many(draft: Draft) -> Clause | None:
    found = draft.several()
    if found is None:
        return None
    rng, (many, words) = draft.rng, found
    size, do, _ = _sized(rng, [int(obj.depth) for obj in many])
    if size is None:
        return None
    draft.trim(many, lambda obj: _in_size(obj, size))
    return Clause(do, None, {"x": words, "s": pick(rng, SIZES[size]) if do is RESIZE else ""})


def turn(draft: Draft) -> Clause | None:
    any_piece = draft.rng.random() < 0.2
    found = draft.subject(lambda obj: any_piece or obj.name in FACING)
    if found is None:
        return None
    rng, (obj, words) = draft.rng, found
    other = "left" if side_of(obj) == "right" else "right"
    ahead = -1 if other == "left" else 1
    marks = [
        mark
        for mark in draft.after
        if mark.name != obj.name and ahead * (mark.x - obj.x) > 0.12 and mark.name not in draft.used
    ]
    draft.change(obj, faced(obj, other))
    if marks and obj.name in FACING and rng.random() < 0.25:
        mark = pick(rng, marks)
        draft.speak_of(mark)
        draft.last = obj.name
        return Clause(FACE_THING, _say(words, FACE_THING_SAY), {"x": words, "y": draft.plain.named(mark)})
    if obj.name in FACING and rng.random() < 0.5:
        return Clause(TURN_AROUND["side"], _say(words, TURN_AROUND["side say"]), {"x": words, "d": other})
    return Clause(TURN_AROUND["around"], _say(words, TURN_AROUND["around say"]), {"x": words})


def turn_many(draft: Draft) -> Clause | None:
    found = draft.several(lambda obj: obj.name in FACING)
    if found is None:
        return None
    rng, (many, words) = draft.rng, found
    if len(many) == 2 and abs(many[0].x - many[1].x) > 0.12 and rng.random() < 0.45:
        left = min(many, key=lambda obj: obj.x)
        new = {obj.name: faced(obj, "right" if obj is left else "left") for obj in many}
        if all(new[obj.name] == obj for obj in many):
            return None
        draft.trim(many, lambda obj: new[obj.name])
        return Clause(FACE_EACH_OTHER, None, {"x": words})
    if rng.random() < 0.4:
        draft.trim(many, lambda obj: faced(obj, "left" if side_of(obj) == "right" else "right"))
        return Clause(TURN_AROUND["around"], None, {"x": words})
    side = pick(rng, ("left", "right"))
    if all(side_of(obj) == side for obj in many):
        return None
    draft.trim(many, lambda obj: faced(obj, side))
    return Clause(TURN_AROUND["side"], None, {"x": words, "d": side})


def _with(obj: SceneObject, trait: str, value: str) -> SceneObject:
    return replace(obj, look={**obj.look, trait: value})


def mood(draft: Draft) -> Clause | None:
    """Another face or pose of a person."""
    found = draft.subject(lambda obj: obj.name in PEOPLE, 0.7)
    if found is None:
        return None
    rng, (obj, words) = draft.rng, found
    subject = _subject(obj) if words in NO_SUBJECT else words
    if rng.random() < 0.55:
        face = pick(rng, [f for f in FACES if f != obj.look["face"]])
        draft.change(obj, _with(obj, "face", face))
        if rng.random() < 0.15:
            return Clause(HE_SHOULD[FACE_ACTS[face]], HE_SHOULD[FACE_ACTS[face]], {"x": words, "h": subject})
        slots = {"x": subject if rng.random() < 0.15 else words, "f": pick(rng, FACES[face])}
        slots["o"] = _owner(draft, obj, words)
        if slots["x"] in ("he", "she"):
            return Clause(_HE_IS, _HE_IS, slots)
        return Clause(CHANGE_FACE[face], _say(words, CHANGE_FACE_SAY), slots)
    pose = pick(rng, [p for p in POSES if p != obj.look["pose"]])
    if {pose, obj.look["pose"]} == {"4", "5"} and rng.random() < 0.7:
        return None
    new = _with(obj, "pose", pose)
    if pose in "236" and rng.random() < 0.2:
        side = pick(rng, ("left", "right"))
        draft.change(obj, faced(new, side))
        return Clause(POSE_SIDE[pose], None, {"x": words, "d": side})
    draft.change(obj, new)
    if rng.random() < 0.2:
        return Clause(HE_SHOULD[pose], HE_SHOULD[pose], {"x": words, "h": subject})
    slots = {
        "x": words,
        "f": pick(rng, [words for words in POSES[pose] if words not in ("sitting", "standing")]),
    }
    slots["o"] = _owner(draft, obj, words)
    if subject in ("he", "she") and rng.random() < 0.2:
        return Clause(_HE_IS, _HE_IS, slots | {"x": subject})
    return Clause(CHANGE_POSE[pose], _say(words, CHANGE_POSE_SAY), slots)


def _owner(draft: Draft, obj: SceneObject, words: str) -> str:
    """The possessive of a person for whom there are such words."""
    return {"him": "his", "her": "her", "it": "its"}.get(words) or draft.plain.owner(obj)


_HE_IS = Grammar("{x} (should be|is|must be|needs to be|has to be|could be) {f}")


def mood_many(draft: Draft) -> Clause | None:
    """Another face or pose of both people."""
    rng = draft.rng
    people = [obj for obj in draft.after if obj.name in PEOPLE]
    if len(people) < 2 or draft.used & set(PEOPLE):
        return None
    both = ["the kids", "the children", "both kids", "both of the kids", "everyone", "everybody",
            "both children", "the boy and the "
            "girl", "the boy and girl", "both people", "the two kids", "both the boy and the girl",
            "the girl and the boy", "all the kids"]  # fmt: skip
    if set(draft.touched) >= set(PEOPLE):
        both += ["them", "them both", "both", "both of them"] * 3
    words = pick(rng, both)
    if rng.random() < 0.6:
        face = pick(rng, tuple(FACES))
        if all(obj.look["face"] == face for obj in people):
            return None
        draft.trim(people, lambda obj: _with(obj, "face", face))
        slots = {"x": words, "f": pick(rng, FACES[face]), "o": "their"}
        return Clause(CHANGE_FACE[face], None if words in NO_SUBJECT else MANY_FEEL, slots)
    pose = pick(rng, tuple(POSES))
    if all(obj.look["pose"] == pose for obj in people):
        return None
    draft.trim(people, lambda obj: _with(obj, "pose", pose))
    f = pick(rng, [words for words in POSES[pose] if words not in ("sitting", "standing")])
    return Clause(
        CHANGE_POSE[pose], None if words in NO_SUBJECT else MANY_FEEL, {"x": words, "f": f, "o": "their"}
    )
