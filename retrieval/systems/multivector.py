"""Several vectors a picture; its score is that of the best one (as in SPRC, Bai et al., ICLR 2024)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import normalize

from cdd_icm.config import section
from retrieval.backbones.base import Backbone, ImageFeatures, TextFeatures
from retrieval.systems.base import Inputs, Wrapper, WrapperOptions
from retrieval.systems.registry import SYSTEMS, find
from retrieval.systems.scores import max_over_vectors

if TYPE_CHECKING:
    from retrieval.config import RetrievalConfig


@section
class MultiVectorOptions(WrapperOptions):
    composer: str = "fusion"
    """The system that makes the queries."""


class MultiVector(Wrapper):
    """The queries of any other system, over a gallery in which each patch token is a vector of its own.

    Args:
        composer: the system that makes the queries; its gallery encoder is unused. options: its keyword
            arguments.
        token_width: D_v. dim: D, of the queries.
    """

    Options = MultiVectorOptions
    gallery_inputs = Inputs.TOKENS

    def __init__(self, composer: str, options: Mapping[str, Any], token_width: int, dim: int):
        super().__init__(composer, options)
        self.query_inputs = self.composer.query_inputs
        self.token_out = nn.Linear(token_width, dim)
        self.width = dim

    @classmethod
    def wrappable(cls) -> Sequence[str]:
        return [name for name in SYSTEMS if find(name) is not cls]

    @classmethod
    def uses_all_parameters(cls, options: MultiVectorOptions) -> bool:
        return find(options.composer).query_uses_all_parameters

    @classmethod
    def keywords(
        cls, config: RetrievalConfig, options: MultiVectorOptions, backbone: Backbone
    ) -> dict[str, Any]:
        dim = find(options.composer).query_width(config, backbone)
        shape = {"token_width": backbone.image_width, "dim": dim}
        return {**super().keywords(config, options, backbone), **shape}

    def encode_query(self, reference: ImageFeatures, text: TextFeatures) -> Float[Tensor, "B D"]:
        return self.composer.encode_query(reference, text)

    def encode_gallery(self, pictures: ImageFeatures) -> Float[Tensor, "N T D"]:
        return normalize(self.token_out(pictures.tokens).float(), dim=-1)

    def score(self, queries: Float[Tensor, "B D"], vectors: Float[Tensor, "N T D"]) -> Float[Tensor, "B N"]:
        return max_over_vectors(queries, vectors)
