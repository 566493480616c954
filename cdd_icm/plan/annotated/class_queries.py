"""Each class asks the text and the picture about itself."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from cdd_icm.model.attention import Attention
from cdd_icm.model.fusion import Fused


class Asking(nn.Module):
    """Each class attends to the text, then to the picture, and thinks: first it finds its own word, then
    what stands beside that. It reads the text's own tokens: from the fused ones, which are half picture, left
    and right were learnt later."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.text, self.picture = (Attention(width, heads) for _ in range(2))
        self.mlp = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(
        self, answer: Float[Tensor, "B C D"], words: Float[Tensor, "B Nw D"], fused: Fused
    ) -> Float[Tensor, "B C D"]:
        answer = answer + self.text(self.norms[0](answer), words, fused.mask)
        answer = answer + self.picture(self.norms[1](answer), fused.image_tokens)
        return answer + self.mlp(answer)
