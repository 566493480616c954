"""Several vectors a picture, of which the best one scores (as in SPRC, Bai et al., ICLR 2024)."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import normalize

from retrieval import systems
from retrieval.systems.base import ImageFeatures, TextFeatures


def max_over_vectors(queries: Float[Tensor, "B D"], vectors: Float[Tensor, "N T D"]) -> Float[Tensor, "B N"]:
    """max_k <q, V[k]>, one k at a time: (B, N, T) scores never exist at once."""
    scores = queries @ vectors[:, 0].T
    for k in range(1, vectors.shape[1]):
        scores = torch.maximum(scores, queries @ vectors[:, k].T)
    return scores


class MultiVector(nn.Module):
    """A composer, its gallery side replaced: each token of a picture becomes a vector of its own.

    Args:
        composer: makes the queries: any other, of which nothing else is used. options: its keywords.
        token_width: D_v. dim: of the composer's queries.
    """

    uses_tokens = True
    embeds_pixels = False

    def __init__(self, composer: str, options: dict[str, Any], token_width: int, dim: int):
        super().__init__()
        self.composer = systems.COMPOSERS[composer](**options)
        self.token_out = nn.Linear(token_width, dim)
        self.width = dim

    @property
    def logit_scale(self) -> Float[Tensor, ""]:
        return self.composer.logit_scale

    def compose(self, reference: ImageFeatures, text: TextFeatures) -> Float[Tensor, "B D"]:
        return self.composer.compose(reference, text)

    def embed(self, pictures: ImageFeatures) -> Float[Tensor, "N T D"]:
        return normalize(self.token_out(pictures.tokens).float(), dim=-1)

    def score(self, queries: Float[Tensor, "B D"], vectors: Float[Tensor, "N T D"]) -> Float[Tensor, "B N"]:
        return max_over_vectors(queries, vectors)
