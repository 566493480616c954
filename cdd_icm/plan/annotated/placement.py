"""Where a new object goes beside those that stand: these are looked for in the picture, each of them asks the
text about its own sides, and half-planes laid at its place make the distribution over the cells.

"Behind the cube on the left and in front of the ball" is a product of half-planes, whose edges meet where the
two stand. The fused tokens tell of patches many pixels wide, between which a plan can only be smooth; here an
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
from cdd_icm.plan.annotated.word_context import Reading

SHARPENING = 6.0
"""Kernels and maps are kept so many times smaller than they are laid: Adam moves every number equally far,
and these have far to go."""

FREQUENCIES = 6
"""Octaves of the sines and cosines by which an object knows its place."""


class Placing(nn.Module):
    """p(cell of a new object | text, what stands where), and on which side of each it goes.

    Args:
        classes: C. width: D of the words. heads: of its attention. grid: G. kernels: K, over the offsets from
        an object's cell; at first half-planes, turned evenly through all directions. read: how often the
        words look at their neighbours before (`Reading`). horizon: see `ground`. layers: how often the
        objects look at each other and at the words.
    """

    def __init__(
        self,
        classes: int,
        width: int,
        heads: int,
        grid: int,
        kernels: int,
        read: int = 0,
        horizon: float | None = None,
        layers: int = 3,
    ):
        super().__init__()
        self.grid, self.horizon = grid, horizon
        self.class_embedding = nn.Parameter(torch.randn(classes, width))
        self.new = nn.Parameter(torch.randn(1, width))  # asks for the object that does not stand yet
        self.latest = nn.Parameter(torch.zeros(width))  # what "it" is
        self.place_in = nn.Sequential(
            nn.Linear(2 + 4 * FREQUENCIES, width), nn.GELU(), nn.Linear(width, width)
        )
        self.words_in = nn.Linear(width, width)
        self.reading = nn.ModuleList(Reading(width, heads) for _ in range(read))
        self.layers = nn.ModuleList(Looking(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.sides, self.laid, self.anywhere = (nn.Linear(width, n) for n in (2, kernels, kernels))
        for last in (self.laid, self.anywhere):  # at first all cells are alike
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)
        offset = torch.arange(1 - 2 * grid, 2 * grid) / (2 * grid)  # twice as fine as the cells
        angle = torch.arange(kernels) * (2 * math.pi / kernels)
        across = angle.cos()[:, None, None] * offset + angle.sin()[:, None, None] * offset[:, None]
        self.kernels = nn.Parameter((32 * across).tanh() / SHARPENING)  # (K, 4 G - 1, 4 G - 1)
        self.maps = nn.Parameter(0.1 * torch.randn(kernels, grid**2) / SHARPENING)

    def no_weight_decay(self) -> set[str]:
        """Embeddings, for `train.optim.decayed`."""
        return {"new"}

    def forward(
        self,
        words: Float[Tensor, "B Nw D"],
        mask: Bool[Tensor, "B Nw"],
        standing: Int[Tensor, "B C"],
        latest: Int[Tensor, " B"],
        most: int | None = None,
    ) -> tuple[Float[Tensor, "B G2"], Float[Tensor, "B C 2"]]:
        """The logits of a new object's cells, whatever its class; and of x_new > x_old and y_new > y_old for
        each class, 0 where it does not stand. `standing`: cells, or -1. `latest`: the class that the turn
        before drew, which the words call "it", or -1. `most`: how many stand in the fullest picture, where
        that is known: to count them costs a GPU its lead over the CPU."""
        most = int((standing >= 0).sum(dim=1).max()) if most is None else most
        there, classes = self._first(standing, most)  # (B, n) each
        place = standing.gather(1, classes)
        at = torch.stack([place % self.grid, place // self.grid], dim=-1)  # (B, n, 2), x and y
        objects = self.class_embedding[classes] + self.place_in(waves((at + 0.5) / self.grid).to(words.dtype))
        objects = objects + self.latest * (classes == latest[:, None])[..., None]
        x = torch.cat([objects, self.new.expand(len(words), 1, -1)], dim=1)  # (B, n + 1, D)
        real = torch.cat([there, there.new_ones(len(there), 1)], dim=1)
        words = self.words_in(words)
        for reading in self.reading:
            words = reading(words, mask)
        for layer in self.layers:
            x = layer(x, real, words, mask)
        x = self.norm(x).float()
        with torch.autocast(x.device.type, enabled=False):  # bf16 would round the edges away
            cells = SHARPENING * as_float(self.anywhere, x[:, -1]) @ self.maps.float()  # (B, G^2)
            laid = self._lay(as_float(self.laid, x[:, :-1]).flatten(0, 1), at.flatten(0, 1))
            cells = cells + (laid.unflatten(0, there.shape) * there[..., None]).sum(dim=1)
            sides = as_float(self.sides, x[:, :-1]) * there[..., None]
        empty = sides.new_zeros(*standing.shape, 2)
        return cells, empty.scatter(1, classes[..., None].expand(-1, -1, 2), sides)

    def _first(
        self, standing: Int[Tensor, "B C"], most: int
    ) -> tuple[Bool[Tensor, "B n"], Int[Tensor, "B n"]]:
        """The classes that stand, filled up with others to the number `most`."""
        stands = standing >= 0
        classes = stands.int().argsort(dim=1, descending=True, stable=True)[:, :most]
        return stands.gather(1, classes), classes

    def _lay(self, said: Float[Tensor, "N K"], at: Int[Tensor, "N 2"]) -> Float[Tensor, "N G2"]:
        """The kernels, mixed by what was said of each object, with their middle in its cell."""
        index = torch.arange(self.grid, device=at.device)
        cells = torch.stack(torch.meshgrid(index, index, indexing="xy"), dim=-1)  # (G, G, 2), x and y
        cells, at = (ground((cell + 0.5) / self.grid, self.horizon) for cell in (cells, at))
        offsets = cells - at[:, None, None]  # (N, G, G, 2)
        side = self.kernels.shape[-1]
        mixed = SHARPENING * said @ self.kernels.float().flatten(1)  # (N, (4 G - 1)^2)
        laid = grid_sample(
            mixed.view(-1, 1, side, side),
            offsets * ((side + 1) / (side - 1)),  # from the first to the last number of a kernel is -1 to 1
            padding_mode="border",
            align_corners=True,
        )
        return laid.flatten(1)


class Looking(nn.Module):
    """The objects look at each other, then each at the words, then each thinks."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.objects, self.words = (Attention(width, heads) for _ in range(2))
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
        seen = self.norms[0](x)
        x = x + self.objects(seen, seen, real)
        x = x + self.words(self.norms[1](x), words, mask)
        return x + self.mlp(x)


def as_float(layer: nn.Linear, x: Float[Tensor, "*n D"]) -> Float[Tensor, "*n m"]:
    """In single precision, whatever that of its weights."""
    return linear(x, layer.weight.float(), layer.bias.float())


def waves(place: Float[Tensor, "B n 2"]) -> Float[Tensor, "B n F"]:
    """A place in [0, 1] by itself and by sines and cosines of doubling frequency."""
    octaves = math.pi * 2.0 ** torch.arange(FREQUENCIES, device=place.device)
    angles = rearrange(place[..., None] * octaves, "b n two f -> b n (two f)")
    return torch.cat([place, angles.sin(), angles.cos()], dim=-1)
