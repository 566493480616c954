"""CLIP4Cir's Combiner (Baldrati et al. 2022; TOMM 2023): stage 2, over frozen towers."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import normalize

from retrieval.systems.base import ImageFeatures, TextFeatures
from retrieval.systems.pooled import PooledComposer, Temperature


class Combiner(PooledComposer, Temperature):
    """q = normalise(v + lambda t + (1 - lambda) x), where v and lambda in (0, 1) are functions of both
    features.

    Args:
        dim: E. projection, hidden: widths of the two hidden layers; None is the published 4 E and 8 E.
    """

    def __init__(
        self, dim: int, projection: int | None = None, hidden: int | None = None, dropout: float = 0.5
    ):
        super().__init__()
        projection, hidden = projection or 4 * dim, hidden or 8 * dim

        def layer(inputs: int, outputs: int) -> nn.Sequential:
            return nn.Sequential(nn.Linear(inputs, outputs), nn.ReLU(), nn.Dropout(dropout))

        self.text_in, self.image_in = layer(dim, projection), layer(dim, projection)
        self.mixture = nn.Sequential(layer(2 * projection, hidden), nn.Linear(hidden, dim))
        self.balance = nn.Sequential(layer(2 * projection, hidden), nn.Linear(hidden, 1))

    def compose(self, reference: ImageFeatures, text: TextFeatures) -> Float[Tensor, "B E"]:
        x, t = reference.pooled, text.pooled  # (B, E) each
        both = torch.cat([self.text_in(t), self.image_in(x)], dim=-1)  # (B, 2 projection)
        share = self.balance(both).sigmoid()  # (B, 1), lambda
        return normalize((self.mixture(both) + share * t + (1 - share) * x).float(), dim=-1)
