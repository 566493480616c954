"""A picture's one vector made of its tokens place by place, for any composer over pooled features."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from retrieval.evaluation.metrics import dot
from retrieval.systems.base import ImageFeatures, TextFeatures
from retrieval.systems.combiner import Combiner
from retrieval.systems.pooled import Sum
from retrieval.systems.tirg import TIRG


class PlaceProjection(nn.Sequential):
    """N_v tokens -> one vector that still knows which place a feature stands in, as the matcher makes it.

    Args:
        token_width: D_v. tokens: N_v. dim: of the vector.
    """

    def __init__(self, token_width: int, tokens: int, dim: int):
        super().__init__(
            nn.Linear(token_width, 32),
            nn.Flatten(),
            nn.LayerNorm(32 * tokens),
            nn.Linear(32 * tokens, dim),
        )


class OverPlaces(nn.Module):
    """A composer over pooled features that gets the projection of all places instead of what the image tower
    pools: a row of the ablation, that tells what `Fusion` gains by the fusion from what it gains by this.

    Args:
        composer: "sum", "tirg" or "combiner". options: its keywords.
    """

    uses_tokens = True
    embeds_pixels = False

    def __init__(self, composer: str, options: dict[str, Any], token_width: int, tokens: int, dim: int):
        super().__init__()
        self.composer = {"combiner": Combiner, "sum": Sum, "tirg": TIRG}[composer](**options)
        self.places = PlaceProjection(token_width, tokens, dim)
        self.width = dim

    @property
    def logit_scale(self) -> Float[Tensor, ""]:
        return self.composer.logit_scale

    def compose(self, reference: ImageFeatures, text: TextFeatures) -> Float[Tensor, "B D"]:
        return self.composer.compose(self._placed(reference), text)

    def embed(self, pictures: ImageFeatures) -> Float[Tensor, "N D"]:
        return self.composer.embed(self._placed(pictures))

    def score(self, queries: Float[Tensor, "B D"], vectors: Float[Tensor, "N D"]) -> Float[Tensor, "B N"]:
        return dot(queries, vectors)

    def _placed(self, pictures: ImageFeatures) -> ImageFeatures:
        return replace(pictures, pooled=self.places(pictures.tokens))
