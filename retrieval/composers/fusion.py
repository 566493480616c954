"""The CDD-ICM fusion encoder at work on retrieval: the generator's own modules, imported."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import normalize

from cdd_icm.encoders import Encoded
from cdd_icm.fusion import GatedFusion
from cdd_icm.matching import Matcher
from retrieval.composers.composer import ImageFeatures, TextFeatures
from retrieval.composers.pooled import Temperature
from retrieval.metrics import dot


class Fusion(nn.Module):
    """q = W f with f the fused query; v = h(x, 0), the matcher's embedding of the clean picture.

    Both sides are what image-compositional matching trains beside the diffusion, so that a trained generator
    is a retrieval model as it stands, and training for retrieval only differs from it by the loss alone. The
    matcher looks at the pixels and keeps where things stand, which one pooled feature of a tower does not.

    Args:
        fusion, matcher: keywords of `GatedFusion` and `Matcher`.
    """

    uses_tokens = True
    embeds_pixels = True

    def __init__(self, fusion: dict[str, Any], matcher: dict[str, Any]):
        super().__init__()
        self.fusion, self.matcher = GatedFusion(**fusion), Matcher(**matcher)
        self.matcher.to(memory_format=torch.channels_last)  # as in the generator
        self.width: int = self.matcher.config.query_width

    @property
    def logit_scale(self) -> Float[Tensor, ""]:
        return self.matcher.scale

    def compose(self, reference: ImageFeatures, text: TextFeatures) -> Float[Tensor, "B D"]:
        return self.matcher.embed_query(fused_query(self.fusion, reference, text))

    def embed(self, pictures: ImageFeatures) -> Float[Tensor, "N D"]:
        clean = torch.zeros(len(pictures.pixels), dtype=torch.long, device=pictures.pixels.device)
        return self.matcher.embed_image(pictures.pixels, clean)

    def score(self, queries: Float[Tensor, "B D"], vectors: Float[Tensor, "N D"]) -> Float[Tensor, "B N"]:
        return dot(queries, vectors)


class TokenFusion(Temperature):
    """The same query over the tower that the other models have: v is made of the image tower's tokens, place
    by place as the matcher does it. For frozen pretrained towers, whose features are cached, and to see what
    of `Fusion` comes from the fusion and what from the matcher's own look at the pixels.

    Args:
        fusion: keywords of `GatedFusion`. tokens: Nv.
    """

    uses_tokens = True
    embeds_pixels = False

    def __init__(self, fusion: dict[str, Any], tokens: int):
        super().__init__()
        self.fusion = GatedFusion(**fusion)
        self.width: int = self.fusion.config.width
        self.squeeze = nn.Linear(self.fusion.config.image_width, 32)
        self.image_out = nn.Sequential(nn.LayerNorm(32 * tokens), nn.Linear(32 * tokens, self.width))
        self.query_out = nn.Linear(self.width, self.width)

    def compose(self, reference: ImageFeatures, text: TextFeatures) -> Float[Tensor, "B D"]:
        return normalize(self.query_out(fused_query(self.fusion, reference, text)).float(), dim=-1)

    def embed(self, pictures: ImageFeatures) -> Float[Tensor, "N D"]:
        return normalize(self.image_out(self.squeeze(pictures.tokens).flatten(1)).float(), dim=-1)

    def score(self, queries: Float[Tensor, "B D"], vectors: Float[Tensor, "N D"]) -> Float[Tensor, "B N"]:
        return dot(queries, vectors)


def fused_query(fusion: GatedFusion, reference: ImageFeatures, text: TextFeatures) -> Float[Tensor, "B D"]:
    """The fusion's query, before any projection."""
    encoded = Encoded(reference.tokens, reference.pooled, text.tokens, text.pooled, text.mask)
    return fusion(encoded).query
