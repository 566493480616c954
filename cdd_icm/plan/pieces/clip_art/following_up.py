"""Short requests about what the turn before drew, which they do not name: "a bit higher", "no, a cat"."""

from __future__ import annotations

from dataclasses import replace

from cdd_icm.data.dialog import SceneObject
from cdd_icm.plan.pieces.clip_art.draft import Draft, new_piece
from cdd_icm.plan.pieces.clip_art.names import FACES, NAMES, POSES, SIZES, with_article
from cdd_icm.plan.pieces.clip_art.places import in_picture, shifted_place
from cdd_icm.plan.pieces.clip_art.shapes import FACING, PEOPLE, faced, resized, side_of
from cdd_icm.plan.shared.speech.grammar import Grammar, pick
from cdd_icm.plan.shared.speech.requests import Clause

_AGAIN = Grammar("""
    {w}*10
    {w} please*4
    {w}, please*2
    (no|nope|not there|not like that|hmm|sorry), {w}*4
    I (meant|said) {w}*2
    I want it {w}*2
    (maybe|now|and|but|just|and now|even) {w}*4
    {w} instead
    {w} would be (better|nicer)*2
    (ok|okay|good|nice)[,] (but|now) {w}*3
    can it be {w}?
    better {w}
    """)
_NO = Grammar("""
    no, {w}*5
    not that, {w}*3
    I (meant|wanted|said) {w}*5
    I meant {w}, not that*2
    {w} instead*4
    {w} instead of (that|it)*3
    (sorry|oops|wait)[,] I meant {w}*3
    rather {w}*2
    (that's|it's|that is) wrong, I (meant|wanted) {w}*2
    it should (be|have been) {w}*3
    """)
_BIT = "(a bit|a little|slightly|some)"
_BIGGER = Grammar(f"(bigger|larger)*6\n{_BIT} (bigger|larger)*4\n(not so|less) (small|tiny)")
_SMALLER = Grammar(f"smaller*6\n{_BIT} smaller*4\n(not so|less) (big|large)")
_AROUND = Grammar(
    "[the] other way*4\nthe other way (around|round)*3\nflipped*2\nmirrored\nfacing the other way*3"
)
_FACING = Grammar("facing [to the] {d}*4\nlooking [to the] {d}*3\nface {d}*2")


def follow_up(draft: Draft) -> Clause | None:
    """Something else about the one piece that the turn before drew; nothing else may be asked for."""
    if draft.used or len(draft.touched) != 1:
        return None
    obj = next(obj for obj in draft.after if obj.name == draft.touched[0])
    rng, chance = draft.rng, draft.rng.random()
    if chance < 0.2:
        return _corrected(draft, obj)
    if chance < 0.55:
        place = shifted_place(obj, rng) if rng.random() < 0.65 else in_picture(obj, rng)
        if place is None or max(abs(place.x - obj.x), abs(place.y - obj.y)) < 0.06:
            return None
        new, words = replace(obj, x=place.x, y=place.y if place.says_height else obj.y), place.text
        if abs(new.x - obj.x) < 0.06 and not place.says_height:
            return None
        if (new.x - obj.x) * (new.x - 0.5) < 0 and abs(new.x - 0.5) > 0.1:
            return None
    elif chance < 0.75:
        new, words = _in_size(draft, obj)
    elif chance < 0.87 or obj.name not in PEOPLE:
        if obj.name not in FACING:
            return None
        other = "left" if side_of(obj) == "right" else "right"
        new = faced(obj, other)
        words = _AROUND(rng) if rng.random() < 0.5 else _FACING(rng, {"d": other})
    else:
        trait, options = pick(rng, (("face", FACES), ("pose", POSES)))
        value = pick(rng, [value for value in options if value != obj.look[trait]])
        new = replace(obj, look={**obj.look, trait: value})
        words = pick(rng, [words for words in options[value] if words not in ("sitting", "standing")])
    if new == obj:
        return None
    draft.change(obj, new)
    draft.last = None
    return Clause(_AGAIN, _AGAIN, {"w": words})


def _in_size(draft: Draft, obj: SceneObject) -> tuple[SceneObject, str]:
    rng, depth = draft.rng, int(obj.depth)
    if rng.random() < 0.25:
        size = pick(rng, "012")
        return resized(obj, size), pick(rng, SIZES[size])
    if depth == 2 or depth == 1 and rng.random() < 0.5:
        return resized(obj, str(depth - 1)), _BIGGER(rng)
    return resized(obj, str(depth + 1)), _SMALLER(rng)


def _corrected(draft: Draft, obj: SceneObject) -> Clause | None:
    """Another piece in its place: "no, I meant a cat"."""
    rng, free = draft.rng, draft.free()
    if not free:
        return None
    name = pick(rng, free)
    new = new_piece(name, rng, obj.look["depth"])
    x, y = (min(max(value, 0.0), 1.0) for value in (obj.x, obj.y))
    draft.change(obj, replace(new, x=x, y=y, look={**new.look, "flip": obj.look["flip"]}))
    draft.used.add(name)
    draft.last = None
    return Clause(_NO, _NO, {"w": with_article(pick(rng, NAMES[name]), "a", rng)})
