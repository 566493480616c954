"""The classes and traits of a plan, and the encoding of annotated objects as tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Int
from torch import Tensor

from cdd_icm.data.dialog import SceneObject
from cdd_icm.errors import InputError


def drawn_objects(
    before: Sequence[SceneObject], after: Sequence[SceneObject], moved_distance: float
) -> tuple[SceneObject, ...]:
    """The objects of `after` that are new, have moved by more than `moved_distance` in x or y, or have other
    traits than in `before`."""
    earlier = {obj.name: obj for obj in before}

    def same(obj: SceneObject) -> bool:
        old = earlier.get(obj.name)
        near = old is not None and max(abs(old.x - obj.x), abs(old.y - obj.y)) <= moved_distance
        return near and old.look == obj.look

    return tuple(obj for obj in after if not same(obj))


def to_cells(objects: Sequence[SceneObject], classes: Sequence[str], grid: int) -> Int[Tensor, " C"]:
    """The cell of each class in a `grid` x `grid`, counted row by row from the top left, or -1 if absent.
    Objects outside of the picture are in the nearest cell.

    Raises:
        InputError: an object's class is not in `classes`.
    """
    cells = [-1] * len(classes)
    for obj in objects:
        if obj.name not in classes:
            raise InputError(f"objects: {obj.name!r} is not one of the {len(classes)} classes of the plan")
        x, y = (min(max(int(value * grid), 0), grid - 1) for value in (obj.x, obj.y))
        cells[classes.index(obj.name)] = y * grid + x
    return torch.tensor(cells)


def to_trait_values(
    objects: Sequence[SceneObject], classes: Sequence[str], traits: Mapping[str, Sequence[str]]
) -> Int[Tensor, "C K"]:
    """The value of each trait of `objects`, whose classes must be known, or -1 if it is not annotated.

    Raises:
        InputError: a value that no object of the training data has.
    """
    encoded = torch.full((len(classes), len(traits)), -1)
    for obj in objects:
        for k, (trait, values) in enumerate(traits.items()):
            value = obj.look.get(trait)
            if value is not None and value not in values:
                raise InputError(f"objects: look: {trait}: {value!r} is not one of {', '.join(values)}")
            encoded[classes.index(obj.name), k] = -1 if value is None else values.index(value)
    return encoded


def middle_place(cells: Int[Tensor, "B C"], grid: int, places_per_cell: int) -> Int[Tensor, "B C"]:
    """The feature map's place in the middle of each cell, whose side is `places_per_cell` places; -1 stays
    -1."""
    y, x = (cell * places_per_cell + places_per_cell // 2 for cell in (cells // grid, cells % grid))
    return torch.where(cells >= 0, y * (grid * places_per_cell) + x, -1)
