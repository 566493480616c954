"""Each word attends to its neighbours, by relative positions."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from cdd_icm.model.attention import Attention


class Reading(nn.Module):
    """Each word looks at its neighbours, by scores that know how far apart two words stand, up to `reach`
    (Raffel et al. 2020, arXiv 1910.10683), then thinks. The text tower knows absolute places only: by these,
    small data hardly teach which of two objects "on the left" belongs to. At first it changes nothing; its
    heads begin with looking more or less far."""

    def __init__(self, width: int, heads: int, reach: int = 32):
        super().__init__()
        self.reach = reach
        self.norm, self.near = nn.LayerNorm(width), Attention(width, heads)
        self.mlp = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )
        for last in (self.near.out, self.mlp[-1]):
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)
        distance = torch.arange(-reach, reach + 1).abs()
        self.bias = nn.Parameter(-torch.logspace(0, -1, heads)[:, None] * distance)

    def forward(self, words: Float[Tensor, "B Nw D"], mask: Bool[Tensor, "B Nw"]) -> Float[Tensor, "B Nw D"]:
        at = torch.arange(words.shape[1], device=words.device)
        apart = (at - at[:, None]).clamp(-self.reach, self.reach) + self.reach  # (Nw, Nw)
        seen = self.norm(words)
        words = words + self.near(seen, seen, mask, self.bias[:, apart])
        return words + self.mlp(words)
