"""Several vectors a picture; its score is that of the best one (as in SPRC, Bai et al., ICLR 2024)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import normalize

from cdd_icm.config import section
from cdd_icm.config.base import AtLeastOne
from cdd_icm.errors import InputError
from retrieval.backbones.base import Backbone, ImageFeatures, TextFeatures
from retrieval.systems.base import Inputs, Wrapper, WrapperOptions
from retrieval.systems.patches import PatchProjection
from retrieval.systems.registry import SYSTEMS, find
from retrieval.systems.scores import max_over_vectors

if TYPE_CHECKING:
    from retrieval.config import RetrievalConfig


@section
class MultiVectorOptions(WrapperOptions):
    composer: str = "fusion"
    """The system that makes the queries."""
    vectors: AtLeastOne | None = 8
    """Learnt vectors a picture, each of all its patch tokens; null is one for each patch token alone."""


class MultiVector(Wrapper):
    """The queries of another system, over a gallery with several vectors a picture: score max_k <q, v_k>.

    With `vectors` T, v_k = normalise(p_k(y)), where each p_k is a projection of all patch tokens of y, and
    the reference x is in the query as the mean of its p_k(x): both sides share the projections, so that a
    query starts near its reference. Without, as an ablation, v_k = normalise(W y_k) of the patch token k
    alone, and the query is the other system's own.

    Args:
        composer: the system that makes the queries; its gallery encoder is unused. options: its keyword
            arguments.
        token_width: D_v. tokens: N_v. dim: D, of the queries. vectors: T, or None.
    """

    Options = MultiVectorOptions
    gallery_inputs = Inputs.TOKENS

    def __init__(
        self,
        composer: str,
        options: Mapping[str, Any],
        token_width: int,
        tokens: int,
        dim: int,
        vectors: int | None = None,
    ):
        super().__init__(composer, options)
        self.query_inputs = self.composer.query_inputs
        self.width, self.vectors, self.learnt = dim, vectors or tokens, vectors is not None
        if self.learnt:
            self.query_inputs |= Inputs.TOKENS
            self.token_out = nn.Sequential(
                PatchProjection(token_width, tokens, vectors * dim), nn.Unflatten(-1, (vectors, dim))
            )
        else:
            self.token_out = nn.Linear(token_width, dim)

    @classmethod
    def wrappable(cls) -> Sequence[str]:
        return [name for name in SYSTEMS if find(name) is not cls]

    @classmethod
    def check(cls, config: RetrievalConfig, options: MultiVectorOptions, key: str = "composer") -> None:
        super().check(config, options, key)
        if options.vectors is not None and not find(options.composer).composes:
            able = ", ".join(name for name in cls.wrappable() if find(name).composes)
            raise InputError(
                f"options.composer is {options.composer!r}, expected one of {able} with "
                f"options.vectors={options.vectors}"
            )

    @classmethod
    def uses_all_parameters(cls, options: MultiVectorOptions) -> bool:
        wrapped = find(options.composer)
        # of pooled features, the learnt vectors take the place
        return wrapped.query_uses_all_parameters and (options.vectors is None or not wrapped.pooled_only)

    @classmethod
    def keywords(
        cls, config: RetrievalConfig, options: MultiVectorOptions, backbone: Backbone
    ) -> dict[str, Any]:
        known = super().keywords(config, options, backbone)
        if options.vectors is not None:
            known["options"] = find(options.composer).composing_keywords(known["options"])
        dim = find(options.composer).query_width(config, backbone)
        shape = {"token_width": backbone.image_width, "tokens": backbone.image_tokens, "dim": dim}
        return {**known, **shape, "vectors": options.vectors}

    def encode_query(self, reference: ImageFeatures, text: TextFeatures) -> Float[Tensor, "B D"]:
        if not self.learnt:
            return self.composer.encode_query(reference, text)
        return self.composer.compose(self.token_out(reference.tokens).mean(1), reference, text)

    def encode_gallery(self, pictures: ImageFeatures) -> Float[Tensor, "N T D"]:
        return normalize(self.token_out(pictures.tokens).float(), dim=-1)

    def score(self, queries: Float[Tensor, "B D"], vectors: Float[Tensor, "N T D"]) -> Float[Tensor, "B N"]:
        return max_over_vectors(queries, vectors)
