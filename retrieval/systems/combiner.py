"""CLIP4Cir's Combiner (Baldrati et al. 2022; TOMM 2023): stage 2, over a frozen backbone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import normalize

from cdd_icm.config import section
from cdd_icm.config.base import AtLeastOne, Number
from retrieval.backbones.base import Backbone, ImageFeatures, TextFeatures
from retrieval.systems.pooled import PooledSystem, Temperature

if TYPE_CHECKING:
    from retrieval.config import RetrievalConfig


@section
class CombinerOptions:
    projection: AtLeastOne | None = None
    """Width of the first hidden layer; null is the published 4 E."""
    hidden: AtLeastOne | None = None
    """Width of the second hidden layer; null is the published 8 E."""
    dropout: Annotated[Number, Field(ge=0, lt=1)] = 0.5
    """Share of the hidden units that a training step leaves out."""


class Combiner(Temperature, PooledSystem):
    """q = normalise(v + lambda t + (1 - lambda) x), where v and lambda in (0, 1) are functions of both
    features.

    Args:
        dim: E. projection, hidden: widths of the two hidden layers; None is the published 4 E and 8 E.
    """

    Options = CombinerOptions
    query_uses_all_parameters = True

    def __init__(
        self, dim: int, projection: int | None = None, hidden: int | None = None, dropout: float = 0.5
    ):
        super().__init__()
        projection, hidden = projection or 4 * dim, hidden or 8 * dim

        def layer(inputs: int, outputs: int) -> nn.Sequential:
            return nn.Sequential(nn.Linear(inputs, outputs), nn.ReLU(), nn.Dropout(dropout))

        self.text_in, self.image_in = layer(dim, projection), layer(dim, projection)
        self.mixture = nn.Sequential(layer(2 * projection, hidden), nn.Linear(hidden, dim))
        self.balance = nn.Sequential(layer(2 * projection, hidden), nn.Linear(hidden, 1))

    @classmethod
    def keywords(
        cls, config: RetrievalConfig, options: CombinerOptions, backbone: Backbone
    ) -> dict[str, Any]:
        return {"dim": backbone.width, **vars(options)}

    @classmethod
    def stages(cls, config: RetrievalConfig) -> Sequence[RetrievalConfig]:
        """Without `init`, two runs: `sum` trains the backbone, then the Combiner is trained on its frozen
        features."""
        if config.init is not None:
            return [config]
        folder = Path(config.output_dir) / "stage1"
        return [
            replace(config, composer="sum", options={}, output_dir=str(folder)),
            replace(config, init=str(folder / "model"), encoder=replace(config.encoder, trainable_blocks=0)),
        ]

    def encode_query(self, reference: ImageFeatures, text: TextFeatures) -> Float[Tensor, "B E"]:
        x, t = reference.pooled, text.pooled  # (B, E) each
        both = torch.cat([self.text_in(t), self.image_in(x)], dim=-1)  # (B, 2 projection)
        share = self.balance(both).sigmoid()  # (B, 1), lambda
        return normalize((self.mixture(both) + share * t + (1 - share) * x).float(), dim=-1)
