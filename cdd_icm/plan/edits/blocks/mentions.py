"""How people point at blocks of a scene, and which blocks such words single out."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from cdd_icm.plan.edits.blocks.mention_words import (
    ALL,
    ALL_OF,
    BESIDES,
    BOTH_OF,
    CHANGED,
    EXCEPT,
    EXTREME,
    IT,
    LAST,
    NEWEST,
    NTH,
    OTHER,
    REST,
    THEM,
    THEM_ALL,
)
from cdd_icm.plan.edits.blocks.places import NEAR
from cdd_icm.plan.edits.blocks.scene import APART, COLOURS, SHAPES, Block
from cdd_icm.plan.edits.blocks.words import NUMBERS, noun_phrase
from cdd_icm.plan.shared.speech.grammar import pick, weighted


@dataclass(frozen=True)
class Mention:
    """What words tell of the blocks that they mean.

    Attributes:
        colour, shape, size: as said; None where it is not.
        how: a key of `HOW`, what else singles them out.
        other: the mention of the landmark that a relation is told by.
        many: more than one is meant.
    """

    colour: str | None = None
    shape: str | None = None
    size: str | None = None
    how: str = "is"
    other: Mention | None = None
    many: bool = False


Numbers = tuple[int, ...]


def refers_to(mention: Mention, scene: Sequence[Block], touched: Sequence[int]) -> Numbers:
    """The numbers of the blocks of the scene that the mention means, after a turn that touched those; empty
    if there is none. One that is not `many` is clear if it means exactly one."""
    pool = tuple(
        i
        for i, b in enumerate(scene)
        if mention.colour in (None, b.colour)
        and mention.shape in (None, b.shape)
        and mention.size in (None, b.size)
    )
    if mention.other is None:
        return HOW[mention.how](pool, scene, touched, mention.many)
    other = refers_to(mention.other, scene, touched)
    if len(other) != 1:
        return ()
    pool = tuple(i for i in pool if i != other[0])
    return BY_OTHER[mention.how](pool, scene, scene[other[0]])


def _is(pool: Numbers, scene: Sequence[Block], touched: Sequence[int], many: bool) -> Numbers:
    if many or len(pool) == 1:
        return pool
    fresh = tuple(i for i in pool if i in touched)  # of several, the one that was spoken of is meant
    return fresh if len(fresh) == 1 else pool


def _it(pool: Numbers, scene: Sequence[Block], touched: Sequence[int], many: bool) -> Numbers:
    if many:
        return tuple(touched) if len(touched) > 1 else pool if len(pool) == 2 else ()
    return (touched[-1],) if touched else pool if len(scene) == 1 else ()


def _newest(pool: Numbers, scene: Sequence[Block], touched: Sequence[int], many: bool) -> Numbers:
    return pool[-1:]


def _last(pool: Numbers, scene: Sequence[Block], touched: Sequence[int], many: bool) -> Numbers:
    """Added last, and spoken of last."""
    return pool[-1:] if pool and touched and touched[-1] == pool[-1] == len(scene) - 1 else ()


def _changed(pool: Numbers, scene: Sequence[Block], touched: Sequence[int], many: bool) -> Numbers:
    return (touched[0],) if len(touched) == 1 and touched[0] < len(scene) - 1 else ()


def _other(pool: Numbers, scene: Sequence[Block], touched: Sequence[int], many: bool) -> Numbers:
    rest = tuple(i for i in pool if not touched or i != touched[-1])
    if many:
        return rest if touched and len(rest) > 1 else ()
    return rest if len(pool) == 2 and len(rest) == 1 else ()


def _nth(n: int):
    return lambda pool, scene, touched, many: pool[n : n + 1] if len(pool) > max(n, 1) else ()


def _extreme(side: str):
    sign = 1 if side in ("left", "front") else -1
    axis = "right" if side in ("left", "right") else "away"

    def find(pool: Numbers, scene: Sequence[Block], touched: Sequence[int], many: bool) -> Numbers:
        if len(pool) < 2:
            return ()
        ordered = sorted(pool, key=lambda i: sign * getattr(scene[i], axis))
        a, b = scene[ordered[0]], scene[ordered[1]]
        return (ordered[0],) if sign * (getattr(b, axis) - getattr(a, axis)) >= APART else ()

    return find


def _on_side(side: str):
    extreme = _extreme(side)
    sign = -1 if side in ("left", "front") else 1
    axis = "right" if side in ("left", "right") else "away"

    def find(pool: Numbers, scene: Sequence[Block], touched: Sequence[int], many: bool) -> Numbers:
        found = extreme(pool, scene, touched, many)
        if not found or sign * getattr(scene[found[0]], axis) < 0.6:
            return ()
        return found if all(sign * getattr(scene[i], axis) < 0.3 for i in pool if i != found[0]) else ()

    return find


def _middle(pool: Numbers, scene: Sequence[Block], touched: Sequence[int], many: bool) -> Numbers:
    return tuple(i for i in pool if math.hypot(scene[i].right, scene[i].away) < 0.7)


HOW = {
    "is": _is,
    "it": _it,
    "newest": _newest,
    "last": _last,
    "changed": _changed,
    "other": _other,
    "first": _nth(0),
    "second": _nth(1),
    "third": _nth(2),
    "leftmost": _extreme("left"),
    "rightmost": _extreme("right"),
    "nearest": _extreme("front"),
    "farthest": _extreme("behind"),
    "on the left": _on_side("left"),
    "on the right": _on_side("right"),
    "in the front": _on_side("front"),
    "in the back": _on_side("behind"),
    "in the middle": _middle,
}
"""Which of those with the attributes that are said (`pool`) are meant."""


def _by_side(side: str):
    sign = 1 if side in ("right", "behind") else -1
    axis = "right" if side in ("left", "right") else "away"

    def find(pool: Numbers, scene: Sequence[Block], mark: Block) -> Numbers:
        gap = {i: sign * (getattr(scene[i], axis) - getattr(mark, axis)) for i in pool}
        if any(0 < g < APART for g in gap.values()):
            return ()  # who can tell
        return tuple(i for i in pool if gap[i] > 0)

    return find


def _near(pool: Numbers, scene: Sequence[Block], mark: Block) -> Numbers:
    gap = {i: math.hypot(scene[i].right - mark.right, scene[i].away - mark.away) for i in pool}
    if any(NEAR <= g < NEAR + 0.5 for g in gap.values()):
        return ()
    return tuple(i for i in pool if gap[i] < NEAR)


def _nearest_to(pool: Numbers, scene: Sequence[Block], mark: Block) -> Numbers:
    if len(pool) < 2:
        return ()
    gap = sorted((math.hypot(scene[i].right - mark.right, scene[i].away - mark.away), i) for i in pool)
    return (gap[0][1],) if gap[1][0] - gap[0][0] > 0.4 else ()


BY_OTHER = {
    "left of": _by_side("left"),
    "right of": _by_side("right"),
    "front of": _by_side("front"),
    "behind": _by_side("behind"),
    "near": _near,
    "nearest to": _nearest_to,
}
"""Which of the pool are meant by their relation to a landmark."""

_EXTREMES = tuple(EXTREME)
_BESIDES = weighted("left of*2, right of*2, front of*2, behind*2, near*2, nearest to")
_ARTICLES = weighted("the*30, that*2, this, my")


def plain_mention(rng: np.random.Generator, block: Block, full: bool = False) -> Mention:
    """A mention by attributes alone, of a random few."""
    chance = 0.0 if full else rng.random()
    size = block.size if rng.random() < (0.2 if block.size == "small" else 0.06) else None
    if chance < 0.55:
        return Mention(block.colour, block.shape, size)
    if chance < 0.72:
        return Mention(shape=block.shape, size=size)
    if chance < 0.88:
        return Mention(colour=block.colour, size=size)
    if chance < 0.94:
        return Mention(shape=block.shape, size=block.size)
    return Mention(size=block.size)


def say_plain(
    rng: np.random.Generator, mention: Mention, article: str | None = None, plain: bool = False
) -> str:
    """Words for a mention by attributes alone."""
    article = pick(rng, _ARTICLES) if article is None else article
    return noun_phrase(
        rng, article, mention.colour, mention.shape, mention.size, 2 if mention.many else 1, plain
    )


def _kind(rng: np.random.Generator, block: Block, number: int = 1) -> tuple[Mention, str]:
    """A noun for some attributes of the block (or none), without article."""
    chance = rng.random()
    colour = block.colour if chance < 0.2 else None
    shape = block.shape if 0.1 < chance < 0.7 else None
    size = block.size if rng.random() < 0.05 else None
    if not (colour or shape or size):
        return Mention(), pick(rng, ("one", "one", "one", "object", "thing"))
    return Mention(colour, shape, size), noun_phrase(rng, "", colour, shape, size, number, plain=True)


def _special(
    rng: np.random.Generator, scene: Sequence[Block], touched: Sequence[int], i: int
) -> tuple[Mention, str]:
    """A mention of block i that says more, or other, than its attributes; it may not single it out."""
    kind, noun = _kind(rng, scene[i])
    how, chance = "", rng.random()
    attributes = (kind.colour, kind.shape, kind.size)
    if chance < 0.12:
        return Mention(*attributes, "last"), LAST(rng, {"k": noun})
    if chance < 0.16:
        return Mention(*attributes, "newest"), NEWEST(rng, {"k": noun})
    if chance < 0.2:
        return Mention(*attributes, "changed"), CHANGED(rng, {"k": noun})
    if chance < 0.32:
        how = pick(rng, ("first", "first", "second", "third"))
        return Mention(*attributes, how), NTH[how](rng, {"k": noun})
    if chance < 0.44:
        return Mention(*attributes, "other"), OTHER(rng, {"k": noun})
    if chance < 0.7 or len(scene) < 2:
        how = pick(rng, _EXTREMES)
        return Mention(*attributes, how), EXTREME[how](rng, {"k": noun})
    how = pick(rng, _BESIDES)
    if touched and touched[-1] != i and rng.random() < 0.3:
        return Mention(*attributes, how, Mention(how="it")), BESIDES[how](rng, {"k": noun, "o": "it"})
    other = plain_mention(rng, scene[pick(rng, [j for j in range(len(scene)) if j != i])])
    words = BESIDES[how](rng, {"k": noun, "o": say_plain(rng, other, "the", plain=True)})
    return Mention(*attributes, how, other), words


def point_at(
    rng: np.random.Generator,
    scene: Sequence[Block],
    touched: Sequence[int],
    i: int,
    pronoun: float = 0.5,
    avoid: Collection[int] = (),
) -> tuple[Mention, str]:
    """A mention that singles out block i, and its words: "it" with that probability where it can be; blocks
    to `avoid` are not spoken of."""
    if (touched and touched[-1] == i or len(scene) == 1) and rng.random() < pronoun:
        return Mention(how="it"), IT(rng)
    for _ in range(4):
        if rng.random() < 0.25:
            mention, words = _special(rng, scene, touched, i)
            if mention.other and avoid:
                continue
            if refers_to(mention, scene, touched) == (i,):
                return mention, words
        else:
            mention = plain_mention(rng, scene[i])
            if refers_to(mention, scene, touched) != (i,):
                continue
            pool = sum(mention.shape in (None, b.shape) and mention.colour in (None, b.colour) for b in scene)
            if pool > 1 and not mention.size and rng.random() < 0.7:
                continue  # "the cube" for the one just spoken of, where another stands, is not said often
            return mention, say_plain(rng, mention)
    mention = plain_mention(rng, scene[i], full=True)
    return mention, say_plain(rng, mention)


def point_at_many(
    rng: np.random.Generator, scene: Sequence[Block], touched: Sequence[int]
) -> tuple[Mention, str] | None:
    """A mention of two or more blocks, and its words, or None where the choice that it makes means fewer."""
    chance = rng.random()
    if chance < 0.3:
        mention = Mention(how="it", many=True)
        numbers = refers_to(mention, scene, touched)
        grammar = THEM if len(numbers) == 2 else THEM_ALL
        words = grammar(rng, {"n": NUMBERS[min(len(numbers), 7)]})
    elif chance < 0.5:
        mention, numbers = Mention(many=True), tuple(range(len(scene)))
        words = ALL(rng, {"n": NUMBERS[min(len(scene), 7)]})
    elif chance < 0.6:
        mention = Mention(how="other", many=True)
        numbers = refers_to(mention, scene, touched)
        words = REST(rng, {"n": NUMBERS[min(len(numbers), 7)]})
    else:
        shape = pick(rng, SHAPES) if rng.random() < 0.6 else None
        colour = pick(rng, COLOURS) if not shape else None
        size = pick(rng, ("small", "large")) if rng.random() < 0.15 else None
        if rng.random() < 0.15:
            shape, colour, size = None, None, pick(rng, ("small", "large"))
        mention = Mention(colour, shape, size, many=True)
        numbers = refers_to(mention, scene, touched)
        if len(numbers) < 2:
            return None
        state = rng.bit_generator.state
        many = noun_phrase(rng, "", colour, shape, size, 2, plain=True)
        rng.bit_generator.state = state  # the same words once more, in the singular
        one = noun_phrase(rng, "", colour, shape, size, 1, plain=True)
        grammar = BOTH_OF if len(numbers) == 2 else ALL_OF
        words = grammar(rng, {"k": many, "o": one, "n": NUMBERS[min(len(numbers), 7)]})
    return (mention, words) if len(numbers) > 1 else None


def all_except(rng: np.random.Generator, scene: Sequence[Block], touched: Sequence[int], i: int) -> str:
    """Words for all blocks but i."""
    _, words = point_at(rng, scene, touched, i, pronoun=0.3)
    return EXCEPT(rng, {"o": words})
