"""Requests that a scene of clip art can't meet: for what it lacks, and for pieces that are not there."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cdd_icm.data.codraw_painter import ANIMALS, CODRAW_CLASSES, FOOD, SKY
from cdd_icm.data.dialog import SceneObject
from cdd_icm.plan.pieces.clip_art.adding_words import GIVE, GIVE_WORN
from cdd_icm.plan.pieces.clip_art.altering_words import (
    CHANGE_FACE,
    CHANGE_POSE,
    TURN_AROUND,
)
from cdd_icm.plan.pieces.clip_art.draft import new_piece
from cdd_icm.plan.pieces.clip_art.lacked_things import (
    COLOURS,
    LACKED,
    MANY_LACKED,
    MATERIALS,
    ON_PEOPLE,
    PLURALS,
    SCENERY,
    SOMEWHERE,
    STRANGE,
)
from cdd_icm.plan.pieces.clip_art.mentions import NO_SUBJECT, Speaker
from cdd_icm.plan.pieces.clip_art.names import (
    BALLS,
    BARE,
    FACES,
    GENERAL,
    MANY,
    NAMES,
    POSES,
    SIZES,
    is_plural,
    with_article,
)
from cdd_icm.plan.pieces.clip_art.places import in_picture
from cdd_icm.plan.pieces.clip_art.removing_words import REMOVE_MORE_SAY
from cdd_icm.plan.pieces.clip_art.shapes import HATS, PEOPLE, TREES
from cdd_icm.plan.pieces.clip_art.size_words import (
    BIGGER_DO,
    BIGGER_SAY,
    SMALLER_DO,
    SMALLER_SAY,
)
from cdd_icm.plan.shared.speech.additions import ADD_AT_DO, ADD_AT_SAY, ADD_DO, ADD_SAY
from cdd_icm.plan.shared.speech.alterations import BECOME_DO, RECOLOUR_DO
from cdd_icm.plan.shared.speech.grammar import Grammar, pick
from cdd_icm.plan.shared.speech.movements import REMOVE_DO, REMOVE_SAY
from cdd_icm.plan.shared.speech.requests import Clause, dressed, request

_BESIDE = (
    "next to",
    "near",
    "to the left of",
    "to the right of",
    "behind",
    "on",
    "above",
    "under",
    "in front of",
)
_SECOND = Grammar("""
    another {k}*4
    a second {k}*3
    one more {k}*3
    (two|three|2|3|four|five|ten|many|lots of|a lot of|more) {ks}*6
    an additional {k}
    an extra {k}
    a (twin|copy|clone) of the {k}
    """)
_MOVE = Grammar("""
    (<move>*6|<shift>*2|<slide>*2|<push>*2|<drag>|<pull>|<bring>|<nudge>|<relocate>) {x} {p}
    """)
_MOVE_SAY = Grammar("""
    {x} should be moved {p}*2
    {x} (should|has to|needs to) move {p}*3
    (can|could) {x} be moved {p}?
    """)
_WAYS = (
    "to the "
    "left", "to the right", "up", "down", "a bit to the left", "to the other side", "a little to the right",
    "further "
    "up", "lower", "higher", "closer", "to the middle", "over to the left", "further right", "down a bit",
)  # fmt: skip
_BECOME = Grammar("""
    <turn> {x} into {t}*5
    <replace> {x} (with|by) {t}*6
    <change> {x} (into|to) {t}*4
    <swap> {x} for {t}*2
    <exchange> {x} for {t}
    <transform> {x} into {t}
    """)
_CRISP = {
    word: members
    for words, members in (
        (("hat", "hats"), HATS),
        (("tree", "trees"), TREES),
        (("ball", "balls"), BALLS),
        (("animal", "animals", "creature"), ANIMALS),
        (("pet",), ANIMALS),
        (("bird", "birds"), ("duck", "owl")),
        (("person", "kid", "kids", "child", "children"), PEOPLE),
        (("food", "snack", "snacks"), FOOD),
        (("flying machine", "vehicle"), (*SKY, "kite")),
        (("clouds",), ("cloud", "rain cloud", "lightning cloud")),
    )
    for word in words
}
"""General words, and the pieces that they may mean at the widest."""
_TOLD = ("tree", "ball", "hat", "animal", "bird", "pet", "kid", "toy")
"""General words that single out a piece only where there is one of the kind."""


def _lacked(rng: np.random.Generator) -> str:
    """An article and a noun phrase that no piece fits."""
    chance = rng.random()
    if chance < 0.07:
        return f"{pick(rng, ('some', 'two', 'three', 'many', 'lots of', 'a few'))} {pick(rng, MANY_LACKED)}"
    thing = pick(rng, LACKED)
    if thing in PLURALS:
        return pick(
            rng, ("some {}", "{}", "lots of {}", "a few {}" if thing.endswith("s") else "more {}")
        ).format(thing)
    size = f"{pick(rng, SIZES[pick(rng, '012')])} " if rng.random() < 0.15 else ""
    colour = f"{pick(rng, COLOURS)} " if rng.random() < 0.15 else ""
    words = f"{size if size[:5] not in ('close', 'far a', 'dista') else ''}{colour}{thing}"
    if rng.random() < 0.12:
        return pick(rng, ("the {}", "one {}", "another {}", "my {}")).format(words)
    return with_article(words, "" if rng.random() < 0.06 else "a", rng)


def _in_another_colour(rng: np.random.Generator, name: str) -> str | None:
    """A noun phrase for a piece in a colour that it does not have; None if the drawn one may be its own."""
    colour, noun = pick(rng, COLOURS), pick(rng, NAMES[name])
    own = " ".join(NAMES[name])
    if colour in own or noun in BARE or len(noun.split()) > 2 or any(other in noun for other in COLOURS):
        return None
    if name in HATS or "ball" in name or is_plural(noun) or colour in _ANY_COLOUR.get(name, ()):
        return None
    return with_article(f"{colour} {noun}", "a", rng)


_ANY_COLOUR = {
    "cloud": ("black", "white", "gray", "grey"),
    "lightning cloud": ("black", "grey", "gray"),
    "rain cloud": ("black", "grey", "gray"),
    "bear": ("black",),
    "cat": ("yellow",),
    "dog": ("yellow", "golden"),
    "oak tree": ("green",),
    "pine tree": ("green",),
    "apple tree": ("green", "red"),
    "sun": ("yellow", "orange", "golden"),
    "table": ("yellow",),
    "slide": ("pink", "red", "silver"),
    "airplane": ("grey", "gray", "white", "silver"),
    "snake": ("green",),
}
"""Colours that people may call a piece's own, beside those in its names."""


