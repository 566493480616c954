"""Requests as tensors: a scene, a text, and what the text asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Bool, Int
from tokenizers import Tokenizer
from torch import Tensor

from cdd_icm.data.dialog import SceneObject
from cdd_icm.data.tensor_fields import TensorFields
from cdd_icm.errors import InputError
from cdd_icm.plan.edits.changes import ObjectChange
from cdd_icm.plan.shared.intents import INTENTS
from cdd_icm.plan.shared.words import encode_texts

MAX_OBJECTS = 8
"""n, the largest number of existing objects that a plan takes note of."""
MAX_ADDED = 3
"""N, the largest number of objects that a turn adds."""
KEEP, REMOVE, CHANGE = 0, 1, 2
"""What is done with an existing object."""
TOUCHED_LAST, TOUCHED = 2, 1
"""Whether an object is the last one, or another one, that the turn before added or changed; else 0."""


@dataclass
class Scene(TensorFields):
    """The existing objects of B pictures, in the order in which they were added."""

    classes: Int[Tensor, "B n"]
    """The class of each object; -1 where there is none."""
    traits: Int[Tensor, "B n K"]
    cells: Int[Tensor, "B n"]
    touched: Int[Tensor, "B n"]
    """See `TOUCHED`."""

    @property
    def exists(self) -> Bool[Tensor, "B n"]:
        return self.classes >= 0


@dataclass
class Asked(TensorFields):
    """What B texts ask for. The first n entries of the last dimension are those of the existing objects, the
    other N those of added ones; -1 where nothing is asked."""

    actions: Int[Tensor, "B n"]
    """`KEEP`, `REMOVE` or `CHANGE`; -1 where there is no object."""
    added: Bool[Tensor, "B N"]
    classes: Int[Tensor, "B m"]
    """The class of an added object, or of one whose class changes; else -1."""
    traits: Int[Tensor, "B m K"]
    cells: Int[Tensor, "B m"]
    """The cell of an added or moved object, else -1."""
    intents: Int[Tensor, " B"]


@dataclass
class Requests(TensorFields):
    """Texts, the scenes they are about, and what they ask for."""

    ids: Int[Tensor, "B Nw"]
    mask: Bool[Tensor, "B Nw"]
    scene: Scene
    asked: Asked

    def __getitem__(self, items: slice | Tensor) -> Requests:
        """Some of the requests."""
        parts = (of_items(part, items) for part in (self.scene, self.asked))
        return Requests(self.ids[items], self.mask[items], *parts)

    @property
    def anchor_cells(self) -> Int[Tensor, "B m"]:
        """The cells of existing objects before the turn, and of added ones after it; -1 for none."""
        return torch.cat([self.scene.cells, self.asked.cells[:, MAX_OBJECTS:]], dim=1)

    def trimmed(self, length: int) -> Requests:
        """The same with texts of `length` tokens, beyond which all must be padding."""
        return replace(self, ids=self.ids[:, :length], mask=self.mask[:, :length])


@dataclass
class Placed(TensorFields):
    """P objects that are placed, and Q pairs of one of them and an object beside which it may be placed: any
    existing one, and of the added ones those before it."""

    items: Int[Tensor, " P"]
    """The item of the batch."""
    slots: Int[Tensor, " P"]
    """The object among the item's m."""
    which: Int[Tensor, " Q"]
    """The placed object of a pair, among the P."""
    anchors: Int[Tensor, " Q"]
    """The other object of a pair, among its item's m."""

    @classmethod
    def of(cls, items: Int[Tensor, " P"], slots: Int[Tensor, " P"], cells: Int[Tensor, "B m"]) -> Placed:
        """
        Args:
            cells: of all objects, see `anchor_cells`; -1 where there is none.
        """
        number = torch.arange(cells.shape[1], device=cells.device)
        before = (number < MAX_OBJECTS) | (number < slots[:, None])  # (P, m)
        return cls(items, slots, *(before & (cells[items] >= 0)).nonzero(as_tuple=True))

    @classmethod
    def asked_by(cls, requests: Requests) -> Placed:
        """Those that are added or moved. It waits for the device, so that training calls it in the loader."""
        items, slots = (requests.asked.cells >= 0).nonzero(as_tuple=True)
        return cls.of(items, slots, requests.anchor_cells)


def of_items(fields: Any, items: slice | Tensor) -> Any:
    """Some of the items of a dataclass of tensors."""
    return replace(fields, **{name: value[items] for name, value in vars(fields).items()})


