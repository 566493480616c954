"""How large pieces of clip art are, where they usually stand, and where people have heads, hands and feet.

Measures of the drawings are in pixels at depth 0, of a canvas of 500x400; positions are fractions of the
picture.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cdd_icm.data.codraw_painter import ANIMALS, CLOTHES, FOOD, HEIGHT, LARGE, SCALE, SKY, TOYS, WIDTH
from cdd_icm.data.dialog import SceneObject

EYES = ("glasses", "sunglasses")
HATS = tuple(name for name in CLOTHES if name not in EYES)
PEOPLE = ("boy", "girl")
TREES = ("pine tree", "oak tree", "apple tree")
HELD = frozenset((*FOOD, *TOYS)) - {"campfire"}
"""Pieces that a person may hold."""
FACING = (*PEOPLE, *ANIMALS, "airplane", "helicopter", "spring bee", "rocket", "slide", "baseball cap")
"""Pieces that face a side."""
DRAWN_LEFT = frozenset(("kite", "oak tree", "rocket"))
"""Pieces whose unflipped drawing faces left instead of right."""

SIZE = {
    "helicopter": (196, 110), "hot air balloon": (136, 186), "cloud": (170, 102), "sun": (148, 148),
    "lightning cloud": (158, 188), "rain cloud": (176, 206), "rocket": (118, 108), "airplane": (230, 122),
    "spring bee": (98, 110), "slide": (248, 262), "sandbox": (380, 118), "grill": (72, 92),
    "swing set": (360, 304), "tent": (424, 200), "table": (270, 114), "pine tree": (368, 766),
    "oak tree": (290, 508), "apple tree": (376, 428), "bear": (178, 258), "cat": (62, 82), "dog": (142, 106),
    "duck": (76, 72), "owl": (46, 66), "snake": (104, 70), "baseball cap": (78, 46), "crown": (70, 54),
    "chef hat": (90, 76), "pirate hat": (90, 42), "winter hat": (70, 50), "propeller hat": (66, 40),
    "wizard hat": (90, 76), "viking hat": (76, 52), "glasses": (62, 22), "sunglasses": (62, 16),
    "pie": (62, 30), "pizza": (88, 32), "hot dog": (54, 30), "ketchup": (16, 40), "mustard": (16, 40),
    "burger": (38, 28), "soda": (30, 34), "baseball": (78, 54), "bucket": (46, 72), "beach ball": (78, 78),
    "basketball": (60, 60), "soccer ball": (62, 60), "tennis ball": (20, 20), "football": (60, 42),
    "frisbee": (64, 30), "baseball bat": (50, 124), "balloons": (108, 232), "baseball glove": (54, 50),
    "shovel": (34, 60), "tennis racket": (96, 104), "kite": (310, 264), "campfire": (88, 118),
    "boy": (120, 200), "girl": (120, 194),
}  # fmt: skip
"""Width and height of each drawing; of standing people."""
SITTING = {"4": (148, 147), "5": (174, 144)}
"""Width and height of people by the poses in which they sit."""
HEAD = {
    "boy": ((-13, -99), (-6, -94), (-14, -99), (-5, -98), (3, -74), (-14, -68), (-15, -98)),
    "girl": ((-11, -102), (-4, -103), (-21, -99), (0, -98), (3, -73), (-15, -75), (2, -99)),
}
"""The middle of a hat that a person wears from the person's, by pose; they face right. Medians of CoDraw."""
FACE = {
    "boy": ((-16, -65), (-9, -61), (-18, -67), (-8, -65), (1, -39), (-17, -35), (-18, -64)),
    "girl": ((-10, -65), (-4, -68), (-22, -66), (-1, -64), (1, -40), (-16, -41), (2, -65)),
}
"""The middle of the glasses that a person wears."""
HANDS = {
    "boy": (
        ((48, -5),),
        ((52, -88), (-50, -98)),
        ((38, -2), (-68, 25)),
        ((46, 0),),
        ((72, 30), (-72, 40)),
        ((28, 4), (-80, 42)),
        ((52, -54),),
    ),
    "girl": (
        ((54, -5),),
        ((52, -78), (-50, -88)),
        ((38, -2), (-55, 25)),
        ((52, -16),),
        ((60, 32), (-66, -42)),
        ((28, 18), (-78, 42)),
        ((-62, -70), (62, 8)),
    ),
}
"""Hands of a person, the one that holds things first."""
FEET = {
    "boy": ((15, 90), (5, 95), (65, 35), (5, 80), (0, 68), (78, 50), (15, 90)),
    "girl": ((20, 92), (22, 90), (66, 32), (2, 88), (20, 68), (74, 55), (18, 93)),
}
"""The foremost foot of a person."""
HAT_ABOVE = {"baseball cap": 5, "wizard hat": -12, "chef hat": -15}
"""How much further down than other hats a hat is worn."""
GROUND = (0.87, 0.82, 0.77)
"""Where the lower edge of what stands on the ground is, by depth."""
_DEPTHS = {
    **dict.fromkeys(SKY, "0001122"),
    **dict.fromkeys(("airplane", "helicopter", "hot air balloon"), "012"),
    **dict.fromkeys(LARGE, "0001112"),
    **dict.fromkeys(TREES, "01122"),
    "grill": "00001",
    "spring bee": "0001",
    "bear": "0001",
    "dog": "0001",
}


