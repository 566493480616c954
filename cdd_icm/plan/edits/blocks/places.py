"""Where things are put: what a text tells of a place, whether it is true, and how people say it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from cdd_icm.plan.edits.blocks.scene import APART, Block
from cdd_icm.plan.shared.speech.grammar import Grammar, pick
from cdd_icm.plan.shared.speech.place_words import (
    A_BIT,
    ANYWHERE,
    AT_CORNER,
    AT_SIDE,
    BESIDE,
    BETWEEN,
    CLOSER,
    EVERYTHING,
    FAR_OFF,
    FAR_SIDE,
    FARTHER,
    FURTHER,
    HIS_SIDE,
    IN_PICTURE,
    NEAR_IT,
    OTHER_SIDE,
    STRAIGHT,
    WAY,
)

NEAR = 2.3
"""Two objects are told to be next to one another if they are closer than this."""
FAR = 4.0
"""And to be far from one another if they are not closer than this."""
MOVED = 1.2
"""A moved object goes at least this far."""

SIDES = ("left", "right", "front", "behind")


@dataclass(frozen=True)
class Fact:
    """What a text tells of a place: its `kind`, a key of `TRUE`, and the blocks that it is told by."""

    kind: str
    blocks: tuple[Block, ...] = ()

    def holds(self, block: Block) -> bool:
        """Whether it is true of where the block stands."""
        return TRUE[self.kind](block.right, block.away, *self.blocks)


@dataclass(frozen=True)
class Spot:
    """A place as it is told: the `facts`, and their words, which begin with a preposition, or are empty."""

    facts: tuple[Fact, ...]
    text: str


@dataclass(frozen=True)
class Landmark:
    """A block, and how the text speaks of it; called only where it is spoken of."""

    block: Block
    say: Callable[[], str]


def _between(right: float, away: float, a: Block, b: Block) -> bool:
    dr, da = b.right - a.right, b.away - a.away
    length = math.hypot(dr, da)
    along = ((right - a.right) * dr + (away - a.away) * da) / length**2
    across = abs((right - a.right) * da - (away - a.away) * dr) / length
    return 0.25 <= along <= 0.75 and across <= 0.6


def _closer(right: float, away: float, start: Block, goal: Block) -> bool:
    before = math.hypot(start.right - goal.right, start.away - goal.away)
    return math.hypot(right - goal.right, away - goal.away) <= before - 1.0


def _farther(right: float, away: float, start: Block, goal: Block) -> bool:
    before = math.hypot(start.right - goal.right, start.away - goal.away)
    return math.hypot(right - goal.right, away - goal.away) >= before + 1.0


def _near(right: float, away: float, b: Block) -> bool:
    return math.hypot(right - b.right, away - b.away) < NEAR


TRUE: dict[str, Callable[..., bool]] = {
    "left": lambda r, a, b: b.right - r >= APART,
    "right": lambda r, a, b: r - b.right >= APART,
    "front": lambda r, a, b: b.away - a >= APART,
    "behind": lambda r, a, b: a - b.away >= APART,
    "straight left": lambda r, a, b: 1.0 <= b.right - r <= 2.7 and abs(a - b.away) < 0.6,
    "straight right": lambda r, a, b: 1.0 <= r - b.right <= 2.7 and abs(a - b.away) < 0.6,
    "straight front": lambda r, a, b: 1.0 <= b.away - a <= 2.7 and abs(r - b.right) < 0.6,
    "straight behind": lambda r, a, b: 1.0 <= a - b.away <= 2.7 and abs(r - b.right) < 0.6,
    "far left": lambda r, a, b: b.right - r >= 3 and abs(a - b.away) < 2.5,
    "far right": lambda r, a, b: r - b.right >= 3 and abs(a - b.away) < 2.5,
    "far front": lambda r, a, b: b.away - a >= 3 and abs(r - b.right) < 2.5,
    "far behind": lambda r, a, b: a - b.away >= 3 and abs(r - b.right) < 2.5,
    "near": _near,
    "beside": lambda r, a, b: APART <= abs(r - b.right) < 2.6 and abs(a - b.away) < 1.0,
    "far": lambda r, a, b: math.hypot(r - b.right, a - b.away) >= FAR,
    "between": _between,
    "in the middle": lambda r, a: math.hypot(r, a) < 0.5,
    "on the left": lambda r, a: r < -1.3 and abs(a) < 1.55,
    "on the right": lambda r, a: r > 1.3 and abs(a) < 1.55,
    "in the front": lambda r, a: a < -1.3 and abs(r) < 2.6,
    "in the back": lambda r, a: a > 1.5 and abs(r) < 2.6,
    "far on the left": lambda r, a: r < -2.5 and abs(a) < 1.55,
    "far on the right": lambda r, a: r > 2.5 and abs(a) < 1.55,
    "far in the front": lambda r, a: a < -2.5 and abs(r) < 1.8,
    "far in the back": lambda r, a: a > 2.5 and abs(r) < 1.8,
    "back left": lambda r, a: r < -1.0 and a > 1.0,
    "back right": lambda r, a: r > 1.0 and a > 1.0,
    "front left": lambda r, a: r < -1.0 and a < -1.0,
    "front right": lambda r, a: r > 1.0 and a < -1.0,
    # of a move, from where the block stands
    "moved left": lambda r, a, b: b.right - r >= MOVED and abs(a - b.away) < 0.7,
    "moved right": lambda r, a, b: r - b.right >= MOVED and abs(a - b.away) < 0.7,
    "moved front": lambda r, a, b: b.away - a >= MOVED and abs(r - b.right) < 0.7,
    "moved behind": lambda r, a, b: a - b.away >= MOVED and abs(r - b.right) < 0.7,
    "not far": lambda r, a, b: math.hypot(r - b.right, a - b.away) <= 2.2,
    "closer": _closer,
    "farther": _farther,
}
"""Whether a fact of that kind is true of the place (right, away), by the blocks that it names."""

MOVED_WAY = {"left": "moved left", "right": "moved right", "front": "moved front", "behind": "moved behind"}
WAY_PART = {"left": "on the left", "right": "on the right", "front": "in the front", "behind": "in the back"}

_REGIONS = {
    "in the middle": (),
    "on the left": ("far on the left",),
    "on the right": ("far on the right",),
    "in the front": ("far in the front",),
    "in the back": ("far in the back",),
    "back left": (),
    "back right": (),
    "front left": (),
    "front right": (),
}
"""The parts of the picture, each with the narrower ones inside it."""
_BOTH = Grammar("{a} and {b}*5\n{a}, {b}\n{a} but {b}\n{a}, and {b}")


def possessive(text: str) -> str | None:
    """ "its", or "the red ball's"; None for what is too long for that."""
    if text in ("it", "that"):
        return "its"
    words = text.split()
    return f"{text}'s" if 1 < len(words) <= 4 and words[0] == "the" and text[-1].isalpha() else None


def say_side(rng: np.random.Generator, side: str, text: str) -> str:
    """Words for one side of what `text` speaks of."""
    if rng.random() < (0.35 if text == "it" else 0.08) and (owner := possessive(text)):
        return HIS_SIDE[side](rng, {"x": text, "s": owner})
    return AT_SIDE[side](rng, {"x": text})


def _facts(block: Block, kinds: Sequence[str], *marks: Block) -> tuple[Fact, ...] | None:
    """The facts of these kinds if all are true of the block, else None."""
    facts = tuple(Fact(kind, marks) for kind in kinds)
    return facts if all(fact.holds(block) for fact in facts) else None


def sides_of(block: Block, mark: Block) -> tuple[str | None, str | None]:
    """On which sides of the landmark the block is: "behind" or "front", and "left" or "right"; None where the
    difference is too small to tell."""
    depth = (
        "behind" if block.away - mark.away >= APART else "front" if mark.away - block.away >= APART else None
    )
    side = (
        "right"
        if block.right - mark.right >= APART
        else "left"
        if mark.right - block.right >= APART
        else None
    )
    return depth, side


def _one_side(rng: np.random.Generator, block: Block, mark: Landmark) -> Spot | None:
    told = [side for side in sides_of(block, mark.block) if side]
    if not told:
        return None
    # what is mostly to the left is told to be so more often than that it is a little behind
    if len(told) == 2 and rng.random() < 0.6:
        across, along = abs(block.right - mark.block.right), abs(block.away - mark.block.away)
        side = told[1] if across > along else told[0]
    else:
        side = pick(rng, told)
    return Spot((Fact(side, (mark.block,)),), say_side(rng, side, mark.say()))


def _two_sides(rng: np.random.Generator, block: Block, mark: Landmark) -> Spot | None:
    depth, side = sides_of(block, mark.block)
    if not (depth and side):
        return None
    text = AT_CORNER[depth, side](rng, {"x": mark.say()})
    return Spot((Fact(depth, (mark.block,)), Fact(side, (mark.block,))), text)


def _by_one(rng: np.random.Generator, block: Block, mark: Landmark) -> Spot | None:
    """A place told by one landmark; None if what was drawn is not true of it."""
    chance = rng.random()
    if chance < 0.42:
        return _one_side(rng, block, mark)
    if chance < 0.62:
        return _two_sides(rng, block, mark)
    if chance < 0.76:
        kinds, words = ("near",), NEAR_IT
    elif chance < 0.84:
        kinds, words = ("beside",), BESIDE
    elif chance < 0.92:
        kind = f"straight {pick(rng, SIDES)}"
        kinds, words = (kind,), STRAIGHT[kind]
    elif chance < 0.96:
        kind = f"far {pick(rng, SIDES)}"
        kinds, words = (kind,), FAR_SIDE[kind]
    else:
        kinds, words = ("far",), FAR_OFF
    facts = _facts(block, kinds, mark.block)
    return facts and Spot(facts, words(rng, {"x": mark.say()}))


def _by_two(rng: np.random.Generator, block: Block, first: Landmark, second: Landmark) -> Spot | None:
    """A place told by two landmarks; None if what was drawn is not true of it."""
    facts = _facts(block, ("between",), first.block, second.block)
    if facts and rng.random() < 0.8:
        return Spot(facts, BETWEEN(rng, {"x": first.say(), "y": second.say()}))
    if rng.random() < 0.2:
        side = pick(rng, SIDES)
        facts = Fact(side, (first.block,)), Fact(side, (second.block,))
        if not all(fact.holds(block) for fact in facts):
            return None
        both = f"{pick(rng, ('both ', ''))}{first.say()} and {second.say()}"
        return Spot(facts, AT_SIDE[side](rng, {"x": both}))
    one = (_two_sides if rng.random() < 0.35 else _one_side)(rng, block, first)
    other = one and (_two_sides if rng.random() < 0.35 else _one_side)(rng, block, second)
    return other and Spot(one.facts + other.facts, _BOTH(rng, {"a": one.text, "b": other.text}))


def in_picture(rng: np.random.Generator, block: Block) -> Spot | None:
    """A part of the picture where the block is; None if it is in none that has a name."""
    kinds = [kind for kind in _REGIONS if TRUE[kind](block.right, block.away)]
    if not kinds:
        return None
    kind = pick(rng, kinds)
    narrow = [k for k in _REGIONS[kind] if TRUE[k](block.right, block.away)]
    if narrow and rng.random() < 0.4:
        kind = narrow[0]
    return Spot((Fact(kind),), IN_PICTURE[kind](rng))


def _past_all(rng: np.random.Generator, block: Block, others: Sequence[Landmark]) -> Spot | None:
    side = pick(rng, SIDES)
    facts = tuple(Fact(side, (other.block,)) for other in others)
    if not all(fact.holds(block) for fact in facts):
        return None
    return Spot(facts, AT_SIDE[side](rng, {"x": EVERYTHING(rng)}))


def nowhere(rng: np.random.Generator, said: float = 0.15) -> Spot:
    """No place; with probability `said`, in so many words."""
    return Spot((), ANYWHERE(rng) if rng.random() < said else "")


def tell(rng: np.random.Generator, block: Block, marks: Sequence[Landmark], unsaid: float = 0.08) -> Spot:
    """Something that is true of where the block stands, told by some of the landmarks or by the picture; by
    nothing with probability `unsaid`, or where nothing was found."""
    if rng.random() < unsaid:
        return nowhere(rng)
    for _ in range(8):
        chance = rng.random()
        if not marks or chance < 0.22:
            spot = in_picture(rng, block)
            if not marks and spot is None:
                break
        elif chance < 0.25 and len(marks) > 1:
            spot = _past_all(rng, block, marks)
        elif chance < 0.45 and len(marks) > 1:
            i = int(rng.random() * len(marks))
            j = (i + 1 + int(rng.random() * (len(marks) - 1))) % len(marks)
            spot = _by_two(rng, block, marks[i], marks[j])
        else:
            spot = _by_one(rng, block, pick(rng, marks))
        if spot is not None:
            return spot
    return nowhere(rng)


def tell_move(rng: np.random.Generator, start: Block, block: Block, marks: Sequence[Landmark]) -> Spot:
    """Something that is true of where a block goes; unlike `tell`, it always tells something if it can, and
    it may tell it by where the block was."""
    for _ in range(6):
        chance = rng.random()
        if chance < 0.45:
            spot = _way(rng, start, block)
        elif chance < 0.6 and marks:
            spot = _to_or_from(rng, start, block, pick(rng, marks))
        else:
            spot = tell(rng, block, marks, 0.0)
            if not spot.facts:
                continue
        if spot is not None:
            return spot
    spot = in_picture(rng, block)
    return spot or next((s for m in marks if (s := _one_side(rng, block, m))), nowhere(rng, 1.0))


def way_of(start: Block, block: Block) -> str | None:
    """The side to which a block has moved; None if it has moved to two, or to none."""
    return next((s for s in SIDES if TRUE[MOVED_WAY[s]](block.right, block.away, start)), None)


def tell_moves(rng: np.random.Generator, moves: Sequence[tuple[Block, Block]]) -> Spot:
    """Something that is true of where several blocks go that all move the same way; a fact for each."""
    side = way_of(*moves[0])
    facts = tuple(Fact(MOVED_WAY[side], (start,)) for start, _ in moves)
    if all(TRUE[WAY_PART[side]](block.right, block.away) for _, block in moves):
        return Spot(facts, WAY[side](rng))
    if all(TRUE["not far"](block.right, block.away, start) for start, block in moves) and rng.random() < 0.6:
        return Spot(facts, A_BIT[side](rng))
    return Spot(facts, FURTHER[side](rng))


def _way(rng: np.random.Generator, start: Block, block: Block) -> Spot | None:
    side = way_of(start, block)
    if side is None:
        return None
    facts: tuple[Fact, ...] = (Fact(MOVED_WAY[side], (start,)),)
    region = {
        "left": "on the left",
        "right": "on the right",
        "front": "in the front",
        "behind": "in the back",
    }[side]
    if TRUE[region](block.right, block.away) and rng.random() < 0.6:  # "to the left" is both then
        return Spot((*facts, Fact(region)), WAY[side](rng))
    if TRUE["not far"](block.right, block.away, start) and rng.random() < 0.6:
        return Spot((*facts, Fact("not far", (start,))), A_BIT[side](rng))
    return Spot(facts, FURTHER[side](rng))


def _to_or_from(rng: np.random.Generator, start: Block, block: Block, mark: Landmark) -> Spot | None:
    before, after = sides_of(start, mark.block), sides_of(block, mark.block)
    crossed = next((new for old, new in zip(before, after, strict=True) if old and new and old != new), None)
    aligned = abs(block.right - start.right) < 1.0 or abs(block.away - start.away) < 1.0
    if crossed and aligned:
        return Spot((Fact(crossed, (mark.block,)),), OTHER_SIDE(rng, {"x": mark.say()}))
    for kind, words in (("closer", CLOSER), ("farther", FARTHER)):
        fact = Fact(kind, (start, mark.block))
        if fact.holds(block):
            return Spot((fact,), words(rng, {"x": mark.say()}))
    return None
