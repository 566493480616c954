"""Scores between queries and the vectors of pictures."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def dot(queries: Float[Tensor, "B D"], vectors: Float[Tensor, "N D"]) -> Float[Tensor, "B N"]:
    """Inner product; the cosine where both sides are normalised."""
    return queries @ vectors.T


def max_over_vectors(queries: Float[Tensor, "B D"], vectors: Float[Tensor, "N T D"]) -> Float[Tensor, "B N"]:
    """max_k <q, V[k]>, computed one k at a time, so that no (B, N, T) tensor is ever held."""
    scores = queries @ vectors[:, 0].T
    for k in range(1, vectors.shape[1]):
        scores = torch.maximum(scores, queries @ vectors[:, k].T)
    return scores
