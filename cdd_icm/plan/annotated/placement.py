"""Places a new object relative to the existing ones, as a product of half-planes.

"Behind the cube on the left and in front of the ball" is a product of half-planes with edges at the cube and
the ball. Each existing object attends to the text to find the relations about it, and adds half-plane kernels
at its position to the logits of the cells. The kernels' edges are sharp, unlike a map predicted from fused
tokens, whose patches are many pixels wide. The half-planes are on the ground plane, on which "behind" is a
direction towards the vanishing point.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.functional import grid_sample

from cdd_icm.device import full_precision
from cdd_icm.plan.shared.camera import to_ground
from cdd_icm.plan.shared.decoder import FREQUENCIES, DecoderLayer, as_float, position_features
from cdd_icm.plan.shared.word_context import WordContext


class Placement(nn.Module):
    """Predicts p(cell of a new object | text, existing objects), and its side of each existing object.

    Args:
        classes: C. width: D of the words. heads: attention heads. grid: G.
        kernels: K, the number of kernels over the offset from an object's cell; initially half-planes in K
            evenly spaced directions.
        context_layers: number of `WordContext` layers. horizon: see `to_ground`. sharpening: see `Tuning`.
        layers: number of decoder layers.
    """

    def __init__(
        self,
        classes: int,
        width: int,
        heads: int,
        grid: int,
        kernels: int,
        context_layers: int = 0,
        horizon: float | None = None,
        sharpening: float = 6.0,
        layers: int = 3,
    ):
        super().__init__()
        self.grid, self.horizon, self.sharpening = grid, horizon, sharpening
        self.class_embedding = nn.Parameter(torch.randn(classes, width))
        self.new_object = nn.Parameter(torch.randn(1, width))  # the query of the object to be placed
        self.antecedent = nn.Parameter(torch.zeros(width))  # added to the object that "it" refers to
        self.place_in = nn.Sequential(
            nn.Linear(2 + 4 * FREQUENCIES, width), nn.GELU(), nn.Linear(width, width)
        )
        self.words_in = nn.Linear(width, width)
        self.word_context = nn.ModuleList(WordContext(width, heads) for _ in range(context_layers))
        self.layers = nn.ModuleList(DecoderLayer(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.sides, self.kernel_out, self.map_out = (nn.Linear(width, n) for n in (2, kernels, kernels))
        for last in (self.kernel_out, self.map_out):  # initially all cells are equal
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)
        offset = torch.arange(1 - 2 * grid, 2 * grid) / (2 * grid)  # at twice the resolution of the cells
        angle = torch.arange(kernels) * (2 * math.pi / kernels)
        across = angle.cos()[:, None, None] * offset + angle.sin()[:, None, None] * offset[:, None]
        self.kernels = nn.Parameter((32 * across).tanh() / sharpening)  # (K, 4 G - 1, 4 G - 1)
        self.maps = nn.Parameter(0.1 * torch.randn(kernels, grid**2) / sharpening)

    def no_weight_decay(self) -> set[str]:
        """Embeddings, see `train.optim.decayed`."""
        return {"new_object"}

    def forward(
        self,
        words: Float[Tensor, "B Nw D"],
        mask: Bool[Tensor, "B Nw"],
        existing: Int[Tensor, "B C"],
        antecedent: Int[Tensor, " B"],
        max_objects: int | None = None,
    ) -> tuple[Float[Tensor, "B G2"], Float[Tensor, "B C 2"]]:
        """Logits of the new object's cell, for any class, and of x_new > x_old and y_new > y_old for each old
        class (0 if it does not exist).

        Args:
            words, mask: the text's tokens before fusion. existing: the cell of each class, or -1.
            antecedent: the class that "it" refers to, drawn in the previous turn, or -1.
            max_objects: upper bound for the number of existing objects in a picture; None counts them, which
                synchronises with the GPU.
        """
        max_objects = int((existing >= 0).sum(dim=1).max()) if max_objects is None else max_objects
        exists, classes = self._existing_classes(existing, max_objects)  # (B, n) each
        cell = existing.gather(1, classes)
        at = torch.stack([cell % self.grid, cell // self.grid], dim=-1)  # (B, n, 2), x and y
        objects = self.class_embedding[classes] + self.place_in(
            position_features((at + 0.5) / self.grid).to(words.dtype)
        )
        objects = objects + self.antecedent * (classes == antecedent[:, None])[..., None]
        x = torch.cat([objects, self.new_object.expand(len(words), 1, -1)], dim=1)  # (B, n + 1, D)
        attended = torch.cat([exists, exists.new_ones(len(exists), 1)], dim=1)
        words = self.words_in(words)
        for layer in self.word_context:
            words = layer(words, mask)
        for layer in self.layers:
            x = layer(x, attended, words, mask)
        x = self.norm(x).float()
        with full_precision(x.device):  # bf16 is too coarse for the kernels' edges
            cells = self.sharpening * as_float(self.map_out, x[:, -1]) @ self.maps.float()  # (B, G^2)
            shifted = self._shifted_kernels(
                as_float(self.kernel_out, x[:, :-1]).flatten(0, 1), at.flatten(0, 1)
            )
            cells = cells + (shifted.unflatten(0, exists.shape) * exists[..., None]).sum(dim=1)
            sides = as_float(self.sides, x[:, :-1]) * exists[..., None]
        empty = sides.new_zeros(*existing.shape, 2)
        return cells, empty.scatter(1, classes[..., None].expand(-1, -1, 2), sides)

    def _existing_classes(
        self, existing: Int[Tensor, "B C"], max_objects: int
    ) -> tuple[Bool[Tensor, "B n"], Int[Tensor, "B n"]]:
        """Which of the returned `max_objects` classes exist, and the classes: the existing ones first."""
        exists = existing >= 0
        classes = exists.int().argsort(dim=1, descending=True, stable=True)[:, :max_objects]
        return exists.gather(1, classes), classes

    def _shifted_kernels(
        self, weights: Float[Tensor, "N K"], at: Int[Tensor, "N 2"]
    ) -> Float[Tensor, "N G2"]:
        """The kernels, mixed with each object's weights and centred on its cell."""
        index = torch.arange(self.grid, device=at.device)
        cells = torch.stack(torch.meshgrid(index, index, indexing="xy"), dim=-1)  # (G, G, 2), x and y
        cells, at = (to_ground((cell + 0.5) / self.grid, self.horizon) for cell in (cells, at))
        offsets = cells - at[:, None, None]  # (N, G, G, 2)
        side = self.kernels.shape[-1]
        mixed = self.sharpening * weights @ self.kernels.float().flatten(1)  # (N, (4 G - 1)^2)
        shifted = grid_sample(
            mixed.view(-1, 1, side, side),
            offsets * ((side + 1) / (side - 1)),  # -1 to 1 is from the first to the last entry
            padding_mode="border",
            align_corners=True,
        )
        return shifted.flatten(1)
