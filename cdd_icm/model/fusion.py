"""Gated fusion of reference picture and instruction: fused tokens and one query."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from jaxtyping import Bool, Float
from torch import Tensor, nn

from cdd_icm.model.attention import Attention
from cdd_icm.model.backbone import Encoded


@dataclass
class Fused:
    """The composition of reference and text: fused image tokens, fused text tokens and one query. `words` and
    `text_pooled` encode the text alone, independent of the picture."""

    image_tokens: Float[Tensor, "B Nv D"]
    text_tokens: Float[Tensor, "B Nw D"]
    mask: Bool[Tensor, "B Nw"]
    query: Float[Tensor, "B D"]
    text_pooled: Float[Tensor, "B E"]
    words: Float[Tensor, "B Nw D"]

    def __getitem__(self, items: slice | Tensor) -> Fused:
        """Some items of the batch."""
        return Fused(*(part[items] for part in vars(self).values()))

    def detach(self) -> Fused:
        """A copy without gradient."""
        return Fused(*(part.detach() for part in vars(self).values()))

    def repeat_interleave(self, n: int) -> Fused:
        """Each item `n` times in a row."""
        return Fused(*(part.repeat_interleave(n, dim=0) for part in vars(self).values()))

    def split(self, size: int) -> list[Fused]:
        """Consecutive batches of `size` items."""
        parts = (part.split(size) for part in vars(self).values())
        return [Fused(*batch) for batch in zip(*parts, strict=True)]

    @staticmethod
    def cat(batches: Sequence[Fused]) -> Fused:
        """Concatenates batches."""
        return Fused(
            *(torch.cat(parts) for parts in zip(*(vars(batch).values() for batch in batches), strict=True))
        )


class Gate(nn.Module):
    """out = g * m + (1 - g) * v with m = tanh(W_m z), g = sigmoid(W_g z), z = [v; a; v*a; v-a].

    The semantic fusion unit of reading comprehension (Hu et al. 2018, arXiv 1705.02798; Wang et al. 2018).
    `a` is what v attends to in the other modality; g is how much of v is replaced. With `gated=False` it is
    the linear map W [v; a].
    """

    def __init__(self, width: int, gated: bool = True):
        super().__init__()
        self.gated = gated
        self.merge = nn.Linear(4 * width if gated else 2 * width, 2 * width if gated else width)

    def forward(self, v: Float[Tensor, "B N D"], a: Float[Tensor, "B N D"]) -> Float[Tensor, "B N D"]:
        if not self.gated:
            return self.merge(torch.cat([v, a], dim=-1))  # (B, N, D)
        m, g = self.merge(torch.cat([v, a, v * a, v - a], dim=-1)).chunk(2, dim=-1)  # (B, N, D) each
        g = g.sigmoid()
        return g * m.tanh() + (1 - g) * v  # (B, N, D)


class FusionLayer(nn.Module):
    """Each modality attends to the other and is gated with the result, then attends to itself, then passes
    through an MLP."""

    def __init__(self, width: int, heads: int, gated: bool):
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(4))
        attention = partial(Attention, width, heads)
        self.image_from_text, self.text_from_image = attention(), attention()
        self.image_self, self.text_self = attention(), attention()
        self.image_gate, self.text_gate = Gate(width, gated), Gate(width, gated)
        self.image_mlp, self.text_mlp = (
            nn.Sequential(
                nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
            )
            for _ in range(2)
        )

    def forward(
        self, v: Float[Tensor, "B Nv D"], w: Float[Tensor, "B Nw D"], mask: Bool[Tensor, "B Nw"]
    ) -> tuple[Float[Tensor, "B Nv D"], Float[Tensor, "B Nw D"]]:
        n = self.norms
        nv, nw = n[0](v), n[1](w)
        v, w = (
            self.image_gate(v, self.image_from_text(nv, nw, mask)),
            self.text_gate(w, self.text_from_image(nw, nv)),
        )
        v = v + self.image_self(n[2](v), n[2](v))
        w = w + self.text_self(n[3](w), n[3](w), mask)
        return v + self.image_mlp(v), w + self.text_mlp(w)


class GatedFusion(ModelMixin, ConfigMixin):
    """Fuses the towers' tokens; `retrieval` uses the same module for composed image retrieval.

    Args:
        image_width, text_width, embed_dim: D_v, D_w and E of the towers.
        width: D. layers, heads, gated: see `config.FusionConfig`.
    """

    @register_to_config
    def __init__(
        self,
        image_width: int,
        text_width: int,
        embed_dim: int,
        width: int = 256,
        layers: int = 2,
        heads: int = 4,
        gated: bool = True,
    ):
        super().__init__()
        self.image_in, self.text_in = nn.Linear(image_width, width), nn.Linear(text_width, width)
        self.blocks = nn.ModuleList(FusionLayer(width, heads, gated) for _ in range(layers))
        self.image_norm, self.text_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.pooled_in = nn.ModuleList([nn.Linear(embed_dim, width), nn.Linear(embed_dim, width)])
        self.pool_image, self.pool_text = (Attention(width, heads) for _ in range(2))
        self.query_gate = Gate(width, gated)
        self.query_out = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width))

    def forward(self, encoded: Encoded) -> Fused:
        v, words = self.image_in(encoded.image_tokens), self.text_in(encoded.text_tokens)
        w = words
        for block in self.blocks:
            v, w = block(v, w, encoded.mask)
        v, w = self.image_norm(v), self.text_norm(w)
        image, text = (
            self.pooled_in[0](encoded.image_pooled)[:, None],
            self.pooled_in[1](encoded.text_pooled)[:, None],
        )
        image = image + self.pool_image(image, v)  # (B, 1, D)
        text = text + self.pool_text(text, w, encoded.mask)  # (B, 1, D)
        query = self.query_out(self.query_gate(image, text))[:, 0]  # (B, D)
        return Fused(v, w, encoded.mask, query, encoded.text_pooled, words)
