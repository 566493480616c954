"""Synthetic turns of dialogs about blocks: a random scene, what a person wants changed, how it is said."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from cdd_icm.plan.edits.blocks.lacking import absent_text, unknown_text
from cdd_icm.plan.edits.blocks.mentions import Mention, plain_mention, point_at_many, refers_to, say_plain
from cdd_icm.plan.edits.blocks.places import MOVED, SIDES
from cdd_icm.plan.edits.blocks.sampling import anywhere, free_class, in_world, is_free, random_scene
from cdd_icm.plan.edits.blocks.scene import COLOURS, SHAPES, SPACING, Block, Change, Turn, after_changes
from cdd_icm.plan.edits.blocks.wording import Written, write
from cdd_icm.plan.edits.blocks.words import VOCABULARY, noun_phrase
from cdd_icm.plan.shared.speech.grammar import pick
from cdd_icm.plan.shared.speech.mistakes import with_mistakes
from cdd_icm.plan.shared.speech.talk import nonsense_text, nothing_text, undo_text

MOST = 7
"""The largest number of blocks in a scene."""
Scene = tuple[Block, ...]
Numbers = tuple[int, ...]


def _proposal(rng: np.random.Generator, blocks: Sequence[Block]) -> tuple[float, float]:
    """A place for a block, not yet whether it is free: uniform, or one that people have words for."""
    chance = rng.random()
    if chance < 0.55:
        return anywhere(rng)
    if chance < 0.64:
        return (0.0, 0.0) if rng.random() < 0.5 else (0.9 * rng.random() - 0.45, 0.9 * rng.random() - 0.45)
    if not blocks or chance < 0.72:  # an end or a corner of the picture
        angle, radius = math.pi / 4 * int(rng.random() * 8), 2.0 + 2 * rng.random()
        return (
            radius * math.cos(angle) + 1.2 * (rng.random() - 0.5),
            radius * math.sin(angle) + 1.2 * (rng.random() - 0.5),
        )
    mark = pick(rng, blocks)
    if chance < 0.82 or len(blocks) < 2:
        angle, radius = 2 * math.pi * rng.random(), SPACING + (2.3 - SPACING) * rng.random()
        return mark.right + radius * math.cos(angle), mark.away + radius * math.sin(angle)
    if chance < 0.91:
        along, across = 1.5 + rng.random(), rng.random() - 0.5
        along = along if rng.random() < 0.5 else -along
        return (
            (mark.right + along, mark.away + across)
            if rng.random() < 0.5
            else (mark.right + across, mark.away + along)
        )
    other = pick(rng, blocks)
    along = 0.35 + 0.3 * rng.random()
    return (
        mark.right + along * (other.right - mark.right) + 0.5 * (rng.random() - 0.5),
        mark.away + along * (other.away - mark.away) + 0.5 * (rng.random() - 0.5),
    )


def _place(rng: np.random.Generator, blocks: Sequence[Block]) -> tuple[float, float] | None:
    """A free place among the blocks, None if none was found."""
    for _ in range(40):
        right, away = _proposal(rng, blocks)
        if in_world(right, away) and is_free(right, away, blocks):
            return right, away
    return None


def _new_block(rng: np.random.Generator, blocks: Sequence[Block], small: float) -> Block | None:
    place, kind = _place(rng, blocks), free_class(rng, blocks)
    if place is None or kind is None:
        return None
    return Block(*kind, "small" if rng.random() < small else "large", *place)


def _add(rng: np.random.Generator, scene: Scene, touched: Numbers) -> list[Change] | None:
    chance = rng.random()
    number = 1 if chance < 0.66 else 2 if chance < 0.92 else 3
    if len(scene) + number > MOST:
        return None
    small = 0.05 if scene and all(b.size == "large" for b in scene) else 0.3
    blocks: list[Block] = list(scene)
    for k in range(number):
        block = _new_block(rng, blocks, small)
        if block is None:
            return None
        if k and rng.random() < 0.35:  # "two balls"
            kind = free_class(rng, blocks, shape=blocks[-1].shape)
            block = replace(block, colour=kind[0], shape=kind[1], size=blocks[-1].size) if kind else block
        blocks.append(block)
    return [Change(None, block) for block in blocks[len(scene) :]]


def _remove(rng: np.random.Generator, scene: Scene, touched: Numbers) -> list[Change] | None:
    chance = rng.random()
    if chance < 0.7:
        return [Change(_some(rng, scene, touched), None)]
    if len(scene) < 2:
        return None
    if chance < 0.77:
        a, b = rng.permutation(len(scene))[:2]
        numbers = [int(a), int(b)]
    elif chance < 0.82:
        kept = _some(rng, scene, touched)
        numbers = [i for i in range(len(scene)) if i != kept]
    else:
        found = point_at_many(rng, scene, touched)
        if found is None:
            return None
        numbers = list(refers_to(found[0], scene, touched))
    return [Change(i, None) for i in numbers]


def _some(rng: np.random.Generator, scene: Scene, touched: Numbers) -> int:
    """A block, more often one that was just spoken of."""
    return touched[-1] if touched and rng.random() < 0.35 else int(rng.random() * len(scene))


def _moved(rng: np.random.Generator, block: Block, others: Sequence[Block]) -> Block | None:
    for _ in range(30):
        chance = rng.random()
        if chance < 0.5:
            along, across = MOVED + 0.05 + rng.random() ** 2 * 3, 1.0 * (rng.random() - 0.5)
            along = along if rng.random() < 0.5 else -along
            shift = (along, across) if rng.random() < 0.5 else (across, along)
            right, away = block.right + shift[0], block.away + shift[1]
        else:
            right, away = _proposal(rng, others)
        far = (right - block.right) ** 2 + (away - block.away) ** 2 >= MOVED**2
        if far and in_world(right, away) and is_free(right, away, others):
            return replace(block, right=right, away=away)
    return None


def _altered(rng: np.random.Generator, scene: Scene, i: int, what: str) -> Block | None:
    """Block i with another colour, shape, size or place, as the letters of `what` say."""
    block, others = scene[i], [b for j, b in enumerate(scene) if j != i]
    if "s" in what:
        kind = free_class(rng, others, None if "c" in what else block.colour)
        if kind is None or kind[1] == block.shape or ("c" in what and kind[0] == block.colour):
            return None
        block = replace(block, colour=kind[0], shape=kind[1])
    elif "c" in what:
        kind = free_class(rng, [*others, block], shape=block.shape)
        if kind is None:
            return None
        block = replace(block, colour=kind[0])
    if "z" in what:
        block = replace(block, size="small" if block.size == "large" else "large")
    return _moved(rng, block, others) if "m" in what else block


def _alter(*kinds: str) -> Callable[[np.random.Generator, Scene, Numbers], list[Change] | None]:
    def change(rng: np.random.Generator, scene: Scene, touched: Numbers) -> list[Change] | None:
        i = _some(rng, scene, touched)
        block = _altered(rng, scene, i, pick(rng, kinds))
        return block and [Change(i, block)]

    return change


def _swap(rng: np.random.Generator, scene: Scene, touched: Numbers) -> list[Change] | None:
    if len(scene) < 2:
        return None
    a, b = (int(i) for i in rng.permutation(len(scene))[:2])
    if math.hypot(scene[a].right - scene[b].right, scene[a].away - scene[b].away) < MOVED:
        return None
    return [
        Change(a, replace(scene[a], right=scene[b].right, away=scene[b].away)),
        Change(b, replace(scene[b], right=scene[a].right, away=scene[a].away)),
    ]


def _alter_many(rng: np.random.Generator, scene: Scene, touched: Numbers) -> list[Change] | None:
    """The same colour or size for several."""
    if len(scene) < 2:
        return None
    found = point_at_many(rng, scene, touched)
    numbers = (
        refers_to(found[0], scene, touched)
        if found
        else tuple(int(i) for i in rng.permutation(len(scene))[:2])
    )
    chance, changed = rng.random(), []
    colour = pick(rng, COLOURS) if chance < 0.55 else None
    size = pick(rng, ("small", "large")) if not colour or chance < 0.05 else None
    for i in numbers:
        block = replace(scene[i], colour=colour or scene[i].colour, size=size or scene[i].size)
        if (colour and block.colour == scene[i].colour) or (size and block.size == scene[i].size):
            return None
        changed.append(Change(i, block))
    return changed if _is_proper(after_changes(scene, changed)[0]) else None


def _move_many(rng: np.random.Generator, scene: Scene, touched: Numbers) -> list[Change] | None:
    """Several go the same way."""
    if len(scene) < 2:
        return None
    found = point_at_many(rng, scene, touched)
    numbers = (
        refers_to(found[0], scene, touched)
        if found
        else tuple(int(i) for i in rng.permutation(len(scene))[:2])
    )
    side, blocks = pick(rng, SIDES), list(scene)
    # those that are ahead go first
    sign = 1 if side in ("right", "behind") else -1
    axis = "right" if side in ("left", "right") else "away"
    for i in sorted(numbers, key=lambda i: -sign * getattr(scene[i], axis)):
        others = [b for j, b in enumerate(blocks) if j != i]
        for _ in range(12):
            along, across = sign * (MOVED + 0.05 + 2 * rng.random()), rng.random() - 0.5
            shift = (along, across) if axis == "right" else (across, along)
            right, away = scene[i].right + shift[0], scene[i].away + shift[1]
            if in_world(right, away) and is_free(right, away, others):
                blocks[i] = replace(scene[i], right=right, away=away)
                break
        else:
            return None
    return [Change(i, blocks[i]) for i in numbers]


def _is_proper(scene: Sequence[Block]) -> bool:
    """Whether no two are of one colour and shape."""
    return len({(b.colour, b.shape) for b in scene}) == len(scene)


def _mixed(rng: np.random.Generator, scene: Scene, touched: Numbers) -> list[Change] | None:
    """Two things, or three, of different kinds in one turn."""
    changes: list[Change] = []
    free = list(range(len(scene)))
    kinds = ["+", "-", "m", "c", "z", "s", "cs", "+"]
    for _ in range(2 if rng.random() < 0.85 else 3):
        kind = pick(rng, kinds)
        now, _ = after_changes(scene, changes)
        if kind == "+":
            block = _new_block(rng, now, 0.25) if len(now) < MOST else None
            if block is None:
                return None
            changes.append(Change(None, block))
            continue
        if not free:
            return None
        i = free.pop(int(rng.random() * len(free)))
        if kind == "-":
            changes.append(Change(i, None))
            continue
        others = [b for b in now if b is not scene[i]]
        block = _altered(rng, (*others, scene[i]), len(others), kind)
        if block is None:
            return None
        changes.append(Change(i, block))
    if (
        len({"+" if c.before is None else "-" if c.after is None else "=" for c in changes}) < 2
        and rng.random() < 0.6
    ):
        return None
    return changes if _is_proper(after_changes(scene, changes)[0]) else None


_CHANGES: tuple[tuple[float, Callable[[np.random.Generator, Scene, Numbers], list[Change] | None]], ...] = (
    (0.40, _add),
    (0.12, _remove),
    (0.14, _alter("m")),
    (0.09, _alter("c")),
    (0.07, _alter("s", "cs", "cs", "csz")),
    (0.05, _alter("z")),
    (0.025, _alter("cz", "cm", "zm", "czm")),
    (0.02, _swap),
    (0.02, _move_many),
    (0.035, _alter_many),
    (0.05, _mixed),
)
_BOUNDS = tuple(np.cumsum([share for share, _ in _CHANGES]).tolist())


def random_changes(rng: np.random.Generator, scene: Scene, touched: Numbers) -> list[Change]:
    """What a person may want changed in the scene; the scene after it is as the data have them."""
    while True:
        chance = rng.random() * _BOUNDS[-1]
        make = next(make for bound, (_, make) in zip(_BOUNDS, _CHANGES, strict=True) if chance < bound)
        if not scene and make is not _add:
            make = _add
        changes = make(rng, scene, touched)
        if changes:
            return changes


_OTHERWISE = (("nothing", 0.02), ("undo", 0.02), ("unknown", 0.055), ("absent", 0.03), ("nonsense", 0.025))
"""Turns that change nothing, and their shares of all."""


def _otherwise(rng: np.random.Generator, intent: str, scene: Scene, touched: Numbers) -> str:
    """A text of that intent."""
    match intent:
        case "nothing":
            return nothing_text(rng, _some_block(rng, scene))
        case "undo":
            return undo_text(rng)
        case "unknown":
            return unknown_text(rng, scene, touched)
    return nonsense_text(rng, noun_phrase(rng, "the", "red", "cube", None).split())


def _some_block(rng: np.random.Generator, scene: Scene) -> str:
    if not scene or rng.random() < 0.3:
        return "it"
    return say_plain(rng, plain_mention(rng, pick(rng, scene), full=True), "the")


def write_turn(rng: np.random.Generator, scene: Scene, touched: Numbers) -> tuple[Turn, Written]:
    """The next turn of a dialog that has come to that scene, and what its text tells."""
    chance = rng.random()
    for intent, share in _OTHERWISE:
        chance -= share
        if chance < 0:
            if intent == "absent":
                return _absent(rng, scene, touched)
            text = with_mistakes(rng, _otherwise(rng, intent, scene, touched), VOCABULARY)
            return Turn(scene, touched, (), text, intent), Written(text)
    while True:
        changes = random_changes(rng, scene, touched)
        written = write(scene, touched, changes, rng)
        if written is not None and written.text:
            return Turn(scene, touched, tuple(changes), written.text, "change"), written


def _absent(rng: np.random.Generator, scene: Scene, touched: Numbers) -> tuple[Turn, Written]:
    found: tuple[str, Mention] | None = None
    while found is None:
        found = absent_text(rng, scene, touched)
    text = with_mistakes(rng, found[0], VOCABULARY)
    return Turn(scene, touched, (), text, "absent"), Written(text, (), ((found[1], ()),))


_SIZES = (0, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 5, 5, 6, 7)


def random_state(rng: np.random.Generator) -> tuple[Scene, Numbers]:
    """A scene, and what the turn before it touched: mostly the last that was added."""
    scene = random_scene(rng, pick(rng, _SIZES))
    chance = rng.random()
    if not scene or chance < 0.1:
        return scene, ()
    if chance < 0.65:
        return scene, (len(scene) - 1,)
    if chance < 0.8 and len(scene) > 1:
        return scene, (len(scene) - 2, len(scene) - 1)
    if chance < 0.88 and len(scene) > 1:
        a, b = (int(i) for i in rng.permutation(len(scene))[:2])
        return scene, (a, b)
    return scene, (int(rng.random() * len(scene)),)


def synthetic_turn(rng: np.random.Generator) -> Turn:
    """One turn of a dialog, with a random scene before it."""
    return write_turn(rng, *random_state(rng))[0]


def synthetic_dialog(rng: np.random.Generator) -> list[Turn]:
    """A dialog of five or six turns, which starts with nothing on the ground."""
    scene, touched, turns = (), (), []
    before: tuple[Scene, Numbers] = (), ()
    for _ in range(5 + int(rng.random() * 2)):
        turn, _ = write_turn(rng, scene, touched)
        turns.append(turn)
        if turn.intent == "undo":
            (scene, touched), before = before, ((), ())
        elif turn.changes:
            before = scene, touched
            scene, touched = after_changes(scene, turn.changes)
    return turns


__all__ = [
    "MOST",
    "SHAPES",
    "random_changes",
    "random_state",
    "synthetic_dialog",
    "synthetic_turn",
    "write_turn",
]
