"""The base class of retrieval systems: (reference, text) -> query, picture -> vectors, score, loss, stages.

A system is a subclass in a file or folder of its own and one line in `registry.SYSTEMS`. It declares its
inputs, its settings and how it is trained; training, evaluation, index and search do the rest.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Flag, auto
from typing import TYPE_CHECKING, Any, ClassVar

from jaxtyping import Bool, Float
from pydantic import Field
from torch import Tensor, nn

from cdd_icm.config import section
from cdd_icm.errors import InputError
from retrieval.backbones.base import Backbone, ImageFeatures, TextFeatures
from retrieval.systems.losses import in_batch_info_nce
from retrieval.systems.registry import build, find, parse_options
from retrieval.systems.scores import dot

if TYPE_CHECKING:
    from retrieval.config import RetrievalConfig


class Inputs(Flag):
    """Parts of `ImageFeatures` that a system uses."""

    POOLED = auto()
    TOKENS = auto()
    PIXELS = auto()
    FEATURES = POOLED | TOKENS
    """The parts that the backbone computes."""


@section
class NoOptions:
    """Of a system without settings."""


@dataclass(frozen=True)
class TrainingBatch:
    """B triplets as features. With caption negatives there are B + 1 references, the last one blank, and 2 B
    texts: first those of the queries, then the captions."""

    reference: ImageFeatures
    target: ImageFeatures
    text: TextFeatures
    reference_negatives: bool = True
    """Whether each query's own reference is a hard negative."""
    has_caption: Bool[Tensor, " B"] | None = None
    """Samples with a caption, which is a hard negative; None: captions are not used."""


class System(nn.Module, ABC):
    """A trainable system over a backbone. Queries and vectors have unit length, so that a score is a cosine
    or the largest of several."""

    backbone: ClassVar[str] = "clip"
    """A name of `retrieval.backbones.BACKBONES`."""

    Options: ClassVar[type] = NoOptions
    """A `section`: the config's `options`."""

    query_inputs: Inputs = Inputs.POOLED
    """The parts of the reference that `encode_query` uses."""

    gallery_inputs: Inputs = Inputs.POOLED
    """The parts of a picture that `encode_gallery` uses."""

    transfers: ClassVar[tuple[str, ...]] = ()
    """Submodules whose weights a system of another class may start from. A submodule's own keywords, if any,
    are saved under its name and must be equal in both."""

    query_uses_all_parameters: ClassVar[bool] = False
    """Whether `encode_query` alone gives every weight a gradient, including the backbone's."""

    composes: ClassVar[bool] = False
    """Whether it has `compose`, so that a `Wrapper` can give it another vector of the reference."""

    pooled_only: ClassVar[bool] = False
    """Whether it reads nothing of pictures but the pooled feature."""

    width: int | None = None
    """D, the length of a query; None: that of the pooled features."""

    vectors: int = 1
    """T, how many vectors `encode_gallery` makes of a picture; with 1 it has no axis for them."""

    @property
    @abstractmethod
    def logit_scale(self) -> Float[Tensor, ""]:
        """1 / temperature, by which training multiplies the scores."""

    @abstractmethod
    def encode_query(self, reference: ImageFeatures, text: TextFeatures) -> Float[Tensor, "B D"]:
        """The queries, of unit length."""

    @abstractmethod
    def encode_gallery(self, pictures: ImageFeatures) -> Float[Tensor, "N ... D"]:
        """The vectors of gallery pictures, of unit length: one each, or `vectors`."""

    def compose(
        self, vector: Float[Tensor, "B D"], reference: ImageFeatures, text: TextFeatures
    ) -> Float[Tensor, "B D"]:
        """The queries, of unit length, with `vector` in place of the vector of the reference that the
        system's own gallery encoder makes, before it has unit length."""
        raise NotImplementedError

    def score(self, queries: Float[Tensor, "B D"], vectors: Float[Tensor, "N ... D"]) -> Float[Tensor, "B N"]:
        """The score of every query with every picture. A `retrieval.evaluation.metrics.Similarity`."""
        return dot(queries, vectors)

    def loss(self, batch: TrainingBatch) -> dict[str, Tensor]:
        """`loss` (); `found` (B,), 1 where a query's own target scores highest in this process's batch; and
        any other values to log."""
        return in_batch_info_nce(self, batch)

    def initialise(self, other: System) -> None:
        """Copies the weights of `other`: all of them for a system of the same class, otherwise those of the
        `transfers` that both have.

        Raises:
            InputError: their shapes differ.
        """
        parts = [(self, other)]
        if type(self) is not type(other):
            own, source = self.query_system, other.query_system
            shared = set(own.transfers) & set(source.transfers)
            parts = [(getattr(own, name), getattr(source, name)) for name in shared]
        for part, trained in parts:
            try:
                part.load_state_dict(trained.state_dict())
            except RuntimeError as error:
                reason = str(error).splitlines()[-1].strip()
                raise InputError(f"init: its weights are of another shape ({reason})") from error

    @property
    def query_system(self) -> System:
        """The system that makes the queries: itself, or the one that it wraps."""
        return self

    @property
    def uses_tokens(self) -> bool:
        return Inputs.TOKENS in self.query_inputs | self.gallery_inputs

    @classmethod
    def check(cls, config: RetrievalConfig, options: Any, key: str = "composer") -> None:
        """Raises InputError, naming a key and its value, where this system can't be trained with the config.
        `key` is the config key that names the system."""

    @classmethod
    def uses_all_parameters(cls, options: Any) -> bool:
        """Whether the loss gives every weight a gradient, including the backbone's. Otherwise DDP must look
        for unused weights at every step."""
        return cls.query_uses_all_parameters

    @classmethod
    def keywords(cls, config: RetrievalConfig, options: Any, backbone: Backbone) -> dict[str, Any]:
        """The constructor's keyword arguments for this config, serialisable as JSON: they are saved with the
        model.

        Args:
            options: the config's section `options` as an `Options`.
        """
        return {}

    @classmethod
    def composing_keywords(cls, keywords: dict[str, Any]) -> dict[str, Any]:
        """The keyword arguments where only `compose` is used: without the gallery's weights."""
        return keywords

    @classmethod
    def query_width(cls, config: RetrievalConfig, backbone: Backbone) -> int:
        """The `width` of a system built from these settings."""
        return backbone.width

    @classmethod
    def query_keywords(cls, keywords: Mapping[str, Any]) -> tuple[type[System], Mapping[str, Any]]:
        """The class of `query_system`, and its part of the keyword arguments."""
        return cls, keywords

    @classmethod
    def stages(cls, config: RetrievalConfig) -> Sequence[RetrievalConfig]:
        """The runs that train it, in order. A run writes its model to `output_dir/model`, which the next
        one's `init` may name."""
        return [config]


