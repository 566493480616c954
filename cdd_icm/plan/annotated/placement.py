"""Where a new object goes beside the existing ones: each of these attends to the text about its own sides,
and half-planes at its place make the distribution over the cells.

"Behind the cube on the left and in front of the ball" is a product of half-planes, whose edges meet where the
two are. The fused tokens tell of patches many pixels wide, between which a plan can only be smooth; here an
edge is as sharp as the place of its object is known. The half-planes lie on the ground that the picture
shows, where what is "behind" something lies on a line to the vanishing point.
"""

from __future__ import annotations

import math

import torch
from einops import rearrange
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.functional import grid_sample, linear

from cdd_icm.model.attention import Attention
from cdd_icm.plan.annotated.camera import ground
from cdd_icm.plan.annotated.word_context import WordContext

FREQUENCIES = 6
"""Octaves of the sines and cosines that encode an object's place."""


class Placement(nn.Module):
    """p(cell of a new object | text, existing objects), and on which side of each of these it goes.

    Args:
        classes: C. width: D of the words. heads: of its attention. grid: G. kernels: K, over the offsets from
        an object's cell; at first half-planes, turned evenly through all directions. context_layers: how
        often the words attend to their neighbours before (`WordContext`). horizon: see `ground`. sharpening:
        see `Tuning`. layers: how often the objects attend to each other and to the words.
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
        self.new_object = nn.Parameter(torch.randn(1, width))  # the query of the one that is to be placed
        self.antecedent = nn.Parameter(torch.zeros(width))  # is added to what "it" is
        self.place_in = nn.Sequential(
            nn.Linear(2 + 4 * FREQUENCIES, width), nn.GELU(), nn.Linear(width, width)
        )
        self.words_in = nn.Linear(width, width)
        self.word_context = nn.ModuleList(WordContext(width, heads) for _ in range(context_layers))
        self.layers = nn.ModuleList(DecoderLayer(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.sides, self.kernel_out, self.map_out = (nn.Linear(width, n) for n in (2, kernels, kernels))
        for last in (self.kernel_out, self.map_out):  # at first all cells are alike
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)
        offset = torch.arange(1 - 2 * grid, 2 * grid) / (2 * grid)  # twice as fine as the cells
        angle = torch.arange(kernels) * (2 * math.pi / kernels)
        across = angle.cos()[:, None, None] * offset + angle.sin()[:, None, None] * offset[:, None]
        self.kernels = nn.Parameter((32 * across).tanh() / sharpening)  # (K, 4 G - 1, 4 G - 1)
        self.maps = nn.Parameter(0.1 * torch.randn(kernels, grid**2) / sharpening)

    def no_weight_decay(self) -> set[str]:
        """Embeddings, for `train.optim.decayed`."""
        return {"new_object"}

    def forward(
        self,
        words: Float[Tensor, "B Nw D"],
        mask: Bool[Tensor, "B Nw"],
        existing: Int[Tensor, "B C"],
        antecedent: Int[Tensor, " B"],
        max_objects: int | None = None,
    ) -> tuple[Float[Tensor, "B G2"], Float[Tensor, "B C 2"]]:
        """The logits of a new object's cells, whatever its class; and of x_new > x_old and y_new > y_old for
        each class, 0 where it does not exist.

        Args:
            words, mask: the text's tokens. existing: the cell of each class, or -1.
            antecedent: the class that the turn before drew, which the words call "it", or -1.
            max_objects: how many exist in the fullest picture, where that is known: to count them makes the
                CPU wait for a GPU.
        """
        max_objects = int((existing >= 0).sum(dim=1).max()) if max_objects is None else max_objects
        there, classes = self._first(existing, max_objects)  # (B, n) each
        place = existing.gather(1, classes)
        at = torch.stack([place % self.grid, place // self.grid], dim=-1)  # (B, n, 2), x and y
        objects = self.class_embedding[classes] + self.place_in(
            place_features((at + 0.5) / self.grid).to(words.dtype)
        )
        objects = objects + self.antecedent * (classes == antecedent[:, None])[..., None]
        x = torch.cat([objects, self.new_object.expand(len(words), 1, -1)], dim=1)  # (B, n + 1, D)
        real = torch.cat([there, there.new_ones(len(there), 1)], dim=1)
        words = self.words_in(words)
        for layer in self.word_context:
            words = layer(words, mask)
        for layer in self.layers:
            x = layer(x, real, words, mask)
        x = self.norm(x).float()
        with torch.autocast(x.device.type, enabled=False):  # bf16 would round the edges away
            cells = self.sharpening * as_float(self.map_out, x[:, -1]) @ self.maps.float()  # (B, G^2)
            shifted = self._shifted_kernels(
                as_float(self.kernel_out, x[:, :-1]).flatten(0, 1), at.flatten(0, 1)
            )
            cells = cells + (shifted.unflatten(0, there.shape) * there[..., None]).sum(dim=1)
            sides = as_float(self.sides, x[:, :-1]) * there[..., None]
        empty = sides.new_zeros(*existing.shape, 2)
        return cells, empty.scatter(1, classes[..., None].expand(-1, -1, 2), sides)

    def _first(
        self, existing: Int[Tensor, "B C"], max_objects: int
    ) -> tuple[Bool[Tensor, "B n"], Int[Tensor, "B n"]]:
        """The classes that exist, filled up with others to `max_objects`, and which of them are real."""
        exists = existing >= 0
        classes = exists.int().argsort(dim=1, descending=True, stable=True)[:, :max_objects]
        return exists.gather(1, classes), classes

    def _shifted_kernels(
        self, weights: Float[Tensor, "N K"], at: Int[Tensor, "N 2"]
    ) -> Float[Tensor, "N G2"]:
        """The kernels, mixed with each object's weights, with their middle in its cell."""
        index = torch.arange(self.grid, device=at.device)
        cells = torch.stack(torch.meshgrid(index, index, indexing="xy"), dim=-1)  # (G, G, 2), x and y
        cells, at = (ground((cell + 0.5) / self.grid, self.horizon) for cell in (cells, at))
        offsets = cells - at[:, None, None]  # (N, G, G, 2)
        side = self.kernels.shape[-1]
        mixed = self.sharpening * weights @ self.kernels.float().flatten(1)  # (N, (4 G - 1)^2)
        shifted = grid_sample(
            mixed.view(-1, 1, side, side),
            offsets * ((side + 1) / (side - 1)),  # from the first to the last number of a kernel is -1 to 1
            padding_mode="border",
            align_corners=True,
        )
        return shifted.flatten(1)


