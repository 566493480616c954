"""Edits that add pieces of clip art."""

from __future__ import annotations

from dataclasses import replace

from cdd_icm.data.codraw_painter import CLOTHES
from cdd_icm.data.dialog import SceneObject
from cdd_icm.plan.pieces.clip_art.adding_words import (
    ADD_MANY_DO,
    ADD_MANY_SAY,
    ANOTHER,
    FACE_AWAY,
    FACE_MARK,
    FACE_SIDE,
    HOLDING,
    TERSE,
    WEARING,
    WITH_IN_IT,
    WITH_ON_IT,
)
from cdd_icm.plan.pieces.clip_art.draft import Draft, new_piece, put, turned_inward
from cdd_icm.plan.pieces.clip_art.names import (
    BARE,
    FACES,
    GENERAL,
    MANY,
    MEALS,
    NAMES,
    NUMBERS,
    PHRASES,
    POSES,
    SIZES,
    is_plural,
    with_article,
)
from cdd_icm.plan.pieces.clip_art.places import Place, anywhere, in_picture
from cdd_icm.plan.pieces.clip_art.relations import beside, by_person, company, hand_of
from cdd_icm.plan.pieces.clip_art.shapes import (
    EYES,
    FACING,
    HATS,
    HELD,
    PEOPLE,
    TREES,
    between,
    faced,
    half_size,
    on_head,
    usual_height,
    wears,
)
from cdd_icm.plan.shared.speech.additions import ADD_AT_DO, ADD_AT_SAY, ADD_DO, ADD_SAY, AND_ANOTHER
from cdd_icm.plan.shared.speech.grammar import Grammar, pick, weighted
from cdd_icm.plan.shared.speech.requests import Clause

_ARTICLES = weighted("a*13, the*2, one")
_NO_SIZE = ("som", "big", "lit", "sma", "gia", "you", "tin", "wee", "thr", "pai", "par")
"""Beginnings of names that take no word for a size."""
_EACH_SIDE = Grammar("one on each side*4\none on either side*2\none left and one right*2\non both sides*2\n"
                     "one on the left and one on the right*3\non the left and on the right")  # fmt: skip
_OF_THEM = Grammar("one {p} and one {q}*3\none {p} and (the other|another) {q}*4\none {p}, the other {q}\n"
                   "the first {p}, the second {q}")  # fmt: skip


_PLAIN = Grammar("{n}")


def _article(words: str, draft: Draft) -> str:
    """The noun phrase with an article, or without as tellers write."""
    rng = draft.rng
    article = "" if rng.random() < 0.1 else pick(rng, _ARTICLES)
    if article == "one":
        return f"one {words}" if words[0] != "s" and words in NAMES else with_article(words, "a", rng)
    return with_article(words, article, rng)


def _chosen(draft: Draft, of: tuple[str, ...] | None = None) -> tuple[str, str] | None:
    """A class that is free, and a noun for it: a name, or a general word that fits it."""
    rng, free = draft.rng, draft.free()
    if of is not None:
        free = [name for name in free if name in of]
    if not free:
        return None
    if of is None and rng.random() < 0.15:
        word = pick(rng, tuple(GENERAL))
        members = [member for member in GENERAL[word] if member in free]
        # of a word whose members are there already, one can't say whether a further one is meant
        if len(members) < len(GENERAL[word]) and word not in PHRASES:
            return None
        return (pick(rng, members), word) if members else None
    if any(obj.name in PEOPLE for obj in draft.after) and rng.random() < 0.25:
        free = [name for name in free if name in CLOTHES or name in HELD] or free
    name = pick(rng, free)
    if rng.random() < 0.12 and not any(obj.name in PEOPLE for obj in draft.after):
        name = pick(rng, [name for name in free if name in PEOPLE] or free)
    return name, pick(rng, NAMES[name])


def _default_place(obj: SceneObject, draft: Draft) -> Place:
    """Where a piece goes of which no place is said: hats on heads, if there is one that is bare."""
    rng = draft.rng
    if obj.name in CLOTHES:
        kind = HATS if obj.name in HATS else EYES
        bare = [
            person
            for person in draft.after
            if person.name in PEOPLE and not any(o.name in kind and wears(person, o) for o in draft.after)
        ]
        if bare:
            recent = [person for person in bare if person.name in draft.touched]
            person = pick(rng, recent or bare)
            x, y = on_head(obj.name, person)
            return Place(min(max(x, 0.01), 0.99), max(y, 0.01), "", depth=person.look["depth"])
    return anywhere(obj, rng)


