"""Where in the picture pieces of clip art are put, and how people say so."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cdd_icm.data.codraw_painter import SKY
from cdd_icm.data.dialog import SceneObject
from cdd_icm.plan.pieces.clip_art.shapes import TREES, between, half_size, is_grounded, usual_height
from cdd_icm.plan.shared.speech.grammar import Grammar, pick


@dataclass(frozen=True)
class Place:
    """A place (x, y) of a piece's middle, as fractions of the picture, and words for it, if any.

    Attributes:
        says_height: whether the words say how high it is.
        depth: the size that a piece has there, if it depends on the place.
    """

    x: float
    y: float
    text: str
    says_height: bool = True
    depth: str | None = None


COLUMN = {
    "left": (0.08, 0.3),
    "far left": (0.03, 0.12),
    "middle": (0.44, 0.56),
    "right": (0.7, 0.92),
    "far right": (0.88, 0.97),
    "center left": (0.28, 0.42),
    "center right": (0.58, 0.72),
}
_PICTURE = "(picture|scene|canvas|image|page|screen|drawing)"
_SIDE = {
    side: Grammar(f"""
    on the {side}*8
    on the {side} side*5
    on {side}
    {side} side*3
    {side}*3
    to the {side}*3
    at the {side}
    on the {side}[-| ]hand side*2
    (in|on) the {side} [half|part|third|area] of the {_PICTURE}*2
    somewhere (on|to) the {side}
    over on the {side}*2
    (on|at) the {side} (of the {_PICTURE}|side of the {_PICTURE})*3
    {side} hand side
    towards the {side}
    over to the {side}
    off to the {side}
    """)
    for side in ("left", "right")
}
_FAR = {
    side: Grammar(f"""
    on the far {side}*6
    far {side}*5
    at the far {side} [side]*2
    (at|on|near|by|along|against) the {side} (edge|border|margin) [of the {_PICTURE}]*5
    all the way (to|on) the {side}*3
    very far (to the|) {side}
    as far {side} as (possible|it goes|you can)*2
    on the (very|extreme) {side}
    {side} edge*2
    all the way {side}
    (touching|against) the {side} side
    """)
    for side in ("left", "right")
}
_HALFWAY = {
    side: Grammar(f"""
    (a bit|a little|slightly|just) {side} of [the] (center|middle|centre)*4
    (center|centre|middle) {side}*2
    {side} of [the] (center|centre|middle)*3
    (in|at) the middle, (a bit|slightly|a little) to the {side}*2
    (a bit|slightly) to the {side} of the (middle|center|centre)*2
    almost in the (middle|center), on the {side}
    """)
    for side in ("left", "right")
}
_MIDDLE = Grammar(f"""
    in the (middle|center|centre)*8
    (middle|center|centre)*4
    in the (middle|center|centre) of the {_PICTURE}*4
    [right] in the very (middle|center|centre)
    right in the (middle|center|centre)*2
    (centered|centred|central|centrally)
    at the (center|centre)*2
    in the central part
    dead center
    in mid picture
    """)
_UP = Grammar(f"""
    at the top*5
    in the sky*9
    up in the sky*4
    (top|up top|up high|high up)*4
    (in the air|up in the air)*2
    (at|near|towards) the top of the {_PICTURE}*3
    in the upper (part|half|third)*2
    near the top*3
    overhead
    up there
    above everything
    up above
    up
    high in the sky*2
    up in the clouds
    """)
_HIGH = Grammar("""
    (up at|at|touching|near|along|against) the (top|upper) edge*4
    at the very top*4
    as high as possible*2
    all the way (up|at the top)*2
    (top edge|very high up)
    right at the top*2
    """)
_DOWN = Grammar(f"""
    at the bottom*6
    on the ground*7
    on the grass*8
    (at|near|towards) the bottom of the {_PICTURE}*3
    in the grass*3
    (down|bottom|low)*2
    down (below|low|there)
    on the (lawn|floor|green)*2
    in the foreground*2
    in front
    in the lower (part|half|third)*2
    near the bottom*3
    at the front
    on the meadow
    """)
_LOW = Grammar("""
    (at|touching|near|along|by) the (bottom|lower) edge*4
    at the very bottom*4
    as low as possible*2
    all the way (down|at the bottom)*2
    right at the bottom*2
    """)
_HORIZON = Grammar("""
    on the horizon*6
    at the horizon*3
    (near|along|by) the horizon*2
    on the skyline
    along the skyline
    in the background*3
    in the distance*2
    in the back*2
    """)
_HALF_HEIGHT = Grammar(
    "at mid height*2\nhalfway up*3\nhalf way up the picture\nat half height\nin the middle of the height"
)
_CORNER = Grammar("""
    in the {v} {h}*5
    in the {v} {h} corner*8
    {v} {h}*6
    {v} {h} corner*4
    at the {v} {h}*3
    in the {v}-{h} corner
    in the {h} {v} corner*2
    {h} {v}*3
    {h} {v} corner*2
    in the corner[,] [at the] {v} {h}
    in the corner on the {v} {h}
    (on|to) the {v} {h}*2
    {v} {h} hand corner
    {v}-{h}
    {v}{h}
    """)
_BOTH = Grammar("{a} {b}*4\n{a}, {b}\n{b} {a}*2\n{b}, {a}\n{a} and {b}")
_TOP, _BOTTOM = ("top", "top", "top", "upper"), ("bottom", "bottom", "bottom", "lower")
_CUT = {
    side: Grammar(f"""
    half out of the picture (on|at) the {side}*2
    (cut off|cut) (by|at) the {side} (edge|side|border)*4
    (partly|partially|half|a bit) (cut off|cut|off the page|off screen|hidden|out of frame) (on|\
        at) the {side}*4
    with (the {side} half|its {side} side|the {side} side|half of it) cut off*2
    sticking out (of the {_PICTURE}|) (on|at) the {side}
    {side} side cut off*2
    half off the {side} (edge|side)*2
    """)
    for side in ("left", "right", "top")
}


def anywhere(obj: SceneObject, rng: np.random.Generator) -> Place:
    """A usual place, of which nothing is said."""
    return Place(between(rng, 0.12, 0.88), usual_height(obj, rng), "", says_height=False)


def cut_off(obj: SceneObject, rng: np.random.Generator) -> Place:
    """A place at an edge that cuts the piece off, about in half."""
    side = pick(rng, ("left", "right", "left", "right", "top" if obj.name in SKY else "right"))
    if side == "top":
        return Place(between(rng, 0.1, 0.9), 0.01, _CUT[side](rng))
    x = between(rng, 0.0, 0.03)
    return Place(x if side == "left" else 1 - x, usual_height(obj, rng), _CUT[side](rng), says_height=False)


def in_picture(obj: SceneObject, rng: np.random.Generator) -> Place:
    """A side, an edge, a corner, the middle, the sky, the ground or the horizon."""
    chance = rng.random()
    tall = obj.name in TREES or half_size(obj)[1] > 0.3
    if chance < 0.22:
        return _corner(obj, rng, tall)
    if chance < 0.25:
        return cut_off(obj, rng)
    column = pick(
        rng,
        ("left", "right", "left", "right", "middle", "middle", "far left", "far right", "center left",
         "center right", ""),
    )  # fmt: skip
    x, words = between(rng, *COLUMN.get(column, (0.12, 0.88))), ""
    if column:
        side = column.split()[-1]
        words = (
            _MIDDLE
            if side == "middle"
            else (_FAR if "far" in column else _HALFWAY if " " in column else _SIDE)[side]
        )(rng)
    if column and rng.random() < 0.55:
        return Place(x, usual_height(obj, rng), words, says_height=False)
    y, height = _height(obj, rng, tall)
    return Place(x, y, _BOTH(rng, {"a": height, "b": words}) if words else height)


def _corner(obj: SceneObject, rng: np.random.Generator, tall: bool) -> Place:
    h = pick(rng, ("left", "right"))
    top = rng.random() < (0.85 if obj.name in SKY else 0.2 if tall else 0.4)
    x = between(rng, 0.05, 0.18)
    y = between(rng, 0.06, 0.2) if top else between(rng, 0.8, 0.94)
    if tall and not top:  # its foot is in the corner
        y = max(0.95 - half_size(obj)[1], 0.1)
    words = _CORNER(rng, {"h": h, "v": pick(rng, _TOP if top else _BOTTOM)})
    return Place(x if h == "left" else 1 - x, y, words)


def _height(obj: SceneObject, rng: np.random.Generator, tall: bool) -> tuple[float, str]:
    """A height, and words for it."""
    chance, half = rng.random(), half_size(obj)[1]
    if obj.name in SKY and chance < 0.85 or (chance < 0.2 and not tall):
        return (
            (between(rng, 0.08, 0.22), _UP(rng))
            if rng.random() < 0.85
            else (between(rng, 0.03, 0.08), _HIGH(rng))
        )
    if chance < 0.3 and is_grounded(obj.name):  # its foot is on the line between grass and sky
        return max(between(rng, 0.6, 0.66) - half, 0.02), _HORIZON(rng)
    if chance < 0.36 and not tall:
        return between(rng, 0.45, 0.55), _HALF_HEIGHT(rng)
    if chance < 0.9 or tall:
        return max(between(rng, 0.84, 0.95) - half, 0.05), _DOWN(rng)
    return min(max(between(rng, 0.97, 1.0) - half, 0.1), 0.97), _LOW(rng)


_BIT = (
    "(a bit|a little|a little bit|slightly|a tad|a touch|an inch|some|just a bit|a hair|a smidge|"
    "a tiny bit|a few inches|one step|a wee bit|ever so slightly|half an inch)"
)
_LOT = "(far|a lot|much|way|a good bit|well|quite a bit|a long way|much further|lots|two or three inches)"
_WAYS = {
    "left": ("to the left|left|more to the left|over to the left|further left|leftwards|further to the left",
             "left|to the left"),
    "right": ("to the right|right|more to the right|over to the right|further right|further to the right",
              "right|to the right"),
    "up": ("up|higher|higher up|upwards|further up|upward|towards the top", "up|higher"),
    "down": ("down|lower|lower down|downwards|further down|downward|towards the bottom", "down|lower"),
}  # fmt: skip
_SHIFT = {way: Grammar(f"({words})*5\n({first})*5") for way, (words, first) in _WAYS.items()}
_SHIFT_BIT = {
    way: Grammar(f"{_BIT} ({words})*5\n({first}) {_BIT}*2") for way, (words, first) in _WAYS.items()
}
_SHIFT_LOT = {
    way: Grammar(f"{_LOT} ({words})*4\n({first}) (a lot|by a lot|quite a bit)")
    for way, (words, first) in _WAYS.items()
}
_TO_EDGE = {
    "left": _FAR["left"],
    "right": _FAR["right"],
    "up": _HIGH,
    "down": _LOW,
}
_STEP = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}


def shifted_place(obj: SceneObject, rng: np.random.Generator) -> Place | None:
    """A place some way off in one direction; None if that leaves the picture."""
    way, amount = pick(rng, ("left", "right", "left", "right", "up", "down")), rng.random()
    if amount < 0.42:
        far, text = between(rng, 0.08, 0.1), _SHIFT_BIT[way](rng)
    elif amount < 0.54:
        far, text = between(rng, 0.3, 0.36), _SHIFT_LOT[way](rng)
    else:
        far, text = between(rng, 0.15, 0.2), _SHIFT[way](rng)
    right, down = _STEP[way]
    if rng.random() < 0.08:  # along both axes
        other = pick(rng, ("up", "down") if right else ("left", "right"))
        text = f"{text} and {_SHIFT[other](rng)}"
        across, along = _STEP[other]
        return inside(Place(obj.x + far * right + 0.15 * across, obj.y + far * down + 0.15 * along, text))
    return inside(Place(obj.x + right * far, obj.y + down * far, text))


def inside(place: Place) -> Place | None:
    """The place, if it is in the picture."""
    return place if 0.01 <= place.x <= 0.99 and 0.01 <= place.y <= 0.99 else None
