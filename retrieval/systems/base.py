"""What a system is: (reference, text) -> query, picture -> vectors, their score, its loss and its stages.

A system is a subclass in a file or folder of its own and one line in `registry.SYSTEMS`. It declares what it
reads of pictures, its settings and how it is trained; training, evaluation, index and search do the rest.
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
    """What is read of pictures: parts of `ImageFeatures`."""

    POOLED = auto()
    TOKENS = auto()
    PIXELS = auto()
    FEATURES = POOLED | TOKENS
    """What the backbone must compute."""


@section
class NoOptions:
    """The settings of a system that has none."""


@dataclass(frozen=True)
class TrainingBatch:
    """B triplets as features. With caption negatives there are B + 1 references, the last one blank, and 2 B
    texts: first those of the queries, then the captions."""

    reference: ImageFeatures
    target: ImageFeatures
    text: TextFeatures
    reference_negatives: bool = True
    """Each query's own reference is among its wrong answers."""
    has_caption: Bool[Tensor, " B"] | None = None
    """Which samples have a caption that is one of their wrong answers; None: no caption negatives."""


class System(nn.Module, ABC):
    """A trainable system over a backbone. Queries and vectors have unit length, so that a score is a cosine
    or the largest of several."""

    backbone: ClassVar[str] = "clip"
    """A name of `retrieval.backbones.BACKBONES`."""

    Options: ClassVar[type] = NoOptions
    """A `section`: the config's `options`."""

    query_inputs: Inputs = Inputs.POOLED
    """What `encode_query` reads of the reference."""

    gallery_inputs: Inputs = Inputs.POOLED
    """What `encode_gallery` reads of a picture."""

    transfers: ClassVar[tuple[str, ...]] = ()
    """Submodules that systems of another kind take over from each other; their keywords, where they have any,
    are called the same and must agree."""

    query_uses_all_parameters: ClassVar[bool] = False
    """Whether `encode_query` alone gives every weight a gradient, the backbone's too."""

    width: int | None = None
    """Length of a query; None: that of the pooled features."""

    @property
    @abstractmethod
    def logit_scale(self) -> Float[Tensor, ""]:
        """1 / temperature, what training multiplies scores with."""

    @abstractmethod
    def encode_query(self, reference: ImageFeatures, text: TextFeatures) -> Float[Tensor, "B D"]:
        """The queries."""

    @abstractmethod
    def encode_gallery(self, pictures: ImageFeatures) -> Float[Tensor, "N ... D"]:
        """The vectors of gallery pictures: one each, or several."""

    def score(self, queries: Float[Tensor, "B D"], vectors: Float[Tensor, "N ... D"]) -> Float[Tensor, "B N"]:
        """The score of every query with every picture. A `retrieval.evaluation.metrics.Similarity`."""
        return dot(queries, vectors)

    def loss(self, batch: TrainingBatch) -> dict[str, Tensor]:
        """`loss` (), `found` (B,), whether each query's own target scores best in this process's batch, and
        whatever else the log shall hold."""
        return in_batch_info_nce(self, batch)

    def initialise(self, other: System) -> None:
        """Takes over weights: all of a system of the same kind, else the `transfers` that both have.

        Raises:
            InputError: they are of another shape.
        """
        parts = [(self, other)]
        if type(self) is not type(other):
            own, its = self.query_system, other.query_system
            both = set(own.transfers) & set(its.transfers)
            parts = [(getattr(own, name), getattr(its, name)) for name in both]
        for part, known in parts:
            try:
                part.load_state_dict(known.state_dict())
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
        """Raises InputError, which names a key and its value, where the config can't be trained with this
        system, which it names under `key`."""

    @classmethod
    def uses_all_parameters(cls, options: Any) -> bool:
        """Whether the loss gives every weight a gradient, the backbone's too. Where it does not, several
        processes must search for the others at every step."""
        return cls.query_uses_all_parameters

    @classmethod
    def keywords(cls, config: RetrievalConfig, options: Any, backbone: Backbone) -> dict[str, Any]:
        """The keywords of the class for this config, as JSON can hold them: they are saved with the model.

        Args:
            options: the config's section `options` as an `Options`.
        """
        return {}

    @classmethod
    def query_width(cls, config: RetrievalConfig, backbone: Backbone) -> int:
        """`width` of a system that `keywords` will make."""
        return backbone.width

    @classmethod
    def query_keywords(cls, keywords: Mapping[str, Any]) -> tuple[type[System], Mapping[str, Any]]:
        """The class of `query_system` and its part of the keywords."""
        return cls, keywords

    @classmethod
    def stages(cls, config: RetrievalConfig) -> Sequence[RetrievalConfig]:
        """The runs that train it, in order; the model of a run is in its `output_dir/model`, where the next
        one's `init` may find it."""
        return [config]


@section
class WrapperOptions:
    composer: str = "sum"
    """The system that makes the queries."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Its options."""


class Wrapper(System):
    """A system around another one, which makes the queries; its `Options` are `WrapperOptions`.

    Args:
        composer: a name of `registry.SYSTEMS`. options: its keywords.
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
        wrapped, its_options = cls._wrapped(options, prefix)
        wrapped.check(config, its_options, f"{prefix}composer")

    @classmethod
    def keywords(cls, config: RetrievalConfig, options: Any, backbone: Backbone) -> dict[str, Any]:
        wrapped, its_options = cls._wrapped(options)
        return {"composer": options.composer, "options": wrapped.keywords(config, its_options, backbone)}

    @classmethod
    def query_keywords(cls, keywords: Mapping[str, Any]) -> tuple[type[System], Mapping[str, Any]]:
        return find(keywords["composer"]), keywords["options"]

    @classmethod
    def _wrapped(cls, options: Any, prefix: str = "options.") -> tuple[type[System], Any]:
        wrapped = find(options.composer, f"{prefix}composer", cls.wrappable())
        return wrapped, parse_options(wrapped, options.options, f"{prefix}options")