def _described(obj: SceneObject, noun: str, draft: Draft) -> tuple[SceneObject, str, list[str], bool]:
    """The piece in a look that words tell, the words before and after the noun, and whether they tell its
    size."""
    rng, before, tail, sized = draft.rng, [], [], False
    bare = noun in BARE or noun in PHRASES or noun[:3] in _NO_SIZE
    if rng.random() < 0.27 and noun not in PHRASES and not bare:
        depth = pick(rng, "012")
        obj = replace(obj, depth=float(depth), look={**obj.look, "depth": depth})
        words = pick(rng, SIZES[depth])
        # "close" and "far away" tell more of the place, and come last
        if words in ("close", "close up", "far away", "distant"):
            tail.append(words)
        else:
            before.append(words)
        sized = True
    if obj.name in PEOPLE and noun not in PHRASES and rng.random() < 0.5:
        if rng.random() < 0.6:
            face = pick(rng, "01234")
            obj = replace(obj, look={**obj.look, "face": face})
            if rng.random() < 0.75 and noun not in BARE:
                before.append(pick(rng, FACES[face]))
            else:
                tail.append(pick(rng, FACES[face]))
        if rng.random() < 0.5:
            pose = pick(rng, "0123456")
            obj = replace(obj, look={**obj.look, "pose": pose})
            tail.append(pick(rng, POSES[pose]))
    return obj, " ".join(before), tail, sized


def _facing(obj: SceneObject, draft: Draft) -> tuple[SceneObject, str]:
    """The piece, turned as words say; "" if they say nothing of it."""
    rng, chance = draft.rng, draft.rng.random()
    if obj.name not in FACING or chance > 0.26:
        return turned_inward(obj, rng), ""
    if chance < 0.08:
        marks = [mark for mark in draft.after if abs(mark.x - obj.x) > 0.12 and mark.name != obj.name]
        if marks:
            mark = pick(rng, marks)
            side, away = ("left" if mark.x < obj.x else "right"), rng.random() < 0.2
            words = (FACE_AWAY if away else FACE_MARK)(rng, {"y": draft.plain.the(mark, 0.0)})
            draft.speak_of(mark)
            return faced(obj, {"left": "right", "right": "left"}[side] if away else side), words
    side = pick(rng, ("left", "right"))
    return faced(obj, side), FACE_SIDE(rng, {"d": side})


def _one(draft: Draft, chosen: tuple[str, str], article: bool = True) -> tuple[str, Place] | None:
    """Draws a piece; returns the noun phrase and its place."""
    rng = draft.rng
    name, noun = chosen
    obj, words, tail, sized = _described(new_piece(name, rng), noun, draft)
    chance, place = rng.random(), None
    if chance < 0.4:
        place = beside(obj, draft.after, rng, draft.speaker, draft.speak_of)
    elif chance < 0.78:
        place = in_picture(obj, rng)
    place = place or _default_place(obj, draft)
    obj = put(obj, place, sized)
    obj, facing = _facing(obj, draft)
    if facing:
        tail.append(facing)
    phrase = f"{words} {noun}".strip()
    phrase = _article(phrase, draft) if article else phrase
    if noun in BARE and words:
        phrase = f"{words} {noun}"
    if tail:
        phrase = f"{phrase} {pick(rng, (' and ', ' ', ', ')).join(tail)}"
    draft.draw(obj)
    if noun not in PHRASES and rng.random() < 0.16:
        phrase += _with_company(obj, draft)
    return phrase, place


_COMPANY = {
    "table": (MEALS, WITH_ON_IT),
    "sandbox": (("bucket", "shovel", "cat", "beach ball"), WITH_IN_IT),
    **dict.fromkeys(TREES, (("owl",), WITH_IN_IT)),
}
"""What comes with a piece, and words for it."""


def _with_company(obj: SceneObject, draft: Draft) -> str:
    """Draws what a person wears or holds, or what is on a table or in a tree; words for it, or ""."""
    rng, free = draft.rng, draft.free()
    worn = rng.random() < 0.5
    if obj.name in PEOPLE:
        names = [name for name in free if name in (CLOTHES if worn else HELD)]
        grammar = WEARING if worn else HOLDING
    elif obj.name in _COMPANY:
        members, grammar = _COMPANY[obj.name]
        names = [name for name in free if name in members]
    else:
        return ""
    if not names:
        return ""
    name = pick(rng, names)
    other, slots = new_piece(name, rng), {"x": "", "o": "her" if obj.name == "girl" else "his"}
    if obj.name not in PEOPLE:
        place = company(obj, other, rng)
    elif worn:
        place = by_person(other, obj, rng, draft.plain)
    else:
        place = hand_of(other, obj, rng, slots, sides=False)
    if place is None or not (0 <= place.x <= 1 and 0 <= place.y <= 1):
        return ""
    slots["n"] = with_article(pick(rng, NAMES[name]), "a", rng)
    words, last = grammar(rng, slots), draft.last
    draft.draw(put(other, place, False))
    draft.last = last
    return f" {words}"