@section
class WrapperOptions:
    composer: str = "sum"
    """The system that makes the queries."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Its options."""


class Wrapper(System):
    """A system around another one, which makes the queries. Its `Options` are `WrapperOptions`.

    Args:
        composer: the wrapped system's name in `registry.SYSTEMS`. options: its keyword arguments.
    """

    def __init__(self, composer: str, options: Mapping[str, Any]):
        super().__init__()
        self.composer = build(composer, options)

    @property
    def logit_scale(self) -> Float[Tensor, ""]:
        return self.composer.logit_scale

    @property
    def query_system(self) -> System:
        return self.composer

    @classmethod
    @abstractmethod
    def wrappable(cls) -> Sequence[str]:
        """The names of the systems that it may wrap."""

    @classmethod
    def check(cls, config: RetrievalConfig, options: Any, key: str = "composer") -> None:
        prefix = f"options.{key.removesuffix('composer')}"
        wrapped, inner_options = cls._wrapped(options, prefix)
        wrapped.check(config, inner_options, f"{prefix}composer")

    @classmethod
    def keywords(cls, config: RetrievalConfig, options: Any, backbone: Backbone) -> dict[str, Any]:
        wrapped, inner_options = cls._wrapped(options)
        return {"composer": options.composer, "options": wrapped.keywords(config, inner_options, backbone)}

    @classmethod
    def query_keywords(cls, keywords: Mapping[str, Any]) -> tuple[type[System], Mapping[str, Any]]:
        return find(keywords["composer"]), keywords["options"]

    @classmethod
    def _wrapped(cls, options: Any, prefix: str = "options.") -> tuple[type[System], Any]:
        wrapped = find(options.composer, f"{prefix}composer", cls.wrappable())
        return wrapped, parse_options(wrapped, options.options, f"{prefix}options")
