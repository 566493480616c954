"""Where pieces of clip art are put, and how people say so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from cdd_icm.data.codraw_painter import FOOD, SCALE, SKY, TOYS
from cdd_icm.data.dialog import SceneObject
from cdd_icm.plan.pieces.clip_art.names import HATS, NAMES, PEOPLE, with_article
from cdd_icm.plan.shared.speech.grammar import Grammar, pick
from cdd_icm.plan.shared.speech.place_words import AT_SIDE, BETWEEN, NEAR_IT

EYES = ("glasses", "sunglasses")
HELD = frozenset((*FOOD, *TOYS)) - {"campfire"}
"""Pieces that a person may hold."""
SITTING = ("4", "5")


@dataclass(frozen=True)
class Place:
    """A place (x, y), as fractions of the picture, and words for it; "" if nothing is said of it."""

    x: float
    y: float
    text: str
    says_height: bool = True


COLUMN = {
    "left": (0.06, 0.34),
    "far left": (0.03, 0.14),
    "middle": (0.42, 0.58),
    "right": (0.66, 0.94),
    "far right": (0.86, 0.97),
}
_SIDE = {
    side: Grammar(f"""
    on the {side}*6
    on the {side} side*4
    on {side}
    {side} side*2
    {side}*2
    to the {side}*2
    at the {side}
    on the {side}[-| ]hand side*2
    (in|on) the {side} [half|part] of the (picture|scene|canvas|image|page)*2
    somewhere (on|to) the {side}
    over on the {side}
    """)
    for side in ("left", "right")
}
_FAR = {
    side: Grammar(f"""
    on the far {side}*5
    far {side}*3
    at the far {side} [side]*2
    (at|on|near|by) the {side} (edge|border) [of the (picture|scene|canvas)]*4
    all the way (to|on) the {side}*2
    very far (to the|) {side}
    against the {side} (edge|side)
    """)
    for side in ("left", "right")
}
_MIDDLE = Grammar("""
    in the (middle|center|centre)*7
    (middle|center|centre)*2
    in the (middle|center|centre) of the (picture|scene|canvas|image|page)*3
    right in the (middle|center|centre)
    centered
    """)
_UP = Grammar("""
    at the top*4
    in the sky*6
    up in the sky*2
    (top|up top|up high|high up)*2
    in the air
    (at|near) the top of the (picture|scene|canvas|image|page)*2
    in the upper part
    near the top*2
    overhead
    """)
_HIGH = Grammar("(up at|at|touching|near) the (top|upper) edge\nat the very top*2\nas high as possible")
_DOWN = Grammar("""
    at the bottom*4
    on the ground*5
    on the grass*5
    (at|near) the bottom of the (picture|scene|canvas|image|page)*2
    in the grass
    (down|bottom)
    down below
    on the lawn
    in the foreground
    in front
    in the lower part
    """)
_CORNER = Grammar("""
    in the {v} {h}*4
    in the {v} {h} corner*6
    {v} {h}*4
    {v} {h} corner*3
    at the {v} {h}*2
    in the {v}-{h} corner
    in the {h} {v} corner
    {h} {v}
    {h} {v} corner
    in the corner [at the] {v} {h}
    """)
_BOTH = Grammar("{a} {b}*3\n{a}, {b}\n{b} {a}\n{b}, {a}\n{a} and {b}")
ABOVE = Grammar("above {x}*7\nover {x}*4\n(right|just|directly|high) above {x}*2\nover the top of {x}\n"
                "on top of {x}\nup above {x}\nhovering (above|over) {x}\nover {x}'s head")  # fmt: skip
BELOW = Grammar(
    "below {x}*5\nunder {x}*6\nunderneath {x}*4\nbeneath {x}*3\n(right|just|directly) (below|under) {x}"
)
ON = Grammar("on {x}*7\non top of {x}*4\nonto {x}\nsitting on {x}\nstanding on {x}\nup on {x}")
BEHIND = Grammar("behind {x}*8\n(right|just|a bit) behind {x}*2\nin back of {x}\nbehind of {x}")
FRONT = Grammar("in front of {x}*8\n(right|just) in front of {x}*2\nbefore {x}\ninfront of {x}\nin front {x}")
ON_HEAD = Grammar("""
    on {x}'s head*7
    on {x}*4
    on top of {x}'s head*2
    on the head of {x}*2
    over {x}'s head
    for {x}*2
    on {x}'s hair
    """)
ON_EYES = Grammar("on {x}*4\non {x}'s face*4\nover {x}'s eyes*2\non {x}'s nose*2\non {x}'s eyes\nfor {x}*2")
IN_HAND = Grammar("""
    in {x}'s hand*6
    in {x}'s hands*2
    in the hand of {x}*2
    in {x}'s (left|right|other|one) hand
    for {x} to hold
    at {x}'s hand
    held by {x}
    """)
AT_FEET = Grammar("""
    (at|by|near|next to|beside) {x}'s (feet|foot)*6
    (at|by) the feet of {x}*2
    under {x}'s (foot|feet)
    in front of {x}'s (feet|foot)
    """)
LITTLE = Grammar(
    "a bit*4\na little*4\na little bit*3\nslightly*4\na tad\na touch\nan inch\nsome\njust a bit\na hair"
)
FAR = Grammar("far*2\na lot*3\nmuch (further|farther)\nway*2\na good bit\nwell")


def between(rng: np.random.Generator, low: float, high: float) -> float:
    """A number between the two."""
    return low + (high - low) * rng.random()


def natural_height(name: str, rng: np.random.Generator) -> float:
    """A height at which a piece of the class is usually seen."""
    if name in SKY or name == "kite":
        return between(rng, 0.08, 0.32)
    if name in HATS or name in EYES:
        return between(rng, 0.45, 0.8)
    return between(rng, 0.58, 0.88)


def anywhere(name: str, rng: np.random.Generator) -> Place:
    """A usual place, of which nothing is said."""
    return Place(between(rng, 0.08, 0.92), natural_height(name, rng), "")


def in_picture(name: str, rng: np.random.Generator) -> Place:
    """A side, an edge, a corner or the middle of the picture."""
    chance = rng.random()
    if chance < 0.25:  # a corner
        h, v = pick(rng, ("left", "right")), pick(rng, ("top", "bottom"))
        x = between(rng, *((0.05, 0.22) if h == "left" else (0.78, 0.95)))
        y = between(rng, 0.06, 0.24) if v == "top" else between(rng, 0.76, 0.95)
        v = pick(rng, ("top", "top", "upper")) if v == "top" else pick(rng, ("bottom", "bottom", "lower"))
        return Place(x, y, _CORNER(rng, {"h": h, "v": v}))
    column = pick(rng, ("left", "right", "left", "right", "middle", "far left", "far right", ""))
    x = between(rng, *COLUMN.get(column, (0.08, 0.92)))
    side = column.split()[-1] if column else ""
    words = ""
    if column:
        words = _MIDDLE(rng) if side == "middle" else (_FAR if "far" in column else _SIDE)[side](rng)
    vertical = rng.random()
    if vertical < 0.5 and column or chance > 0.93:
        return Place(x, natural_height(name, rng), words, says_height=False)
    if vertical < 0.78 if name in SKY else vertical < 0.6:
        y, height = between(rng, 0.06, 0.3), _UP(rng)
        if rng.random() < 0.12:
            y, height = between(rng, 0.04, 0.1), _HIGH(rng)
    else:
        y, height = between(rng, 0.66, 0.93), _DOWN(rng)
    return Place(x, y, _BOTH(rng, {"a": height, "b": words}) if words else height)


def _scale(obj: SceneObject) -> float:
    return SCALE[int(obj.look.get("depth", "0"))]


_BESIDE = (
    *("left", "right", "left", "right", "near", "near"),
    *("above", "below", "on", "behind", "front", "between"),
)


def beside(
    name: str, scene: Sequence[SceneObject], rng: np.random.Generator, say: Callable[[SceneObject], str]
) -> Place | None:
    """A place by something in the scene; None if there is none in the picture."""
    people = [obj for obj in scene if obj.name in PEOPLE]
    marks = [obj for obj in scene if obj.name != name]
    if not marks:
        return None
    if people and (name in HATS or name in EYES or name in HELD) and rng.random() < 0.75:
        return _inside(by_person(name, pick(rng, people), rng, say))
    mark = pick(rng, marks)
    x, y, s, words = mark.x, mark.y, _scale(mark), {"x": say(mark)}
    kind = pick(rng, _BESIDE)
    low = y + between(rng, -0.04, 0.06)
    if name not in SKY and mark.name in SKY:
        low = max(y, between(rng, 0.6, 0.85))
    if kind == "left":
        place = Place(x - between(rng, 0.09, 0.26), low, AT_SIDE["left"](rng, words))
    elif kind == "right":
        place = Place(x + between(rng, 0.09, 0.26), low, AT_SIDE["right"](rng, words))
    elif kind == "near":
        side = 1 if rng.random() < 0.5 else -1
        text = NEAR_IT(rng, words) if rng.random() < 0.7 else f"beside {words['x']}"
        place = Place(x + side * between(rng, 0.08, 0.16), low, text)
    elif kind == "above":
        place = Place(x + between(rng, -0.05, 0.05), y - between(rng, 0.15, 0.32), ABOVE(rng, words))
    elif kind == "below":
        place = Place(x + between(rng, -0.05, 0.05), y + between(rng, 0.13, 0.3), BELOW(rng, words))
    elif kind == "on":
        place = Place(x + between(rng, -0.06, 0.06), y - between(rng, 0.08, 0.2) * s, ON(rng, words))
    elif kind == "behind":
        place = Place(x + between(rng, -0.07, 0.07), y - between(rng, 0.03, 0.1), BEHIND(rng, words))
    elif kind == "front":
        place = Place(x + between(rng, -0.06, 0.06), y + between(rng, 0.05, 0.13), FRONT(rng, words))
    else:
        others = [obj for obj in marks if abs(obj.x - x) > 0.2]
        if not others:
            return None
        other = pick(rng, others)
        place = Place((x + other.x) / 2, (y + other.y) / 2, BETWEEN(rng, words | {"y": say(other)}))
    return _inside(place)


def _inside(place: Place) -> Place | None:
    """The place, if it is in the picture."""
    return place if 0.02 <= place.x <= 0.98 and 0.03 <= place.y <= 0.97 else None


def by_person(
    name: str, person: SceneObject, rng: np.random.Generator, say: Callable[[SceneObject], str]
) -> Place:
    """On the head, over the eyes, in the hand or at the feet of a person."""
    words = say(person)
    words = {"x": f"the {person.name}" if words in ("him", "her", "them") else words}  # not "him's hand"
    s, x = _scale(person), person.x
    ahead = 1 if person.look.get("flip") == "0" else -1
    sits = person.look.get("pose") in SITTING
    if name in HATS:
        return Place(
            x + between(rng, -0.01, 0.01), person.y - (0.19 if sits else 0.24) * s, ON_HEAD(rng, words)
        )
    if name in EYES:
        return Place(x + 0.01 * ahead, person.y - (0.12 if sits else 0.17) * s, ON_EYES(rng, words))
    if rng.random() < 0.7:
        return Place(x + ahead * between(rng, 0.08, 0.13) * s, person.y - 0.03 * s, IN_HAND(rng, words))
    drop = (0.13 if sits else 0.22) * s
    return Place(x + ahead * between(rng, 0.02, 0.12), person.y + drop, AT_FEET(rng, words))


_SHIFT = {
    "left": Grammar(
        "to the left*6\nleft*3\nleftwards\nover to the left*2\nfurther left*2\nmore to the left*2"
    ),
    "right": Grammar("to the right*6\nright*3\nover to the right*2\nfurther right*2\nmore to the right*2"),
    "up": Grammar("up*6\nhigher*4\nhigher up*2\nupwards*2\nfurther up*2\ntowards the top"),
    "down": Grammar("down*6\nlower*4\nlower down*2\ndownwards*2\nfurther down*2\ntowards the bottom"),
}
_STEP = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}


def shifted_place(obj: SceneObject, rng: np.random.Generator) -> Place | None:
    """A place some way off in one direction; None if that leaves the picture."""
    way = pick(rng, tuple(_STEP))
    text, amount = _SHIFT[way](rng), rng.random()
    if amount < 0.4:
        far, text = between(rng, 0.07, 0.12), f"{LITTLE(rng)} {text}"
    elif amount < 0.55:
        far, text = between(rng, 0.26, 0.4), f"{FAR(rng)} {text}"
    else:
        far = between(rng, 0.13, 0.26)
    right, down = _STEP[way]
    return _inside(Place(obj.x + right * far, obj.y + down * far, text))


def closer(
    obj: SceneObject, mark: SceneObject, rng: np.random.Generator, say: Callable[[SceneObject], str]
) -> Place | None:
    """A place nearer to something, or further from it."""
    dx, dy = mark.x - obj.x, mark.y - obj.y
    if abs(dx) < 0.25:
        return None
    if rng.random() < 0.75:
        text = pick(rng, ("closer to", "nearer to", "towards", "closer to", "toward", "nearer"))
        share = between(rng, 0.4, 0.6)
    else:
        text = pick(rng, ("away from", "further from", "farther away from", "further away from"))
        share = -between(rng, 0.2, 0.4)
    return _inside(Place(obj.x + share * dx, obj.y + 0.3 * share * dy, f"{text} {say(mark)}"))


def named(rng: np.random.Generator, name: str, article: str) -> str:
    """One of the names of a class with an article."""
    return with_article(pick(rng, NAMES[name]), article)
