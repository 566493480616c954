"""The interface that index and search need of a model: pictures and queries as vectors of one space."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor


class Encoder(Protocol):
    """A trained retrieval model, such as `retrieval.model.RetrievalModel`."""

    width: int
    """E, the length of its vectors."""

    vectors: int
    """How many a picture has."""

    fingerprint: str
    """Letters and digits that identify the model."""

    def preprocess(self, picture: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "H W 3"]:
        """Resizes a decoded picture so that `encode_gallery` can take it in a batch."""

    def encode_gallery(
        self, pictures: UInt8[Tensor, "B 3 H W"] | Sequence[Image.Image]
    ) -> Float[Tensor, "B *vectors E"]:
        """The pictures' vectors, of unit length: one each, or `vectors`."""

    def encode_query(
        self,
        pictures: UInt8[Tensor, "B 3 H W"] | Sequence[Image.Image] | None,
        texts: Sequence[str] | None,
        history: Sequence[Sequence[str]] | None = None,
    ) -> Float[Tensor, "B E"]:
        """The queries' vectors, of unit length. `pictures` or `texts` may be None, but not both; `history`
        holds the earlier instructions of each query's dialog, oldest first. Pictures in a list may have any
        size and mode.

        Raises:
            InputError: a picture exceeds the limits of `cdd_icm.data.picture`.
        """
