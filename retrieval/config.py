"""The settings of a retrieval training run; the parts that it shares with the generator's are its own."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from cdd_icm.config import EncoderConfig, FusionConfig, MatcherConfig, Rule, RunConfig, check, section
from cdd_icm.config.base import AtLeastOne, Seed, Share
from cdd_icm.errors import InputError


@section
class RetrievalDataConfig:
    benchmark: str = "dialogs"
    """A name of `retrieval.benchmarks.READERS`."""
    path: str = ""
    """The annotations; of dialogs anything that `cdd-icm data info` reads."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Of the benchmark's reader, beside the split."""
    images: str | None = None
    """Folder or zip of the pictures, where the annotations don't come with them."""
    train_split: str | None = "train"
    """Split that is trained on; null, where the annotations have no splits, is the reader's default."""
    validation_split: str | None = "val"
    """Split that is measured; null is the reader's default."""
    image_size: AtLeastOne = 128
    """Side of the square pictures, in pixels."""
    limit: AtLeastOne | None = None
    """Train on the first so many queries only."""
    cache_dir: str | None = None
    """Where decoded pictures and frozen towers' features are kept; by default the user's cache folder."""

    def __post_init__(self):
        if "split" in self.options:
            raise InputError(
                f"options.split is {self.options['split']!r}; give train_split and validation_split instead"
            )


@section
class CombinerConfig:
    projection: AtLeastOne | None = None
    """Width of the first hidden layer; null is the published 4 E."""
    hidden: AtLeastOne | None = None
    """Width of the second hidden layer; null is the published 8 E."""
    dropout: Share = 0.5
    """Dropout in both."""


@section
class ObjectiveConfig:
    reference_negatives: bool = True
    """Each query's own reference is among the wrong answers."""
    caption_negatives: bool = False
    """So is what its reference shows, said in words alone."""
    drop_text: Share = 0.05
    """Share of the samples without the text, so that a query may lack it."""
    drop_reference: Share = 0.05
    """Share of the samples without the reference, so that a query may lack it."""


@section
class RetrievalConfig:
    output_dir: str = "runs/retrieval"
    """Folder of the run; the same command goes on with the run that is there."""
    seed: Seed = 0
    """Of all randomness."""
    composer: Literal[
        "combiner", "fusion", "image", "matching", "multi-vector", "over-places", "sum", "text", "tirg"
    ] = "fusion"
    """What makes one vector of a picture and a text."""
    over_places: Literal["combiner", "sum", "tirg"] = "sum"
    """What `over-places` composes with."""
    multi_vector: Literal["combiner", "fusion", "image", "matching", "over-places", "sum", "text", "tirg"] = (
        "fusion"
    )
    """What `multi-vector` composes with."""
    init: str | None = None
    """A folder to begin with: a retrieval model, or a pipeline that draws. Its towers and tokenizer are
    taken, its composer where it is of the same kind, and its fusion encoder where both have one."""
    data: RetrievalDataConfig = Field(default_factory=RetrievalDataConfig)
    encoder: EncoderConfig = Field(default_factory=EncoderConfig)
    """With `trainable_blocks: 0` the towers are frozen, and their features are computed once."""
    fusion: FusionConfig = Field(default_factory=FusionConfig)
    matcher: MatcherConfig = Field(default_factory=MatcherConfig)
    combiner: CombinerConfig = Field(default_factory=CombinerConfig)
    objective: ObjectiveConfig = Field(default_factory=ObjectiveConfig)
    training: RunConfig = Field(default_factory=RunConfig)

    def __post_init__(self):
        check(self, RULES)


def _composed_by(c: RetrievalConfig) -> str:
    """The key that names what composes one vector."""
    return "multi_vector" if c.composer == "multi-vector" else "composer"


def _image_alone(c: RetrievalConfig) -> bool:
    return getattr(c, _composed_by(c)) == "image"


RULES = (
    Rule("fusion.heads", lambda c: c.fusion.width % c.fusion.heads == 0, "a divisor of fusion.width"),
    Rule(
        "data.image_size",
        lambda c: c.data.image_size % 16 == 0 or getattr(c, _composed_by(c)) != "matching",
        "a multiple of 16, which the matcher needs",
    ),
    Rule(
        "encoder.trainable_blocks",
        lambda c: c.encoder.trainable_blocks != 0 or c.init is not None or c.encoder.pretrained is not None,
        "some, or init or encoder.pretrained: frozen towers must have learnt something",
    ),
    Rule(
        "objective.drop_text",
        lambda c: c.objective.drop_text + c.objective.drop_reference <= 1,
        "at most 1 with objective.drop_reference",
    ),
    Rule(
        "objective.reference_negatives",
        lambda c: not (_image_alone(c) and c.objective.reference_negatives),
        lambda c: f"false with {_composed_by(c)}=image, whose query is the reference",
    ),
    Rule(
        "objective.caption_negatives",
        lambda c: not (_image_alone(c) and c.objective.caption_negatives),
        lambda c: f"false with {_composed_by(c)}=image, which reads no captions",
    ),
)
