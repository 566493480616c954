"""A position-dependent projection of a picture's patch tokens, in place of the pooled feature."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from jaxtyping import Float
from torch import Tensor, nn

from retrieval.backbones.base import Backbone, ImageFeatures, TextFeatures
from retrieval.systems.base import Inputs, Wrapper, WrapperOptions
from retrieval.systems.pooled import PooledSystem
from retrieval.systems.registry import SYSTEMS, find

if TYPE_CHECKING:
    from retrieval.config import RetrievalConfig


class PatchProjection(nn.Sequential):
    """N_v patch tokens -> one vector. As in the matcher, nothing is averaged over positions, so that the
    vector tells where a feature is.

    Args:
        token_width: D_v. tokens: N_v. dim: length of the vector.
    """

    def __init__(self, token_width: int, tokens: int, dim: int):
        super().__init__(
            nn.Linear(token_width, 32),
            nn.Flatten(),
            nn.LayerNorm(32 * tokens),
            nn.Linear(32 * tokens, dim),
        )


class ProjectedPatches(Wrapper):
    """A system over pooled features that gets projected patch tokens instead. An ablation: it separates what
    `Fusion` gains by fusing from what it gains by using patch tokens.

    Args:
        composer: a system over pooled features. options: its keyword arguments.
        token_width: D_v. tokens: N_v. dim: E, the length of the features.
    """

    Options = WrapperOptions
    query_inputs = gallery_inputs = Inputs.TOKENS

    def __init__(self, composer: str, options: Mapping[str, Any], token_width: int, tokens: int, dim: int):
        super().__init__(composer, options)
        self.projection = PatchProjection(token_width, tokens, dim)
        self.width = dim

    @classmethod
    def wrappable(cls) -> Sequence[str]:
        return [name for name in SYSTEMS if issubclass(find(name), PooledSystem)]

    @classmethod
    def keywords(cls, config: RetrievalConfig, options: WrapperOptions, backbone: Backbone) -> dict[str, Any]:
        shape = {"token_width": backbone.image_width, "tokens": backbone.image_tokens, "dim": backbone.width}
        return {**super().keywords(config, options, backbone), **shape}

    def encode_query(self, reference: ImageFeatures, text: TextFeatures) -> Float[Tensor, "B D"]:
        return self.composer.compose(self.projection(reference.tokens), reference, text)

    def encode_gallery(self, pictures: ImageFeatures) -> Float[Tensor, "N D"]:
        return self.composer.encode_gallery(self._projected(pictures))

    def _projected(self, pictures: ImageFeatures) -> ImageFeatures:
        return replace(pictures, pooled=self.projection(pictures.tokens))