class DecoderLayer(nn.Module):
    """The objects attend to each other, then to the words, then go through an MLP."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.object_attention, self.word_attention = (Attention(width, heads) for _ in range(2))
        self.mlp = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(
        self,
        x: Float[Tensor, "B n D"],
        real: Bool[Tensor, "B n"],
        words: Float[Tensor, "B Nw D"],
        mask: Bool[Tensor, "B Nw"],
    ) -> Float[Tensor, "B n D"]:
        normed = self.norms[0](x)
        x = x + self.object_attention(normed, normed, real)
        x = x + self.word_attention(self.norms[1](x), words, mask)
        return x + self.mlp(x)


def as_float(layer: nn.Linear, x: Float[Tensor, "*n D"]) -> Float[Tensor, "*n m"]:
    """The layer in float32, whatever its weights are in."""
    return linear(x, layer.weight.float(), layer.bias.float())


def place_features(place: Float[Tensor, "B n 2"]) -> Float[Tensor, "B n F"]:
    """A place in [0, 1] itself, and its sines and cosines at doubling frequencies."""
    octaves = math.pi * 2.0 ** torch.arange(FREQUENCIES, device=place.device)
    angles = rearrange(place[..., None] * octaves, "b n two f -> b n (two f)")
    return torch.cat([place, angles.sin(), angles.cos()], dim=-1)
