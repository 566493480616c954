"""Objects that attend to each other and to words, and where they are."""

from __future__ import annotations

import math

import torch
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import linear

from cdd_icm.model.attention import Attention

FREQUENCIES = 6
"""Number of octaves of sines and cosines that encode an object's position."""


class DecoderLayer(nn.Module):
    """Objects attend to each other and to the words, then pass through an MLP; `exists` masks the objects."""

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
        exists: Bool[Tensor, "B n"],
        words: Float[Tensor, "B Nw D"],
        mask: Bool[Tensor, "B Nw"],
    ) -> Float[Tensor, "B n D"]:
        normed = self.norms[0](x)
        x = x + self.object_attention(normed, normed, exists)
        x = x + self.word_attention(self.norms[1](x), words, mask)
        return x + self.mlp(x)


def as_float(layer: nn.Linear, x: Float[Tensor, "*n D"]) -> Float[Tensor, "*n m"]:
    """Applies the layer in float32, whatever the type of its weights."""
    return linear(x, layer.weight.float(), layer.bias.float())


def position_features(position: Float[Tensor, "B n 2"]) -> Float[Tensor, "B n F"]:
    """A position in [0, 1], and its sines and cosines at doubling frequencies."""
    octaves = math.pi * 2.0 ** torch.arange(FREQUENCIES, device=position.device)
    angles = rearrange(position[..., None] * octaves, "b n two f -> b n (two f)")
    return torch.cat([position, angles.sin(), angles.cos()], dim=-1)
