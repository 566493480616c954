"""The plain styles of i-CLEVR and of the CLEVR edits, with the canonical names."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cdd_icm.plan.edits.blocks.mentions import Mention, refers_to
from cdd_icm.plan.edits.blocks.places import TRUE, Fact, sides_of
from cdd_icm.plan.edits.blocks.scene import Block, Change
from cdd_icm.plan.shared.speech.grammar import Grammar, pick

_SIDES = {
    "left": Grammar("on the left of {x}\nto the left of {x}\nleft of {x}"),
    "right": Grammar("on the right of {x}\nto the right of {x}\nright of {x}"),
    "behind": Grammar("behind {x}"),
    "front": Grammar("in front of {x}"),
}
_PARTS = {
    "in the middle": Grammar("in the (middle|center)\nat the center"),
    "on the left": Grammar("on the left [side]"),
    "on the right": Grammar("on the right [side]"),
    "in the front": Grammar("(in|at) the front"),
    "in the back": Grammar("(in|at) the back"),
}
_ADD = Grammar("""
    add a {n} {p}*4
    add a {n} {p} please
    put a {n} {p}*3
    place a {n} {p}*2
    there is a {n} {p}*2
    {p}, there is a {n}*2
    now draw a {n} {p}*2
    {p}, put a {n}*2
    a {n} {p}*2
    """)
_ADD_TWO = Grammar(
    "add a {n} {p} and a {m} {q}*2\na {n} {p} and a {m} {q}*2\nput a {n} {p} and a {m} {q} into the scene"
)
_REMOVE = Grammar("remove {x}*3\ndelete {x}*2\ntake away {x}*2\ntake {x} away")
_RECOLOUR = Grammar("make {x} {c}\nturn {x} {c}\npaint {x} {c}\nchange {x} to {c}")
_RESHAPE = Grammar("turn {x} into a {t}\nchange {x} into a {t}\nreplace {x} with a {t}")
_MOVE = Grammar("move {x} {p}\nput {x} {p}\nshift {x} {p}")
_SMALL = Grammar("make {x} smaller\n{x} should be smaller")
_LARGE = Grammar("make {x} bigger\n{x} should be bigger")
_COLOUR = {"gray": ("gray", "grey"), "cyan": ("cyan", "cyan", "turquoise")}
_SHAPE = {"sphere": ("sphere", "ball"), "cube": ("cube", "cube", "block")}

Told = list[tuple[Fact, Block]]
Meant = list[tuple[Mention, tuple[int, ...]]]


class _Writer:
    def __init__(self, scene: tuple[Block, ...], touched: tuple[int, ...], rng: np.random.Generator):
        self.scene, self.touched, self.rng = scene, touched, rng
        self.facts: Told = []
        self.mentions: Meant = []

    def names(self, block: Block) -> tuple[str, str]:
        colour = pick(self.rng, _COLOUR.get(block.colour, (block.colour,)))
        return colour, pick(self.rng, _SHAPE.get(block.shape, (block.shape,)))

    def noun(self, block: Block) -> str:
        colour, shape = self.names(block)
        return f"{'small ' if block.size == 'small' else ''}{colour} {shape}"

    def point(self, i: int, pronoun: float = 0.4) -> str:
        block = self.scene[i]
        colour, shape = self.names(block)
        if self.touched and self.touched[-1] == i and self.rng.random() < pronoun:
            mention, words = Mention(how="it"), "it"
        else:
            mention, words = Mention(block.colour, block.shape), f"the {colour} {shape}"
            chance = self.rng.random()
            if chance < 0.3 and pronoun:
                short = Mention(shape=block.shape), f"the {shape}"
                if chance > 0.15:
                    short = Mention(colour=block.colour), f"the {colour} one"
                if (
                    sum(
                        short[0].shape in (None, b.shape) and short[0].colour in (None, b.colour)
                        for b in self.scene
                    )
                    == 1
                ):
                    mention, words = short
        self.mentions.append((mention, (i,)))
        return words

    def place(self, block: Block, but: int | None = None, pronoun: float = 0.4) -> str | None:
        """A part of the picture, or one or two sides of another block; None if nothing can be told."""
        others = [i for i in range(len(self.scene)) if i != but]
        parts = [part for part in _PARTS if TRUE[part](block.right, block.away)]
        if parts and (not others or self.rng.random() < 0.45):
            self.facts.append((Fact(parts[0]), block))
            return _PARTS[parts[0]](self.rng)
        if not others:
            return None
        i = (
            self.touched[-1]
            if self.touched and self.touched[-1] in others and self.rng.random() < 0.4
            else pick(self.rng, others)
        )
        told = [side for side in sides_of(block, self.scene[i]) if side]
        if not told:
            return None
        if len(told) == 2 and self.rng.random() < 0.5:
            told = [pick(self.rng, told)]
        return self.sides(block, i, told, pronoun)

    def sides(self, block: Block, i: int, told: Sequence[str], pronoun: float) -> str:
        self.facts += [(Fact(side, (self.scene[i],)), block) for side in told]
        text = _SIDES[told[0]](self.rng, {"x": self.point(i, pronoun)})
        return text if len(told) == 1 else f"{text} on the {told[1]}"


def _as_iclevr(writer: _Writer, block: Block) -> str | None:
    """ "Add a cyan cylinder behind it on the left and in front of the red cube on the right"."""
    scene, touched, rng = writer.scene, writer.touched, writer.rng
    name = f"{block.colour} {block.shape}"
    if not scene:
        if not TRUE["in the middle"](block.right, block.away):
            return None
        writer.facts.append((Fact("in the middle"), block))
        return f"Add a {name} at the center"
    numbers = [int(i) for i in rng.permutation(len(scene))[:2]]
    if touched and rng.random() < 0.8:
        numbers = [touched[-1], *(i for i in numbers if i != touched[-1])][:2]
    told = []
    for i in numbers:
        sides = [side for side in sides_of(block, scene[i]) if side]
        if not sides:
            return None
        writer.facts += [(Fact(side, (scene[i],)), block) for side in sides]
        it = bool(touched) and i == touched[-1] and i == numbers[0]
        writer.mentions.append((Mention(how="it") if it else Mention(scene[i].colour, scene[i].shape), (i,)))
        words = "it" if it else f"the {scene[i].name}"
        first = {"behind": "behind", "front": "in front of"}.get(sides[0], f"on the {sides[0]} of")
        told.append(f"{first} {words}" if len(sides) == 1 else f"{first} {words} on the {sides[1]}")
    return f"Add a {name} {' and '.join(told)}"


def in_benchmark_style(
    scene: tuple[Block, ...], touched: tuple[int, ...], changes: Sequence[Change], rng: np.random.Generator
) -> tuple[str, tuple, tuple] | None:
    """A text for the changes, its facts and its mentions as in `wording.Written`; None for what neither data
    set has."""
    writer = _Writer(scene, touched, rng)
    text = _text(writer, changes)
    if text is None:
        return None
    if any(refers_to(mention, scene, touched) != numbers for mention, numbers in writer.mentions):
        return None
    if rng.random() < 0.7:
        text = text[0].upper() + text[1:]
    return text, tuple(writer.facts), tuple(writer.mentions)


def _text(writer: _Writer, changes: Sequence[Change]) -> str | None:
    scene, rng = writer.scene, writer.rng
    if len(changes) == 2 and all(change.before is None for change in changes):
        first, second = (change.after for change in changes)
        places = writer.place(first), writer.place(second, pronoun=0.0)
        if None in places:
            return None
        slots = {"n": writer.noun(first), "m": writer.noun(second), "p": places[0], "q": places[1]}
        return _ADD_TWO(rng, slots)
    if len(changes) != 1:
        return None
    before, after = changes[0].before, changes[0].after
    if before is None:
        if after.size == "large" and rng.random() < 0.45:
            return _as_iclevr(writer, after)
        place = writer.place(after)
        return place and _ADD(rng, {"n": writer.noun(after), "p": place})
    x = writer.point(before)
    if after is None:
        return _REMOVE(rng, {"x": x})
    old = scene[before]
    moved, resized = (old.right, old.away) != (after.right, after.away), old.size != after.size
    if moved + resized + (old.name != after.name) != 1:
        return None
    if moved:
        place = writer.place(after, but=before, pronoun=0.0)
        return place and _MOVE(rng, {"x": x, "p": place})
    if resized:
        return (_SMALL if after.size == "small" else _LARGE)(rng, {"x": x})
    if old.shape == after.shape:
        return _RECOLOUR(rng, {"x": x, "c": writer.names(after)[0]})
    return _RESHAPE(rng, {"x": x, "t": " ".join(writer.names(after))})
