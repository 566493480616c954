"""Class queries that attend to the text and the picture."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from cdd_icm.model.attention import Attention
from cdd_icm.model.fusion import Fused


class ClassQueryLayer(nn.Module):
    """Each class's query attends to the text, then to the picture, then passes through an MLP. Its text
    tokens are those before fusion: from the fused ones, left and right were learnt later."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.text_attention, self.image_attention = (Attention(width, heads) for _ in range(2))
        self.mlp = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(
        self, queries: Float[Tensor, "B C D"], words: Float[Tensor, "B Nw D"], fused: Fused
    ) -> Float[Tensor, "B C D"]:
        queries = queries + self.text_attention(self.norms[0](queries), words, fused.mask)
        queries = queries + self.image_attention(self.norms[1](queries), fused.image_tokens)
        return queries + self.mlp(queries)
