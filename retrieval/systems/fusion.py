"""The generator's gated fusion encoder as a retrieval system."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import normalize

from cdd_icm.model.backbone import Encoded
from cdd_icm.model.fusion import GatedFusion
from retrieval.backbones.base import Backbone, ImageFeatures, TextFeatures
from retrieval.systems.base import Inputs, System
from retrieval.systems.patches import PatchProjection
from retrieval.systems.pooled import Temperature

if TYPE_CHECKING:
    from retrieval.config import RetrievalConfig


class Fusion(Temperature, System):
    """q = normalise(g p(x) + (1 - g) U t + W f) with g = sigmoid(V f), and v = normalise(p(y)): f is the
    fused query, t the text's pooled feature, p a projection of all patch tokens of the reference x or a
    picture y.

    Gallery pictures go through the same image tower as in the other systems. Comparisons then show how well
    reference and text are composed, and the features of a frozen tower can be cached.

    Args:
        fusion: keyword arguments of `GatedFusion`. tokens: Nv; None: it has no p, and only composes.
    """

    composes = True
    query_inputs = Inputs.FEATURES
    gallery_inputs = Inputs.TOKENS
    transfers = ("fusion",)
    query_uses_all_parameters = True

    def __init__(self, fusion: dict[str, Any], tokens: int | None):
        super().__init__()
        self.fusion = GatedFusion(**fusion)
        self.width: int = self.fusion.config.width
        if tokens is not None:
            self.places = PatchProjection(self.fusion.config.image_width, tokens, self.width)
        self.text_out = nn.Linear(self.fusion.config.embed_dim, self.width)
        self.query_out, self.keep = nn.Linear(self.width, self.width), nn.Linear(self.width, self.width)

    @classmethod
    def keywords(cls, config: RetrievalConfig, options: Any, backbone: Backbone) -> dict[str, Any]:
        return {"fusion": fusion_keywords(config, backbone), "tokens": backbone.image_tokens}

    @classmethod
    def query_width(cls, config: RetrievalConfig, backbone: Backbone) -> int:
        return config.fusion.width

    @classmethod
    def composing_keywords(cls, keywords: dict[str, Any]) -> dict[str, Any]:
        return {**keywords, "tokens": None}

    def encode_query(self, reference: ImageFeatures, text: TextFeatures) -> Float[Tensor, "B D"]:
        return self.compose(self.places(reference.tokens), reference, text)

    def compose(
        self, vector: Float[Tensor, "B D"], reference: ImageFeatures, text: TextFeatures
    ) -> Float[Tensor, "B D"]:
        f = fused_query(self.fusion, reference, text)  # (B, D)
        g = self.keep(f).sigmoid()  # (B, D)
        query = g * vector + (1 - g) * self.text_out(text.pooled) + self.query_out(f)
        return normalize(query.float(), dim=-1)

    def encode_gallery(self, pictures: ImageFeatures) -> Float[Tensor, "N D"]:
        return normalize(self.places(pictures.tokens).float(), dim=-1)


def fused_query(fusion: GatedFusion, reference: ImageFeatures, text: TextFeatures) -> Float[Tensor, "B D"]:
    """f, the query of the fusion encoder, before any projection."""
    encoded = Encoded(reference.tokens, reference.pooled, text.tokens, text.pooled, text.mask)
    return fusion(encoded).query


def fusion_keywords(config: RetrievalConfig, backbone: Backbone) -> dict[str, Any]:
    """The keyword arguments of `GatedFusion` over this backbone."""
    return {
        "image_width": backbone.image_width,
        "text_width": backbone.text_width,
        "embed_dim": backbone.width,
        **vars(config.fusion),
        "gated": True,
    }
