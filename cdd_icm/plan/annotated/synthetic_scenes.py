"""Dialogs without pictures, and pictures shifted and mirrored: more to learn placement and detection from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from cdd_icm.data.dialog import SceneObject
from cdd_icm.plan.annotated.grammars.registry import Grammar


def synthetic_dialog(
    scenes: Sequence[Sequence[SceneObject]], grammar: Grammar, rng: np.random.Generator
) -> tuple[list[str], list[SceneObject]]:
    """A dialog without pictures: the objects of one of the `scenes` in another order, the first where the
    first of a scene is and the others where others are, and an instruction for each. What finds no free place
    in eight tries is left out."""

    def scene() -> Sequence[SceneObject]:
        return scenes[rng.integers(len(scenes))]

    things: list[SceneObject] = []
    for obj in rng.permutation(np.array(scene(), dtype=object)):
        for _ in range(8):
            there = scene()
            there = there[rng.integers(len(there)) if things else 0]
            moved = replace(obj, x=there.x, y=there.y)
            if not grammar.collides(moved, things):
                things.append(moved)
                break
    return [grammar.write([obj], things[:i], rng) for i, obj in enumerate(things)], things


def shifted(
    picture: UInt8[Tensor, "3 R R"], things: Sequence[SceneObject], grid: int, rng: np.random.Generator
) -> tuple[UInt8[Tensor, "3 R R"], list[SceneObject]]:
    """A picture and its objects, mirrored or not, and moved by up to an eighth of its side, by whole cells of
    the grid; its edge pixels are repeated, and objects that leave it are left out."""
    if rng.random() < 0.5:
        picture, things = picture.flip(-1), [obj.mirrored() for obj in things]
    furthest, side = grid // 8, picture.shape[-1]
    cell = side // grid
    right, down = (int(shift) for shift in rng.integers(-furthest, furthest + 1, size=2))
    margin = (furthest * cell,) * 2
    padded = np.pad(picture.numpy(), ((0, 0), margin, margin), mode="edge")
    top, left = ((furthest - shift) * cell for shift in (down, right))
    moved = [replace(obj, x=obj.x + right / grid, y=obj.y + down / grid) for obj in things]
    kept = [obj for obj in moved if 0 <= obj.x < 1 and 0 <= obj.y < 1]
    return torch.from_numpy(padded[:, top : top + side, left : left + side].copy()), kept
