"""Scenes as the data of the CLEVR world have them, at random."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cdd_icm.plan.edits.blocks.camera import to_picture
from cdd_icm.plan.edits.blocks.scene import COLOURS, SHAPES, SPACING, Block
from cdd_icm.plan.shared.speech.grammar import pick

RIGHT, AWAY = (0.65631, 0.75449), (-0.75449, 0.65631)
"""The camera's axes on the ground, in the world's; the world is the square [-3, 3]^2."""
LEFTMOST, RIGHTMOST, TOPMOST, LOWEST = 0.06, 0.94, 0.2, 0.84
"""The part of the picture where the centres of objects are, in fractions of the picture."""
CLASSES = tuple((colour, shape) for colour in COLOURS for shape in SHAPES)


def in_world(right: float, away: float) -> bool:
    """Whether the place is inside the square world, and any object there inside the picture."""
    if abs(RIGHT[0] * right + AWAY[0] * away) > 3.05 or abs(RIGHT[1] * right + AWAY[1] * away) > 3.05:
        return False
    if abs(right) + abs(away) < 3:  # the middle of the world is in the picture
        return True
    x, y, _ = to_picture(right, away, "sphere", "large")  # of all objects there its centre is the highest
    lowest = to_picture(right, away, "cube", "small")[1] if away < 0 else y
    return LEFTMOST < x < RIGHTMOST and y > TOPMOST and lowest < LOWEST


def is_free(right: float, away: float, blocks: Sequence[Block]) -> bool:
    """Whether an object can stand there among the blocks."""
    return all((right - b.right) ** 2 + (away - b.away) ** 2 >= SPACING**2 for b in blocks)


def anywhere(rng: np.random.Generator) -> tuple[float, float]:
    """A place (right, away), uniform over the square; some are outside the picture."""
    x, y = 6 * rng.random() - 3, 6 * rng.random() - 3
    return RIGHT[0] * x + RIGHT[1] * y, AWAY[0] * x + AWAY[1] * y


def free_class(
    rng: np.random.Generator, blocks: Sequence[Block], colour=None, shape=None
) -> tuple[str, str] | None:
    """A colour and a shape, as asked where asked, that no block has together; None if all are there."""
    taken = {(b.colour, b.shape) for b in blocks}
    for _ in range(12):
        choice = pick(rng, CLASSES)
        choice = colour or choice[0], shape or choice[1]
        if choice not in taken:
            return choice
    left = [c for c in CLASSES if c not in taken and colour in (None, c[0]) and shape in (None, c[1])]
    return pick(rng, left) if left else None


def random_scene(rng: np.random.Generator, number: int) -> tuple[Block, ...]:
    """A scene of that many blocks, or fewer where they do not fit; one in three has large ones alone."""
    blocks: list[Block] = []
    small = 0.0 if rng.random() < 0.3 else 0.4
    few_colours = [pick(rng, COLOURS) for _ in range(2)] if rng.random() < 0.25 else None
    tries = 0
    while len(blocks) < number and tries < 120:
        tries += 1
        right, away = (0.0, 0.0) if not blocks and rng.random() < 0.55 else anywhere(rng)
        if not is_free(right, away, blocks) or not in_world(right, away):
            continue
        # scenes of few colours have more to tell apart
        colour = pick(rng, few_colours) if few_colours and rng.random() < 0.7 else None
        chosen = free_class(rng, blocks, colour)
        if chosen is not None:
            blocks.append(Block(*chosen, "small" if rng.random() < small else "large", right, away))
    return tuple(blocks)