def between(rng: np.random.Generator, low: float, high: float) -> float:
    """A number between the two."""
    return low + (high - low) * rng.random()


def usual_depth(name: str, rng: np.random.Generator) -> str:
    """A depth that pieces of the class often have."""
    depths = _DEPTHS.get(name, "0000001")
    return depths[int(rng.random() * len(depths))]


def scale_of(obj: SceneObject) -> float:
    return SCALE[int(obj.look["depth"])]


def half_size(obj: SceneObject) -> tuple[float, float]:
    """Half the width and half the height of a piece."""
    width, height = SITTING.get(obj.look.get("pose", ""), SIZE[obj.name])
    scale = scale_of(obj)
    return width * scale / WIDTH / 2, height * scale / HEIGHT / 2


def is_grounded(name: str) -> bool:
    """Whether pieces of the class usually stand or lie on the ground."""
    return name not in SKY and name != "kite" and name not in CLOTHES


def usual_height(obj: SceneObject, rng: np.random.Generator) -> float:
    """A height (of its middle) at which such a piece is usually seen."""
    half = half_size(obj)[1]
    if obj.name in SKY or obj.name == "kite":
        return max(half + 0.01, between(rng, 0.12, 0.22))
    if obj.name == "owl":
        return between(rng, 0.35, 0.6)
    base = GROUND[int(obj.look["depth"])] + between(rng, -0.04, 0.05)
    return min(max(base - half, 0.02), 0.97)


def at_point(person: SceneObject, offset: tuple[float, float]) -> tuple[float, float]:
    """The place (x, y) of a point of a person's drawing, from its middle when the person faces right."""
    ahead, scale = (1 if person.look["flip"] == "0" else -1), scale_of(person)
    return person.x + ahead * offset[0] * scale / WIDTH, person.y + offset[1] * scale / HEIGHT


def on_head(name: str, person: SceneObject) -> tuple[float, float]:
    """Where a hat or glasses of a class are worn."""
    pose = int(person.look["pose"])
    x, y = (FACE if name in EYES else HEAD)[person.name][pose]
    return at_point(person, (x, y + HAT_ABOVE.get(name, 0)))


def wears(person: SceneObject, obj: SceneObject) -> bool:
    """Whether a hat or glasses are on the head of a person."""
    if obj.name not in CLOTHES:
        return False
    x, y = on_head(obj.name, person)
    return abs(obj.x - x) < 0.05 * scale_of(person) + 0.01 and abs(obj.y - y) < 0.07 * scale_of(person) + 0.01


def side_of(obj: SceneObject) -> str:
    """The side that a piece faces."""
    return "left" if (obj.look["flip"] == "1") != (obj.name in DRAWN_LEFT) else "right"


def faced(obj: SceneObject, side: str) -> SceneObject:
    """The piece, facing that side."""
    if side_of(obj) == side:
        return obj
    return replace(obj, look={**obj.look, "flip": "0" if obj.look["flip"] == "1" else "1"})


def resized(obj: SceneObject, depth: str) -> SceneObject:
    """The piece in another size; its middle stays where it is."""
    return replace(obj, depth=float(depth), look={**obj.look, "depth": depth})
