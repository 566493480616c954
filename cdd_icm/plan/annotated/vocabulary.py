"""What a plan may hold: classes, traits and templates, and the annotation as tensors of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Int
from torch import Tensor

from cdd_icm.data.dialog import SceneObject
from cdd_icm.errors import InputError

MOVED = 0.02
"""An object that stands this much further on, as a share of the picture's side, has been moved."""


def drawn_objects(before: Sequence[SceneObject], after: Sequence[SceneObject]) -> tuple[SceneObject, ...]:
    """The objects of `after` that are new, or stand elsewhere or look otherwise than in `before`."""
    stood = {thing.name: thing for thing in before}

    def same(thing: SceneObject) -> bool:
        was = stood.get(thing.name)
        near = was is not None and max(abs(was.x - thing.x), abs(was.y - thing.y)) <= MOVED
        return near and was.look == thing.look

    return tuple(thing for thing in after if not same(thing))


def to_plan(objects: Sequence[SceneObject], classes: Sequence[str], grid: int) -> Int[Tensor, " C"]:
    """The plan that puts `objects` where they stand; outside the picture the nearest cell counts.

    Raises:
        InputError: an object of another class.
    """
    plan = [-1] * len(classes)
    for thing in objects:
        if thing.name not in classes:
            raise InputError(f"objects: {thing.name!r} is none of the {len(classes)} classes planned with")
        x, y = (min(max(int(value * grid), 0), grid - 1) for value in (thing.x, thing.y))
        plan[classes.index(thing.name)] = y * grid + x
    return torch.tensor(plan)


def to_look(
    objects: Sequence[SceneObject], classes: Sequence[str], traits: Mapping[str, Sequence[str]]
) -> Int[Tensor, "C K"]:
    """How `objects`, of known classes, look: the value of each trait, or -1 where that is not told.

    Raises:
        InputError: a value that no object of the training data has.
    """
    look = torch.full((len(classes), len(traits)), -1)
    for thing in objects:
        for k, (trait, values) in enumerate(traits.items()):
            value = thing.look.get(trait)
            if value is not None and value not in values:
                raise InputError(f"objects: look: {trait}: {value!r} is none of {', '.join(values)}")
            look[classes.index(thing.name), k] = -1 if value is None else values.index(value)
    return look


class Templates:
    """Which of P templates lie where an object is planned: the one of its class in its form, and then one for
    the value of each trait that is in no form.

    A form is a combination of the values of those traits that change the class's whole picture (`forms`, by
    class): of a small thing turned to the left every pixel is another than of a large one turned right.

    Attributes:
        count: P. forms: those of them that are a class in a form; they come first.
    """

    def __init__(
        self,
        classes: Sequence[str],
        traits: Mapping[str, Sequence[str]],
        forms: Mapping[str, Sequence[str]],
    ):
        first, strides, counted = [], torch.zeros(len(classes), len(traits), dtype=torch.long), 0
        for c, name in enumerate(classes):
            first.append(counted)
            size = 1
            for k, (trait, values) in reversed(list(enumerate(traits.items()))):
                if trait in forms.get(name, ()):
                    strides[c, k] = size
                    size *= len(values)
            counted += size
        self.first, self.strides, self.forms = torch.tensor(first), strides, counted
        self.others: list[tuple[int, int]] = []  # the trait, and its first template
        for k, (trait, values) in enumerate(traits.items()):
            if not any(trait in form for form in forms.values()):
                self.others.append((k, counted))
                counted += len(values)
        self.count = counted

    def marks(self, place: Int[Tensor, "B C"], look: Int[Tensor, "B C K"] | None) -> Int[Tensor, "B C M"]:
        """The form in which the UNet sees a plan: of each class its place, or -1, and then which templates
        lie there, or -1 where nobody told how it looks."""
        form, strides = (x.to(place.device, non_blocking=True) for x in (self.first, self.strides))
        form, told = form.expand_as(place), torch.ones_like(place, dtype=torch.bool)
        if look is not None:
            form = form + (look * strides).sum(dim=-1)
            told = ((look >= 0) | (strides == 0)).all(dim=-1)
        others = [torch.where(look[..., k] >= 0, first + look[..., k], -1) for k, first in self.others]
        return torch.stack([place, torch.where(told, form, -1), *others], dim=-1)


def middle_place(plan: Int[Tensor, "B C"], grid: int, fine: int) -> Int[Tensor, "B C"]:
    """The place in the middle of each cell, of `fine` places along a cell's side; -1 stays."""
    y, x = (cell * fine + fine // 2 for cell in (plan // grid, plan % grid))
    return torch.where(plan >= 0, y * (grid * fine) + x, -1)