def add(draft: Draft) -> Clause | None:
    """One piece."""
    rng, chosen = draft.rng, _chosen(draft)
    one = chosen and _one(draft, chosen)
    if not one:
        return None
    slots = {"n": one[0], "p": one[1].text}
    if not slots["p"]:
        return Clause(ADD_DO, ADD_SAY if not is_plural(chosen[1]) else ADD_MANY_SAY, slots)
    if rng.random() < 0.3:
        return Clause(TERSE, TERSE, slots)
    return Clause(ADD_AT_DO, ADD_AT_SAY, slots)


def another(draft: Draft) -> Clause | None:
    """A further member of a general kind of which there is one already: "another tree"."""
    rng, free = draft.rng, draft.free()
    words = [
        word
        for word in ("tree", "ball", "hat", "animal", "kid", "bird", "toy", "snack", "flying machine", "pet",
                     "person", "child", "piece of playground equipment")
        if 0 < len([name for name in GENERAL[word] if name in free]) < len(GENERAL[word])
        and not draft.used & set(GENERAL[word])
    ]  # fmt: skip
    if not words:
        return None
    word = pick(rng, words)
    name = pick(rng, [name for name in GENERAL[word] if name in free])
    obj = new_piece(name, rng)
    place = in_picture(obj, rng) if rng.random() < 0.45 else _default_place(obj, draft)
    draft.draw(turned_inward(put(obj, place, False), rng))
    slots = {"n": ANOTHER(rng, {"k": word}), "p": place.text}
    return Clause(ADD_AT_DO, ADD_AT_SAY, slots) if place.text else Clause(ADD_DO, ADD_SAY, slots)


def add_list(draft: Draft) -> Clause | None:
    """Two to four pieces in one list: each with its place, or all in one."""
    rng, count = draft.rng, pick(draft.rng, (2, 2, 2, 3, 3, 4))
    if rng.random() < 0.45:
        pairs = []
        for _ in range(count):
            chosen = _chosen(draft)
            one = chosen and _one(draft, chosen)
            if one:
                pairs.append(one)
        if len(pairs) < 2:
            return None if not pairs else _as_one(pairs[0])
        # a place after two things may be that of both
        pairs.sort(key=lambda pair: not pair[1].text)
        if len(pairs) == 2 and all(place.text for _, place in pairs):
            (n, p), (m, q) = pairs
            text = AND_ANOTHER(rng, {"n": n, "p": p.text, "m": m, "q": q.text})
        else:
            joint = pick(rng, (", ", ", ", ". ", " and ", "; ", ", then ", " + "))
            parts = [
                f"{n} {p.text}".strip() if rng.random() < 0.75 else f"{p.text} {n}".strip() for n, p in pairs
            ]
            text = joint.join(parts[:-1]) + pick(rng, (" and ", ", ", joint, ", and ")) + parts[-1]
        if rng.random() < 0.5:
            return Clause(_PLAIN, _PLAIN, {"n": text})
        return Clause(ADD_MANY_DO, ADD_MANY_SAY, {"n": text})
    options = [_chosen(draft) for _ in range(count)]
    chosen = list({option[0]: option for option in options if option and option[1] not in GENERAL}.values())
    if len(chosen) < 2:
        return None
    return _together(draft, [name for name, _ in chosen], _listed(draft, [noun for _, noun in chosen]))


def _as_one(pair: tuple[str, Place]) -> Clause:
    slots = {"n": pair[0], "p": pair[1].text}
    return Clause(ADD_AT_DO, ADD_AT_SAY, slots) if slots["p"] else Clause(ADD_DO, ADD_SAY, slots)


def _listed(draft: Draft, nouns: list[str]) -> str:
    rng = draft.rng
    bare = rng.random() < 0.2
    parts = [with_article(noun, "" if bare else "a", rng) for noun in nouns]
    return ", ".join(parts[:-1]) + pick(rng, (" and ", " and ", " and ", ", ", ", and ", " & ")) + parts[-1]


