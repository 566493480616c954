"""Detects the objects of a picture, with their traits."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from cdd_icm.plan.pieces.losses import of_chosen
from cdd_icm.plan.pieces.scene import Scene
from cdd_icm.plan.shared.detector import ObjectDetector, cell_loss, existing_cells

WIDTH = 128


class PieceDetector(nn.Module):
    """Detects which classes of object are in which cells, and reads the traits of each from what is seen
    there.

    Args:
        image_size: R. classes: C. trait_sizes: the number of values of each of K traits. grid: G.
    """

    def __init__(self, image_size: int, classes: int, trait_sizes: Sequence[int], grid: int):
        super().__init__()
        self.classes, self.trait_sizes, self.grid = classes, tuple(trait_sizes), grid
        self.objects = ObjectDetector(image_size, classes, grid, width=WIDTH)
        self.norm = nn.LayerNorm(WIDTH)
        self.traits_out = nn.Linear(WIDTH, classes * sum(trait_sizes))

    def forward(
        self, pictures: Float[Tensor, "B 3 R R"]
    ) -> tuple[Float[Tensor, "B C G G"], Float[Tensor, "B W g g"]]:
        """The logits of `ObjectDetector`, and the features of which `traits` reads; `pictures` in [-1, 1]."""
        features = self.objects.features(pictures)
        return self.objects.cells(features), features

    def traits(
        self, features: Float[Tensor, "B W g g"], cells: Int[Tensor, "B C"]
    ) -> tuple[Float[Tensor, "B C v"], ...]:
        """The logits of the traits of each class in its cell; where that is -1, of cell 0."""
        cells, side = cells.clamp(min=0), features.shape[-1]
        square = (cells // self.grid // 2) * side + cells % self.grid // 2
        seen = features.flatten(2).transpose(1, 2)  # (B, g^2, W)
        seen = seen.gather(1, square[..., None].expand(-1, -1, seen.shape[-1]))  # (B, C, W)
        weights = self.traits_out.weight.float().unflatten(0, (self.classes, -1))
        values = torch.einsum("bcw,cvw->bcv", self.norm(seen).float(), weights)
        values = values + self.traits_out.bias.float().unflatten(0, (self.classes, -1))
        return values.split(self.trait_sizes, dim=-1)

    def loss(self, pictures: Float[Tensor, "B 3 R R"], scene: Scene) -> Float[Tensor, ""]:
        """-log p of the objects of the pictures and of their traits, averaged over the pictures."""
        logits, features = self(pictures)
        valid = torch.ones(len(logits), dtype=torch.bool, device=logits.device)
        total = cell_loss(logits, scene.cells, valid)
        for values, truth in zip(
            self.traits(features, scene.cells), scene.traits.unbind(dim=-1), strict=True
        ):
            total = total + of_chosen(values, truth)
        return total

    def detect(self, pictures: Float[Tensor, "B 3 R R"], expected_objects: float) -> Scene:
        """The likeliest objects; `expected_objects`: see `Tuning`. None of them is touched."""
        logits, features = self(pictures)
        cells = existing_cells(logits, expected_objects)
        values = [value.argmax(dim=-1) for value in self.traits(features, cells)]
        traits = torch.stack(values, dim=-1) if values else cells.new_zeros(*cells.shape, 0)
        untouched = torch.zeros_like(cells, dtype=torch.bool)
        return Scene(cells, traits.where(cells[..., None] >= 0, -1), untouched)
