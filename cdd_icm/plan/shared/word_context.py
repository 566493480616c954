"""Each word attends to its neighbours, by relative positions."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from cdd_icm.model.attention import Attention


class WordContext(nn.Module):
    """Each word attends to its neighbours with a learnt bias for their distance, up to `max_distance` (Raffel
    et al. 2020, arXiv 1910.10683), then passes through an MLP. The text tower has absolute positions only,
    from which small data sets hardly teach which of two objects "on the left" belongs to. The layer is
    initialised as the identity, and its heads with different ranges."""

    def __init__(self, width: int, heads: int, max_distance: int = 32):
        super().__init__()
        self.max_distance = max_distance
        self.norm, self.attention = nn.LayerNorm(width), Attention(width, heads)
        self.mlp = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )
        for last in (self.attention.out, self.mlp[-1]):
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)
        distance = torch.arange(-max_distance, max_distance + 1).abs()
        self.distance_bias = nn.Parameter(-torch.logspace(0, -1, heads)[:, None] * distance)

    def forward(self, words: Float[Tensor, "B Nw D"], mask: Bool[Tensor, "B Nw"]) -> Float[Tensor, "B Nw D"]:
        position = torch.arange(words.shape[1], device=words.device)
        distance = position - position[:, None]  # (Nw, Nw)
        index = distance.clamp(-self.max_distance, self.max_distance) + self.max_distance
        normed = self.norm(words)
        words = words + self.attention(normed, normed, mask, self.distance_bias[:, index])
        return words + self.mlp(words)