def _together(draft: Draft, names: list[str], words: str) -> Clause:
    """Draws pieces beside each other, and says where if at all."""
    rng = draft.rng
    pieces = [new_piece(name, rng) for name in names]
    text = ""
    if rng.random() < 0.4 and not any(name in CLOTHES for name in names):
        place = in_picture(max(pieces, key=half_size), rng)
        if not 0.13 < place.x < 0.87:
            place = replace(place, x=min(max(place.x, 0.1), 0.9), text="")
        text = place.text
        spread = between_all(place.x, len(pieces))
        for obj, x in zip(pieces, spread, strict=True):
            other = anywhere(obj, rng)
            draft.draw(turned_inward(replace(obj, x=x, y=place.y if place.says_height else other.y), rng))
    else:
        first, by = pieces[0], None
        if rng.random() < 0.4 and not any(name in CLOTHES for name in names):
            marks = [mark for mark in draft.after if mark.name not in PEOPLE]
            by = beside(first, marks, rng, draft.speaker, draft.speak_of)
        text = by.text if by else ""
        for i, obj in enumerate(pieces):
            if by is not None:  # side by side at one place
                place = by
                x = by.x + 0.06 * (i - (len(pieces) - 1) / 2)
                y = by.y + half_size(first)[1] - half_size(obj)[1]
                obj = put(obj, place, False)
                draft.draw(replace(obj, x=min(max(x, 0.02), 0.98), y=min(max(y, 0.03), 0.97)))
                continue
            place = _default_place(obj, draft)
            if place.depth is None:
                place = replace(place, x=0.1 + 0.8 * (i + rng.random()) / len(pieces))
            draft.draw(turned_inward(put(obj, place, False), rng))
    draft.last = None
    slots = {"n": f"{words} {text}".strip()}
    return Clause(ADD_MANY_DO, ADD_MANY_SAY, slots)


def between_all(x: float, count: int) -> list[float]:
    """Columns of so many pieces around a column, near enough that all are where it is."""
    step = 0.12 if count < 4 else 0.08
    start = min(max(x - step * (count - 1) / 2, 0.03), 0.97 - step * (count - 1))
    return [start + step * i for i in range(count)]


def number(draft: Draft) -> Clause | None:
    """Several of a general kind: "two trees", "some animals"."""
    rng, free = draft.rng, draft.free()
    options = [
        (word, [name for name in members if name in free])
        for word, members in MANY.items()
        if word not in ("food", "two kids", "boy and girl", "glasses and sunglasses", "things in the sky")
        and not any(obj.name in members for obj in draft.after)
    ]
    options = [(word, members) for word, members in options if len(members) > 1]
    if not options:
        return None
    word, members = pick(rng, options)
    count = min(pick(rng, (2, 2, 2, 3, 3, 4)), len(members))
    names = [members[i] for i in rng.permutation(len(members))[:count]]
    if count == 2 and rng.random() < 0.2 and not any(name in CLOTHES for name in names):
        for name, x in zip(names, (between(rng, 0.1, 0.25), between(rng, 0.75, 0.9)), strict=True):
            obj = new_piece(name, rng)
            draft.draw(turned_inward(replace(obj, x=x, y=usual_height(obj, rng)), rng))
        draft.last = None
        words = f"{pick(rng, NUMBERS[2])} {word}{pick(rng, (', ', ' ', ': '))}{_EACH_SIDE(rng)}"
        return Clause(ADD_MANY_DO, ADD_MANY_SAY, {"n": words})
    if count == 2 and rng.random() < 0.3 and not any(name in CLOTHES for name in names):
        first, second = (new_piece(name, rng) for name in names)
        one, other = in_picture(first, rng), in_picture(second, rng)
        if abs(one.x - other.x) > 0.2 and one.text != other.text:
            draft.draw(turned_inward(put(first, one, False), rng))
            draft.draw(turned_inward(put(second, other, False), rng))
            draft.last = None
            each = _OF_THEM(rng, {"p": one.text, "q": other.text})
            words = f"{pick(rng, ('two', 'two', '2', 'a couple of'))} {word}, {each}"
            return Clause(ADD_MANY_DO, ADD_MANY_SAY, {"n": words})
    numbers = (
        ("all kinds of", "all the", "every kind of")
        if count == len(members) > 2 and rng.random() < 0.2
        else NUMBERS[count]
    )
    amount = pick(rng, numbers)
    if count == len(members) == 2 and rng.random() < 0.2:
        amount = "both"
    if amount == "every kind of":
        word = word.removesuffix("s")
    return _together(draft, names, f"{amount} {word}")
