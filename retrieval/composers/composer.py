"""What every model of composed retrieval is: (reference, text) -> query, picture -> vectors, and their
score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from jaxtyping import Bool, Float
from torch import Tensor


@dataclass(frozen=True)
class ImageFeatures:
    """What the image tower saw of N pictures. `tokens` may be left out for composers that don't use them."""

    pooled: Float[Tensor, "N E"]
    tokens: Float[Tensor, "N Nv Dv"] | None = None


@dataclass(frozen=True)
class TextFeatures:
    """What the text tower saw of N texts. `mask` is True at real tokens, False at padding."""

    pooled: Float[Tensor, "N E"]
    tokens: Float[Tensor, "N Nw Dw"] | None = None
    mask: Bool[Tensor, "N Nw"] | None = None


class Composer(Protocol):
    """A model. Queries and vectors have unit length, so that a score is a cosine or the largest of
    several."""

    uses_tokens: bool
    """Whether the features must have their tokens."""

    logit_scale: float | Float[Tensor, ""]
    """What training multiplies scores with: 1 / temperature."""

    def compose(self, reference: ImageFeatures, text: TextFeatures) -> Float[Tensor, "B D"]:
        """The queries."""

    def embed(self, pictures: ImageFeatures) -> Float[Tensor, "N ... D"]:
        """The vectors of gallery pictures: one each, or several."""

    def score(self, queries: Float[Tensor, "B D"], vectors: Float[Tensor, "N ... D"]) -> Float[Tensor, "B N"]:
        """The score of every query with every picture. A `retrieval.metrics.Similarity`."""
