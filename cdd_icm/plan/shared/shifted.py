"""Shifted pictures, from which a plan's detector learns that objects can be anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from cdd_icm.data.dialog import SceneObject


def shifted(
    picture: UInt8[Tensor, "3 R R"], objects: Sequence[SceneObject], grid: int, rng: np.random.Generator
) -> tuple[UInt8[Tensor, "3 R R"], list[SceneObject]]:
    """A picture and its objects, randomly mirrored, and shifted by up to an eighth of its side in whole
    cells. Edge pixels are repeated; objects that leave the picture are removed."""
    if rng.random() < 0.5:
        picture, objects = picture.flip(-1), [obj.mirrored() for obj in objects]
    max_shift, side = grid // 8, picture.shape[-1]
    cell = side // grid
    right, down = (int(shift) for shift in rng.integers(-max_shift, max_shift + 1, size=2))
    margin = (max_shift * cell,) * 2
    padded = np.pad(picture.numpy(), ((0, 0), margin, margin), mode="edge")
    top, left = ((max_shift - shift) * cell for shift in (down, right))
    moved = [replace(obj, x=obj.x + right / grid, y=obj.y + down / grid) for obj in objects]
    inside = [obj for obj in moved if 0 <= obj.x < 1 and 0 <= obj.y < 1]
    return torch.from_numpy(padded[:, top : top + side, left : left + side].copy()), inside
