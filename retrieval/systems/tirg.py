"""TIRG: the text gates the reference and adds a residual (Vo et al., CVPR 2019, arXiv 1812.07119)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import normalize

from retrieval.backbones.base import Backbone, ImageFeatures, TextFeatures
from retrieval.systems.pooled import PooledSystem

if TYPE_CHECKING:
    from retrieval.config import RetrievalConfig


class TIRG(PooledSystem):
    """q = a0 sigmoid(gate([x, t])) x + a1 residual([x, t]), with a0 and a1 learnt, initially 1 and 10. As in
    the published code, queries and vectors share one learnt length, whose square is the cosine's logit scale.

    Args:
        dim: E. length: the initial value of the learnt length.
    """

    query_uses_all_parameters = True

    def __init__(self, dim: int, length: float = 4.0):
        super().__init__()
        self.gate = nn.Sequential(nn.BatchNorm1d(2 * dim), nn.ReLU(), nn.Linear(2 * dim, dim))
        self.residual = nn.Sequential(
            nn.BatchNorm1d(2 * dim),
            nn.ReLU(),
            nn.Linear(2 * dim, 2 * dim),
            nn.ReLU(),
            nn.Linear(2 * dim, dim),
        )
        self.weights = nn.Parameter(torch.tensor([1.0, 10.0]))
        self.length = nn.Parameter(torch.tensor(length))

    @classmethod
    def keywords(cls, config: RetrievalConfig, options: Any, backbone: Backbone) -> dict[str, Any]:
        return {"dim": backbone.width}

    @property
    def logit_scale(self) -> Float[Tensor, ""]:
        return self.length**2

    def encode_query(self, reference: ImageFeatures, text: TextFeatures) -> Float[Tensor, "B E"]:
        both = torch.cat([reference.pooled, text.pooled], dim=-1)  # (B, 2E)
        gated = self.weights[0] * self.gate(both).sigmoid() * reference.pooled  # (B, E)
        return normalize((gated + self.weights[1] * self.residual(both)).float(), dim=-1)