def unknown_text(rng: np.random.Generator, scene: Sequence[SceneObject], speaker: Speaker) -> str | None:
    """A request for something that the world lacks; None if the drawn one may be had."""
    clause = _unknown(rng, scene, speaker)
    return None if clause is None else dressed(rng, request(rng, [clause]))


def _unknown(rng: np.random.Generator, scene: Sequence[SceneObject], speaker: Speaker) -> Clause | None:
    chance = rng.random()
    if chance < 0.5 or not scene:
        if chance < 0.03:
            noun = _in_another_colour(rng, pick(rng, CODRAW_CLASSES))
            if noun is None:
                return None
        else:
            noun = _lacked(rng)
        if rng.random() < 0.5:
            return Clause(ADD_DO, ADD_SAY, {"n": noun})
        text = in_picture(new_piece("dog", rng), rng).text
        if scene and rng.random() < 0.5:
            text = f"{pick(rng, _BESIDE)} {speaker.the(pick(rng, scene), 0.0)}"
        return Clause(ADD_AT_DO, ADD_AT_SAY, {"n": noun, "p": text})
    obj = pick(rng, scene)
    x = speaker.the(obj)
    if chance < 0.58:  # a second one of the same class
        noun = pick(rng, NAMES[obj.name])
        if noun in BARE or is_plural(noun) or len(noun.split()) > 2 or noun == "cloud" or "hat" in noun:
            return None
        ks = noun[:-1] + "ies" if noun[-1] == "y" and noun[-2] not in "aeiou" else f"{noun}s"
        return Clause(ADD_DO, ADD_SAY, {"n": _SECOND(rng, {"k": noun, "ks": ks})})
    if chance < 0.69:
        colour = pick(rng, COLOURS)
        if colour in " ".join(NAMES[obj.name]) or colour in _ANY_COLOUR.get(obj.name, ()):
            return None
        return Clause(RECOLOUR_DO, None, {"x": x, "c": colour, "o": pick(rng, COLOURS)})
    if chance < 0.75:
        return Clause(BECOME_DO, None, {"x": x, "t": _lacked(rng)})
    if chance < 0.8:
        thing = pick(rng, LACKED)
        return Clause(REMOVE_DO, REMOVE_SAY, {"x": f"the {thing}", "k": thing})
    if chance < 0.84:
        if rng.random() < 0.5:
            return Clause(_MOVE, None, {"x": x, "p": pick(rng, SOMEWHERE)})
        name = pick(rng, CODRAW_CLASSES)
        slots = {"n": with_article(pick(rng, NAMES[name]), "a", rng), "p": pick(rng, SOMEWHERE)}
        return Clause(ADD_AT_DO, ADD_AT_SAY, slots)
    people = [obj for obj in scene if obj.name in PEOPLE]
    if chance < 0.9 and people:
        return Clause(ON_PEOPLE, None, {"x": speaker.the(pick(rng, people), 0.6)})
    if chance < 0.96:
        slots = {"x": x, "y": speaker.the(pick(rng, scene), 0.0), "m": pick(rng, MATERIALS)}
        return Clause(STRANGE, None, slots)
    return Clause(SCENERY, None, {"x": x})


