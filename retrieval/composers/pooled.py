"""Composers over pooled features: what they share, and those that have nothing to learn."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import normalize

from retrieval.composers.composer import ImageFeatures, TextFeatures
from retrieval.metrics import dot


class PooledComposer(nn.Module):
    """One vector a picture, its pooled feature; a score is the cosine."""

    uses_tokens = False
    logit_scale = 100.0

    def embed(self, pictures: ImageFeatures) -> Float[Tensor, "N E"]:
        return normalize(pictures.pooled, dim=-1)

    def score(self, queries: Float[Tensor, "B E"], vectors: Float[Tensor, "N E"]) -> Float[Tensor, "B N"]:
        return dot(queries, vectors)


class ImageOnly(PooledComposer):
    """The reference alone: what a benchmark gives away without its texts."""

    def compose(self, reference: ImageFeatures, text: TextFeatures) -> Float[Tensor, "B E"]:
        return normalize(reference.pooled, dim=-1)


class TextOnly(PooledComposer):
    """The text alone: what a benchmark gives away without its references."""

    def compose(self, reference: ImageFeatures, text: TextFeatures) -> Float[Tensor, "B E"]:
        return normalize(text.pooled, dim=-1)


class Sum(PooledComposer):
    """normalise(x + t), the features as the towers give them: stage 1 of CLIP4Cir (Baldrati et al. 2022), in
    which the towers are what is trained."""

    def compose(self, reference: ImageFeatures, text: TextFeatures) -> Float[Tensor, "B E"]:
        return normalize(reference.pooled + text.pooled, dim=-1)
