"""Scenes without pictures, and pictures shifted and mirrored: more to learn placement and detection from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from cdd_icm.data.dialog import SceneObject
from cdd_icm.plan.annotated.grammars.recaption import crowded, retell


def imagined(
    scenes: Sequence[Sequence[SceneObject]], rng: np.random.Generator
) -> tuple[list[str], list[SceneObject]]:
    """A dialog that nobody drew: the objects of one of the `scenes` in another order, the first where the
    first of a scene stands and the others where others stand, and what a teller says as each is added. What
    finds no free place in eight tries is left out."""

    def scene() -> Sequence[SceneObject]:
        return scenes[rng.integers(len(scenes))]

    things: list[SceneObject] = []
    for thing in rng.permutation(np.array(scene(), dtype=object)):
        for _ in range(8):
            there = scene()
            there = there[rng.integers(len(there)) if things else 0]
            moved = replace(thing, x=there.x, y=there.y)
            if not crowded(moved, things):
                things.append(moved)
                break
    return [retell([thing], things[:i], rng) for i, thing in enumerate(things)], things


def elsewhere(
    picture: UInt8[Tensor, "3 R R"], things: Sequence[SceneObject], grid: int, rng: np.random.Generator
) -> tuple[UInt8[Tensor, "3 R R"], list[SceneObject]]:
    """A picture and its objects in a mirror or not, and moved by up to an eighth of its side, by whole cells
    of the grid; its edge is drawn out, and what leaves it is left out."""
    if rng.random() < 0.5:
        picture, things = picture.flip(-1), [thing.mirrored() for thing in things]
    most, side = grid // 8, picture.shape[-1]
    cell = side // grid
    right, down = (int(shift) for shift in rng.integers(-most, most + 1, size=2))
    padded = np.pad(picture.numpy(), ((0, 0), (most * cell,) * 2, (most * cell,) * 2), mode="edge")
    top, left = ((most - shift) * cell for shift in (down, right))
    moved = [replace(thing, x=thing.x + right / grid, y=thing.y + down / grid) for thing in things]
    kept = [thing for thing in moved if 0 <= thing.x < 1 and 0 <= thing.y < 1]
    return torch.from_numpy(padded[:, top : top + side, left : left + side].copy()), kept