@dataclass(frozen=True)
class RequestEncoder:
    """Encodes requests. Args: see `EditPlan`."""

    classes: Sequence[str]
    traits: Mapping[str, Sequence[str]]
    grid: int
    moved_distance: float
    tokenizer: Tokenizer

    def __call__(
        self,
        texts: Sequence[str],
        scenes: Sequence[Sequence[SceneObject]],
        touched: Sequence[Sequence[int]],
        changes: Sequence[Sequence[ObjectChange]],
        intents: Sequence[str],
    ) -> Requests:
        """
        Raises:
            InputError: an object of an unknown class or with an unknown trait.
        """
        scene = stacked(Scene, [self.scene(*pair) for pair in zip(scenes, touched, strict=True)])
        asked = [self.asked(*item) for item in zip(scenes, changes, intents, strict=True)]
        return Requests(*encode_texts(self.tokenizer, texts), scene, stacked(Asked, asked))

    def scene(self, objects: Sequence[SceneObject], touched: Sequence[int]) -> dict[str, Tensor]:
        """One scene, of the first `MAX_OBJECTS` objects."""
        n = MAX_OBJECTS
        out = {name: torch.full((n,), -1) for name in ("classes", "cells")}
        out |= {"traits": torch.full((n, len(self.traits)), -1), "touched": torch.zeros(n, dtype=torch.long)}
        for i, obj in enumerate(objects[:n]):
            out["classes"][i], out["traits"][i] = self.class_of(obj), self.traits_of(obj)
            out["cells"][i] = self.cell_of(obj)
        for i in touched:
            if i < n:
                out["touched"][i] = TOUCHED_LAST if i == touched[-1] else TOUCHED
        return out

    def asked(
        self, objects: Sequence[SceneObject], changes: Sequence[ObjectChange], intent: str
    ) -> dict[str, Tensor]:
        n, m = MAX_OBJECTS, MAX_OBJECTS + MAX_ADDED
        actions = torch.full((n,), -1)
        actions[: len(objects)] = KEEP
        out = {name: torch.full((m,), -1) for name in ("classes", "cells")}
        out["traits"] = torch.full((m, len(self.traits)), -1)
        new = 0
        for before, after in changes:
            if before is None:
                if new < MAX_ADDED:
                    out["classes"][n + new], out["traits"][n + new] = (
                        self.class_of(after),
                        self.traits_of(after),
                    )
                    out["cells"][n + new] = self.cell_of(after)
                new += 1
            elif before < n:
                actions[before] = REMOVE if after is None else CHANGE
                if after is not None:
                    self._changed(objects[before], after, before, out)
        added = torch.arange(MAX_ADDED) < new
        return out | {"actions": actions, "added": added, "intents": torch.tensor(INTENTS.index(intent))}

    def _changed(self, old: SceneObject, new: SceneObject, i: int, out: dict[str, Tensor]) -> None:
        """What differs between the object's states before and after."""
        if new.name != old.name:
            out["classes"][i] = self.class_of(new)
        before, after = self.traits_of(old), self.traits_of(new)
        out["traits"][i] = torch.where(before != after, after, -1)
        if self.has_moved(old, new):
            out["cells"][i] = self.cell_of(new)

    def has_moved(self, old: SceneObject, new: SceneObject) -> bool:
        """Whether it stands elsewhere: the centre of one that is only made larger is higher, too."""
        slack = (
            self.moved_distance if (old.name, old.look) == (new.name, new.look) else 2 * self.moved_distance
        )
        return max(abs(old.x - new.x), abs(old.y - new.y)) > slack

    def class_of(self, obj: SceneObject) -> int:
        if obj.name not in self.classes:
            raise InputError(
                f"objects: {obj.name!r} is not one of the {len(self.classes)} classes of the plan"
            )
        return self.classes.index(obj.name)

    def traits_of(self, obj: SceneObject) -> Tensor:
        """The values of its traits; where one is not annotated, the first value."""
        values = []
        for trait, known in self.traits.items():
            value = obj.look.get(trait, known[0])
            if value not in known:
                raise InputError(f"objects: look: {trait}: {value!r} is not one of {', '.join(known)}")
            values.append(known.index(value))
        return torch.tensor(values, dtype=torch.long)

    def cell_of(self, obj: SceneObject) -> int:
        x, y = (min(max(int(value * self.grid), 0), self.grid - 1) for value in (obj.x, obj.y))
        return y * self.grid + x


def stacked(cls: type, items: Sequence[Mapping[str, Tensor]]) -> TensorFields:
    """The items of a batch as one `cls`."""
    return cls(**{name: torch.stack([item[name] for item in items]) for name in items[0]})
