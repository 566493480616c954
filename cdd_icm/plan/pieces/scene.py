"""What a picture shows, and what becomes of it, as tensors with an entry for each of C classes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from cdd_icm.data.dialog import SceneObject
from cdd_icm.data.tensor_fields import TensorFields
from cdd_icm.plan.shared.object_tensors import drawn_objects, to_cells, to_trait_values


@dataclass
class Scene(TensorFields):
    """The objects of B pictures, one of each class at most."""

    cells: Int[Tensor, "B C"]
    """The cell of each class, or -1 where the picture has none."""
    traits: Int[Tensor, "B C K"]
    """The value of each of K traits, or -1."""
    touched: Bool[Tensor, "B C"]
    """The classes that the turn before drew, of which "it" and "them" may speak."""

    def __getitem__(self, items: slice | Tensor) -> Scene:
        """Some of the pictures."""
        return Scene(self.cells[items], self.traits[items], self.touched[items])

    def emptied(self) -> Scene:
        """As many empty pictures."""
        empty = (torch.full_like(part, -1) for part in (self.cells, self.traits))
        return Scene(*empty, torch.zeros_like(self.touched))

    @property
    def exists(self) -> Bool[Tensor, "B C"]:
        return self.cells >= 0

    @classmethod
    def of(
        cls,
        objects: Sequence[SceneObject],
        classes: Sequence[str],
        traits: Mapping[str, Sequence[str]],
        grid: int,
        touched: Collection[str] = (),
    ) -> Scene:
        """One picture's; `touched`: names of classes.

        Raises:
            InputError: an object of an unknown class or with an unknown trait.
        """
        cells = to_cells(objects, classes, grid)[None]
        traits_of = to_trait_values(objects, classes, traits)[None]
        return cls(cells, traits_of, torch.tensor([[name in touched for name in classes]]))


@dataclass
class Changes(TensorFields):
    """What B turns change."""

    drawn: Scene
    """The objects that are new or moved, or whose traits change, as they are afterwards."""
    removed: Bool[Tensor, "B C"]
    intents: Int[Tensor, " B"]

    def gone(self, scene: Scene) -> Bool[Tensor, "B C"]:
        """The objects of the scene that are not left as they are."""
        return scene.exists & (self.removed | self.drawn.exists)

    @property
    def no_op(self) -> Bool[Tensor, " B"]:
        """Turns that change nothing."""
        return ~(self.removed | self.drawn.exists).any(dim=1)


def changes_of(
    before: Sequence[SceneObject],
    after: Sequence[SceneObject],
    classes: Sequence[str],
    traits: Mapping[str, Sequence[str]],
    grid: int,
    moved_distance: float,
    intent: int,
) -> Changes:
    """What one turn changes; `moved_distance`: see `drawn_objects`."""
    drawn = Scene.of(drawn_objects(before, after, moved_distance), classes, traits, grid)
    stay = {obj.name for obj in after}
    gone = [obj for obj in before if obj.name not in stay]
    return Changes(drawn, to_cells(gone, classes, grid)[None] >= 0, torch.tensor([intent]))
