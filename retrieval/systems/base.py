"""What every model of composed retrieval is: (reference, text) -> query, picture -> vectors, and their
score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from jaxtyping import Bool, Float
from torch import Tensor


@dataclass(frozen=True)
class ImageFeatures:
    """N pictures: what the image tower saw of them, and the pictures themselves in [-1, 1]. What a composer
    doesn't look at may be left out."""

    pooled: Float[Tensor, "N E"] | None = None
    tokens: Float[Tensor, "N Nv Dv"] | None = None
    pixels: Float[Tensor, "N 3 R R"] | None = None

    def __len__(self) -> int:
        return next(len(part) for part in vars(self).values() if part is not None)

    def __getitem__(self, rows: slice | list[int]) -> ImageFeatures:
        """Some of the pictures."""
        return ImageFeatures(*(None if part is None else part[rows] for part in vars(self).values()))


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

    embeds_pixels: bool
    """Whether `embed` looks at the pictures themselves and needs nothing of the image tower."""

    width: int | None
    """Length of a query; None: that of the pooled features."""

    logit_scale: Float[Tensor, ""]
    """What training multiplies scores with: 1 / temperature."""

    def compose(self, reference: ImageFeatures, text: TextFeatures) -> Float[Tensor, "B D"]:
        """The queries."""

    def embed(self, pictures: ImageFeatures) -> Float[Tensor, "N ... D"]:
        """The vectors of gallery pictures: one each, or several."""

    def score(self, queries: Float[Tensor, "B D"], vectors: Float[Tensor, "N ... D"]) -> Float[Tensor, "B N"]:
        """The score of every query with every picture. A `retrieval.evaluation.metrics.Similarity`."""
