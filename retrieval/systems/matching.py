"""The generator's fusion encoder and matcher, unchanged, as a retrieval system."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from torch import Tensor

from cdd_icm.errors import InputError
from cdd_icm.model.fusion import GatedFusion
from cdd_icm.model.matcher import Matcher
from retrieval.backbones.base import Backbone, ImageFeatures, TextFeatures
from retrieval.systems.base import Inputs, System
from retrieval.systems.fusion import fused_query, fusion_keywords

if TYPE_CHECKING:
    from retrieval.config import RetrievalConfig


class Matching(System):
    """q = W f and v = h(y, 0), the matcher's embeddings of the fused query and of the clean picture. A
    trained generator can be used as this system without further training.

    Args:
        fusion, matcher: keyword arguments of `GatedFusion` and `Matcher`.
    """

    query_inputs = Inputs.FEATURES
    gallery_inputs = Inputs.PIXELS
    transfers = ("fusion",)

    def __init__(self, fusion: dict[str, Any], matcher: dict[str, Any]):
        super().__init__()
        self.fusion, self.matcher = GatedFusion(**fusion), Matcher(**matcher)
        self.width: int = self.matcher.config.query_width

    @classmethod
    def check(cls, config: RetrievalConfig, options: Any, key: str = "composer") -> None:
        size = config.data.image_size
        if size % 16:
            raise InputError(
                f"data.image_size is {size!r}, expected a multiple of 16, which the matcher needs"
            )

    @classmethod
    def uses_all_parameters(cls, options: Any) -> bool:
        return True

    @classmethod
    def keywords(cls, config: RetrievalConfig, options: Any, backbone: Backbone) -> dict[str, Any]:
        matcher = {"image_size": config.data.image_size, "query_width": config.fusion.width}
        return {"fusion": fusion_keywords(config, backbone), "matcher": {**matcher, **vars(config.matcher)}}

    @classmethod
    def query_width(cls, config: RetrievalConfig, backbone: Backbone) -> int:
        return config.fusion.width

    @property
    def logit_scale(self) -> Float[Tensor, ""]:
        return self.matcher.scale

    def encode_query(self, reference: ImageFeatures, text: TextFeatures) -> Float[Tensor, "B D"]:
        return self.matcher.embed_query(fused_query(self.fusion, reference, text))

    def encode_gallery(self, pictures: ImageFeatures) -> Float[Tensor, "N D"]:
        clean = torch.zeros(len(pictures.pixels), dtype=torch.long, device=pictures.pixels.device)
        return self.matcher.embed_image(pictures.pixels.to(self.matcher.dtype), clean)
