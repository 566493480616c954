"""What a store and a search need of a model: pictures and queries as vectors of one space."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor


class Encoder(Protocol):
    """A trained model of composed retrieval, such as `retrieval.model.RetrievalModel`."""

    image_size: int
    """Pictures come to it as squares of this many pixels a side (see `cdd_icm.data.resize`)."""

    width: int
    """E, of its vectors."""

    fingerprint: str
    """Letters and digits that another model doesn't have (see `cdd_icm.evaluation.fingerprint`)."""

    def encode_gallery(
        self, pictures: UInt8[Tensor, "B 3 H W"] | Sequence[Image.Image]
    ) -> Float[Tensor, "B E"]:
        """The pictures' vectors, of unit length."""

    def encode_query(
        self,
        pictures: UInt8[Tensor, "B 3 H W"] | Sequence[Image.Image] | None,
        texts: Sequence[str] | None,
        history: Sequence[Sequence[str]] | None = None,
    ) -> Float[Tensor, "B E"]:
        """The queries' vectors, of unit length. `pictures` or `texts` may be None, not both; `history`
        are the earlier sentences of each query's dialog, oldest first."""
