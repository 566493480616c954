"""Edits that remove pieces of clip art, or put others in their place."""

from __future__ import annotations

from dataclasses import replace

from cdd_icm.data.codraw_painter import SKY
from cdd_icm.plan.pieces.clip_art.draft import Draft, new_piece
from cdd_icm.plan.pieces.clip_art.mentions import NO_SUBJECT
from cdd_icm.plan.pieces.clip_art.names import BARE, GENERAL, NAMES, PHRASES, is_plural, with_article
from cdd_icm.plan.pieces.clip_art.removing_words import (
    CLEAR,
    EXCEPT,
    KEEP_ONLY,
    OTHER_INSTEAD,
    REMOVE_MORE_SAY,
    REPLACE_SAY,
)
from cdd_icm.plan.pieces.clip_art.shapes import HATS, PEOPLE, half_size, is_grounded, wears
from cdd_icm.plan.shared.speech.alterations import BECOME_DO
from cdd_icm.plan.shared.speech.grammar import Grammar, pick
from cdd_icm.plan.shared.speech.movements import REMOVE_DO, REMOVE_MANY_SAY, REMOVE_SAY
from cdd_icm.plan.shared.speech.requests import Clause

_TAKE_OFF = Grammar("""
    <take> {n} off {o} head*5
    <take> {o} {k} off*4
    <take> {n} off*2
    <remove> {n} from {x}*4
    <remove> {o} {k}*3
    <take> {n} (away|) from {x}*3
    """)
_TAKE_OFF_SAY = Grammar("""
    {x} should not wear {n}*3
    {x} (shouldn't|doesn't) wear (a|any) {k}*2
    {x} without (a|the) {k}*3
    no {k} on {x}*2
    no {k} for {x}
    """)


def remove(draft: Draft) -> Clause | None:
    rng = draft.rng
    obj = draft.some()
    if obj is None:
        return None
    owner = next((person for person in draft.after if person.name in PEOPLE and wears(person, obj)), None)
    if owner is not None and rng.random() < 0.35:
        noun = "hat" if obj.name in HATS and rng.random() < 0.5 else pick(rng, NAMES[obj.name])
        plural = is_plural(noun)
        slots = {"n": f"the {noun}", "k": noun, "x": f"the {owner.name}", "o": draft.speaker.owner(owner)}
        draft.change(obj, None)
        return Clause(_TAKE_OFF, None if plural else _TAKE_OFF_SAY, slots)
    words = draft.speaker.the(obj, 0.35)
    noun = pick(rng, NAMES[obj.name])
    draft.change(obj, None)
    if words in NO_SUBJECT or noun in BARE:
        return Clause(REMOVE_DO, None, {"x": words})
    if is_plural(words):
        return Clause(REMOVE_DO, REMOVE_MANY_SAY, {"x": words})
    say = REMOVE_MORE_SAY if rng.random() < 0.4 and not is_plural(noun) and words != "it" else REMOVE_SAY
    return Clause(REMOVE_DO, say, {"x": words, "k": noun.removeprefix("some ")})


def remove_many(draft: Draft) -> Clause | None:
    rng, after, chance = draft.rng, draft.after, draft.rng.random()
    if chance < 0.1 and len(after) > 1 and not draft.used:
        draft.trim(list(after), lambda obj: None)
        return Clause(CLEAR, None, {})
    if chance < 0.25 and len(after) > 2 and not draft.used:
        kept = [pick(rng, after)]
        words = draft.plain.named(kept[0])
        if rng.random() < 0.3:
            kept = [after[i] for i in rng.permutation(len(after))[:2]]
            words = draft.listing(kept)
        elif rng.random() < 0.3:
            found = draft.several()
            if (
                found is not None
                and 0 < len(found[0]) < len(after)
                and found[1].startswith(("the ", "both ", "all "))
            ):
                kept, words = found
        draft.trim([obj for obj in after if obj not in kept], lambda obj: None)
        if rng.random() < 0.5:
            return Clause(KEEP_ONLY, None, {"y": words})
        return Clause(REMOVE_DO, None, {"x": EXCEPT(rng, {"y": words})})
    found = draft.several()
    if found is None:
        return None
    many, words = found
    draft.trim(many, lambda obj: None)
    return Clause(REMOVE_DO, None if words.startswith("them") else REMOVE_MANY_SAY, {"x": words})


def replaced(draft: Draft) -> Clause | None:
    """Another piece in the place of one."""
    rng, free, obj = draft.rng, draft.free(), draft.some()
    if obj is None or not free:
        return None
    words = draft.speaker.the(obj)
    if words in ("him", "her"):
        return None
    group = [
        word
        for word, members in GENERAL.items()
        if obj.name in members and word not in PHRASES and any(name in free for name in members)
    ]
    chance = rng.random()
    if group and chance < 0.12:  # "another tree"
        word = pick(rng, group)
        name = pick(rng, [name for name in GENERAL[word] if name in free])
        phrase = OTHER_INSTEAD(rng, {"k": word})
    else:
        alike = [name for name in GENERAL[pick(rng, group)] if name in free] if group else []
        name = pick(rng, alike) if alike and chance < 0.65 else pick(rng, free)
        noun = pick(rng, NAMES[name])
        phrase = with_article(noun, "a" if rng.random() < 0.88 else "the", rng)
    new = new_piece(name, rng)
    look = new.look | {"flip": obj.look["flip"], "depth": obj.look["depth"]}
    if name in PEOPLE and obj.name in PEOPLE:
        look |= {"pose": obj.look["pose"], "face": obj.look["face"]}
    x, y = (min(max(value, 0.0), 1.0) for value in (obj.x, obj.y))
    new = replace(new, x=x, y=y, depth=float(look["depth"]), look=look)
    if is_grounded(name) and is_grounded(obj.name) and name not in SKY:
        # it stands where the other stood
        y = obj.y + half_size(obj)[1] - half_size(new)[1]
        new = replace(new, y=min(max(y, 0.02), 0.98))
    draft.change(obj, new)
    draft.used.add(name)
    say = None if words in NO_SUBJECT else REPLACE_SAY
    return Clause(BECOME_DO, say, {"x": words, "t": phrase, "k": obj.name})
