"""The CDD-ICM fusion encoder at work on retrieval: the generator's own module, imported."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import normalize

from cdd_icm.model.backbone import Encoded
from cdd_icm.model.fusion import GatedFusion
from cdd_icm.model.matcher import Matcher
from retrieval.evaluation.metrics import dot
from retrieval.systems.base import ImageFeatures, TextFeatures
from retrieval.systems.places import PlaceProjection
from retrieval.systems.pooled import Temperature


class Fusion(Temperature):
    """q = normalise(g p(x) + (1 - g) U t + W f), g = sigmoid(V f), and v = normalise(p(y)), with f the fused
    query, t the text's pooled feature, and p a projection of the image tower's tokens that is never averaged
    over places, as the matcher's is not.

    The gallery is seen by the tower that the other models have too, so that what is compared is how reference
    and text are composed; the features of frozen towers can be cached; and f need only say what stays of the
    reference, what is taken of the words as they are, and what neither says alone.

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
        self.text_out = nn.Linear(self.fusion.config.embed_dim, self.width)
        self.query_out, self.keep = nn.Linear(self.width, self.width), nn.Linear(self.width, self.width)

    def compose(self, reference: ImageFeatures, text: TextFeatures) -> Float[Tensor, "B D"]:
        f = fused_query(self.fusion, reference, text)  # (B, D)
        g = self.keep(f).sigmoid()  # (B, D)
        query = g * self.places(reference.tokens) + (1 - g) * self.text_out(text.pooled) + self.query_out(f)
        return normalize(query.float(), dim=-1)

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
        self.width: int = self.matcher.config.query_width

    @property
    def logit_scale(self) -> Float[Tensor, ""]:
        return self.matcher.scale

    def compose(self, reference: ImageFeatures, text: TextFeatures) -> Float[Tensor, "B D"]:
        return self.matcher.embed_query(fused_query(self.fusion, reference, text))

    def embed(self, pictures: ImageFeatures) -> Float[Tensor, "N D"]:
        clean = torch.zeros(len(pictures.pixels), dtype=torch.long, device=pictures.pixels.device)
        return self.matcher.embed_image(pictures.pixels.to(self.matcher.dtype), clean)

    def score(self, queries: Float[Tensor, "B D"], vectors: Float[Tensor, "N D"]) -> Float[Tensor, "B N"]:
        return dot(queries, vectors)


def fused_query(fusion: GatedFusion, reference: ImageFeatures, text: TextFeatures) -> Float[Tensor, "B D"]:
    """f, the fusion's query, before any projection."""
    encoded = Encoded(reference.tokens, reference.pooled, text.tokens, text.pooled, text.mask)
    return fusion(encoded).query
