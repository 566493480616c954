"""The CDD-ICM fusion encoder at work on retrieval: the generator's own module, imported."""

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
from retrieval.composers.places import PlaceProjection
from retrieval.composers.pooled import Temperature
from retrieval.metrics import dot


class Fusion(Temperature):
    """q = normalise(sigmoid(W_k f) * p(x) + W f), v = normalise(p(y)), with f the fused query and p a
    projection of the image tower's tokens, never averaged over places, as the matcher does it.

    The gallery is seen by the tower that the other models have too, so that what is compared is how reference
    and text are composed; the features of frozen towers can be cached; and a query starts as its reference,
    of which f tells what stays.

    Args:
        fusion: keywords of `GatedFusion`. tokens: Nv.
    """

    uses_tokens = True
    embeds_pixels = False

    def __init__(self, fusion: dict[str, Any], tokens: int):
        super().__init__()
        self.fusion = GatedFusion(**fusion)
        self.width: int = self.fusion.config.width
        self.places = PlaceProjection(self.fusion.config.image_width, tokens, self.width)
        self.query_out, self.keep = nn.Linear(self.width, self.width), nn.Linear(self.width, self.width)

    def compose(self, reference: ImageFeatures, text: TextFeatures) -> Float[Tensor, "B D"]:
        f = fused_query(self.fusion, reference, text)  # (B, D)
        kept = self.keep(f).sigmoid() * self.places(reference.tokens)  # (B, D)
        return normalize((kept + self.query_out(f)).float(), dim=-1)

    def embed(self, pictures: ImageFeatures) -> Float[Tensor, "N D"]:
        return normalize(self.places(pictures.tokens).float(), dim=-1)

    def score(self, queries: Float[Tensor, "B D"], vectors: Float[Tensor, "N D"]) -> Float[Tensor, "B N"]:
        return dot(queries, vectors)


class Matching(nn.Module):
    """q = W f, v = h(y, 0): the generator's fusion and matcher as they are, with the matcher's embedding of
    the clean picture. A trained generator is this model without any further training.

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


def fused_query(fusion: GatedFusion, reference: ImageFeatures, text: TextFeatures) -> Float[Tensor, "B D"]:
    """f, the fusion's query, before any projection."""
    encoded = Encoded(reference.tokens, reference.pooled, text.tokens, text.pooled, text.mask)
    return fusion(encoded).query
