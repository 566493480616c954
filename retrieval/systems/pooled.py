"""Systems over pooled features: what they share, and those that learn nothing but a temperature."""

from __future__ import annotations

import math
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
    """A learnt bounded temperature, as the matcher has it: all systems start from the same one.

    Args:
        temperature: at the start. max_logit_scale: bound of its inverse.
    """

    def __init__(self, temperature: float = 0.07, max_logit_scale: float = 100.0):
        super().__init__()
        self.max_logit_scale = max_logit_scale
        self.log_scale = nn.Parameter(torch.tensor(math.log(1 / temperature)))

    @property
    def logit_scale(self) -> Float[Tensor, ""]:
        return self.log_scale.exp().clamp(max=self.max_logit_scale)


class PooledSystem(System):
    """One vector a picture, its pooled feature; a score is the cosine."""

    def encode_gallery(self, pictures: ImageFeatures) -> Float[Tensor, "N E"]:
        return normalize(pictures.pooled.float(), dim=-1)


class ImageOnly(Temperature, PooledSystem):
    """The reference alone: how much of a benchmark can be solved without its texts."""

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
    """The text alone: how much of a benchmark can be solved without its references."""

    @classmethod
    def uses_all_parameters(cls, options: Any) -> bool:
        return True

    def encode_query(self, reference: ImageFeatures, text: TextFeatures) -> Float[Tensor, "B E"]:
        return normalize(text.pooled.float(), dim=-1)


class Sum(Temperature, PooledSystem):
    """normalise(x + t), the backbone's features as they are: stage 1 of CLIP4Cir (Baldrati et al. 2022), in
    which the backbone is trained."""

    query_uses_all_parameters = True

    def encode_query(self, reference: ImageFeatures, text: TextFeatures) -> Float[Tensor, "B E"]:
        return normalize((reference.pooled + text.pooled).float(), dim=-1)
