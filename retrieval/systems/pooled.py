"""Composers over pooled features: what they share, and those that learn nothing but a temperature."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import normalize

from retrieval.evaluation.metrics import dot
from retrieval.systems.base import ImageFeatures, TextFeatures


class Temperature(nn.Module):
    """A learnt bounded temperature, as the matcher has it: all models start from the same and may go as far.

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


class PooledComposer(nn.Module):
    """One vector a picture, its pooled feature; a score is the cosine."""

    uses_tokens = False
    embeds_pixels = False
    width = None

    def embed(self, pictures: ImageFeatures) -> Float[Tensor, "N E"]:
        return normalize(pictures.pooled.float(), dim=-1)

    def score(self, queries: Float[Tensor, "B E"], vectors: Float[Tensor, "N E"]) -> Float[Tensor, "B N"]:
        return dot(queries, vectors)


class ImageOnly(PooledComposer, Temperature):
    """The reference alone: what a benchmark gives away without its texts."""

    def compose(self, reference: ImageFeatures, text: TextFeatures) -> Float[Tensor, "B E"]:
        return normalize(reference.pooled.float(), dim=-1)


class TextOnly(PooledComposer, Temperature):
    """The text alone: what a benchmark gives away without its references."""

    def compose(self, reference: ImageFeatures, text: TextFeatures) -> Float[Tensor, "B E"]:
        return normalize(text.pooled.float(), dim=-1)


class Sum(PooledComposer, Temperature):
    """normalise(x + t), the features as the towers give them: stage 1 of CLIP4Cir (Baldrati et al. 2022), in
    which the towers are what is trained."""

    def compose(self, reference: ImageFeatures, text: TextFeatures) -> Float[Tensor, "B E"]:
        return normalize((reference.pooled + text.pooled).float(), dim=-1)
