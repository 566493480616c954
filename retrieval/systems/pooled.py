"""Systems over pooled features: their base class, and those without weights beside the temperature."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import normalize

from cdd_icm.errors import InputError
from retrieval.backbones.base import ImageFeatures, TextFeatures
from retrieval.systems.base import System

if TYPE_CHECKING:
    from retrieval.config import RetrievalConfig


class Temperature(nn.Module):
    """A learnt, bounded temperature like the matcher's, with the same initial value in all systems.

    Args:
        temperature: the initial value. max_logit_scale: upper bound of its inverse.
    """

    def __init__(self, temperature: float = 0.07, max_logit_scale: float = 100.0):
        super().__init__()
        self.max_logit_scale = max_logit_scale
        self.log_scale = nn.Parameter(torch.tensor(math.log(1 / temperature)))

    @property
    def logit_scale(self) -> Float[Tensor, ""]:
        return self.log_scale.exp().clamp(max=self.max_logit_scale)


class PooledSystem(System):
    """Each picture is represented by its pooled feature; the score is the cosine."""

    composes = pooled_only = True

    def compose(
        self, vector: Float[Tensor, "B E"], reference: ImageFeatures, text: TextFeatures
    ) -> Float[Tensor, "B E"]:
        return self.encode_query(replace(reference, pooled=vector), text)

    def encode_gallery(self, pictures: ImageFeatures) -> Float[Tensor, "N E"]:
        return normalize(pictures.pooled.float(), dim=-1)


class ImageOnly(Temperature, PooledSystem):
    """The query is the reference alone: shows how much of a benchmark can be solved without its texts."""

    @classmethod
    def check(cls, config: RetrievalConfig, options: Any, key: str = "composer") -> None:
        if config.objective.reference_negatives:
            raise InputError(
                f"objective.reference_negatives is True, expected false with {key}=image, whose query is the "
                "reference"
            )
        if config.objective.caption_negatives:
            raise InputError(
                f"objective.caption_negatives is True, expected false with {key}=image, which reads no "
                "captions"
            )

    def encode_query(self, reference: ImageFeatures, text: TextFeatures) -> Float[Tensor, "B E"]:
        return normalize(reference.pooled.float(), dim=-1)


class TextOnly(Temperature, PooledSystem):
    """The query is the text alone: shows how much of a benchmark can be solved without its references."""

    @classmethod
    def uses_all_parameters(cls, options: Any) -> bool:
        return True

    def encode_query(self, reference: ImageFeatures, text: TextFeatures) -> Float[Tensor, "B E"]:
        return normalize(text.pooled.float(), dim=-1)


class Sum(Temperature, PooledSystem):
    """q = normalise(x + t), the sum of the backbone's pooled features: stage 1 of CLIP4Cir (Baldrati et al.
    2022), which trains the backbone."""

    query_uses_all_parameters = True

    def encode_query(self, reference: ImageFeatures, text: TextFeatures) -> Float[Tensor, "B E"]:
        return normalize((reference.pooled + text.pooled).float(), dim=-1)