def _lost(
    rng: np.random.Generator, scene: Sequence[SceneObject], touched: Sequence[str]
) -> tuple[str, str] | None:
    """Words that single out no piece of the scene, and the class that they speak of ("" if of several)."""
    here = {obj.name for obj in scene}
    chance = rng.random()
    if chance < 0.2 and not scene:
        return pick(
            rng, ("it", "them", "the other one", "that", "this", "both", "the last one", "it", "it")
        ), ""
    if chance < 0.3:
        gone = [name for name in PEOPLE if name not in here]
        if not gone or (len(gone) == 2 and here & set(ANIMALS)):
            return None  # an animal may be "him"
        name = pick(rng, gone)
        return {"boy": "him", "girl": "her"}[name], name
    if chance < 0.42:  # there are several of the kind, and the turn before drew none or all of them
        words = [
            word
            for word in _TOLD
            if len(here & set(GENERAL[word])) > 1 and not set(touched) & set(GENERAL[word])
        ]
        return (f"the {pick(rng, words)}", "") if words else None
    if chance < 0.55:
        words = [word for word, members in _CRISP.items() if not here & set(members)]
        return (f"the {pick(rng, words)}", "") if words else None
    name = pick(rng, [name for name in CODRAW_CLASSES if name not in here])
    noun = pick(rng, NAMES[name])
    last = noun.split()[-1]
    if any(last in other.split() for there in here for other in NAMES[there]):
        return None  # it may be taken for that
    return (noun if noun in BARE else f"the {noun.removeprefix('some ')}"), name


def absent_text(rng: np.random.Generator, scene: Sequence[SceneObject], touched: Sequence[str]) -> str | None:
    """A request about a piece that is not there or not singled out; None if the drawn words could mean one
    that is."""
    lost = _lost(rng, scene, touched)
    if lost is None:
        return None
    x, name = lost
    noun, chance = x.removeprefix("the "), rng.random()
    subject = x not in NO_SUBJECT and noun not in MANY and not is_plural(x) and x not in ("both", "it")
    if name in PEOPLE and chance < 0.35:
        return dressed(rng, request(rng, [_of_person(rng, x)]))
    if chance < 0.5:
        say = REMOVE_SAY if rng.random() < 0.6 else REMOVE_MORE_SAY
        clause = Clause(
            REMOVE_DO, say if subject and name and noun not in BARE else None, {"x": x, "k": noun}
        )
    elif chance < 0.7:
        clause = Clause(_MOVE, _MOVE_SAY if subject else None, {"x": x, "p": pick(rng, _WAYS)})
    elif chance < 0.84:
        do, say = pick(rng, ((SMALLER_DO, SMALLER_SAY), (BIGGER_DO, BIGGER_SAY)))
        clause = Clause(do, say if subject else None, {"x": x, "k": noun})
    elif chance < 0.9:
        side = pick(rng, ("left", "right"))
        kind = pick(rng, ("around", "side"))
        clause = Clause(
            TURN_AROUND[kind], TURN_AROUND[f"{kind} say"] if subject else None, {"x": x, "d": side}
        )
    else:
        thing = with_article(pick(rng, NAMES[pick(rng, CODRAW_CLASSES)]), "a", rng)
        clause = Clause(_BECOME, None, {"x": x, "t": thing})
    return dressed(rng, request(rng, [clause]))


def _of_person(rng: np.random.Generator, x: str) -> Clause:
    """Another face or pose, or something to wear, for a person who is not there."""
    chance = rng.random()
    owner = {"him": "his", "her": "her"}.get(x, f"{x}'s")
    if chance < 0.4:
        face = pick(rng, tuple(FACES))
        return Clause(CHANGE_FACE[face], None, {"x": x, "o": owner, "f": pick(rng, FACES[face])})
    if chance < 0.7:
        pose = pick(rng, tuple(POSES))
        return Clause(CHANGE_POSE[pose], None, {"x": x, "o": owner, "f": pick(rng, POSES[pose])})
    noun = pick(rng, NAMES[pick(rng, HATS)])
    return Clause(GIVE if chance < 0.85 else GIVE_WORN, None, {"x": x, "n": with_article(noun, "a", rng)})
