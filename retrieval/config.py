"""The settings of a retrieval training run; the parts that it shares with the generator's are its own."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from cdd_icm.config import EncoderConfig, FusionConfig, MatcherConfig, Rule, RunConfig, check, section
from cdd_icm.config.base import AtLeastOne, Count, Seed, Share
from cdd_icm.errors import InputError
from retrieval.systems import registry


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
    num_workers: Count = 0
    """Loader processes; 0 loads in the trainer's own."""

    def __post_init__(self):
        if "split" in self.options:
            raise InputError(
                f"options.split is {self.options['split']!r}; give train_split and validation_split instead"
            )


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
    """Folder of the run; the same command resumes the run in it."""
    seed: Seed = 0
    """Of all randomness."""
    composer: str = "fusion"
    """The system: a name of `retrieval.systems.registry.SYSTEMS`."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Of the system, as the `Options` of its class."""
    init: str | None = None
    """A folder whose weights training begins with: a retrieval model, or a generator's pipeline. Backbone and
    tokenizer are taken, the system's weights where it is the same system, else those of the submodules that
    both systems have in common, such as the fusion encoder."""
    data: RetrievalDataConfig = Field(default_factory=RetrievalDataConfig)
    encoder: EncoderConfig = Field(default_factory=EncoderConfig)
    """With `trainable_blocks: 0` the backbone is frozen, and its features are computed once."""
    fusion: FusionConfig = Field(default_factory=FusionConfig)
    matcher: MatcherConfig = Field(default_factory=MatcherConfig)
    objective: ObjectiveConfig = Field(default_factory=ObjectiveConfig)
    training: RunConfig = Field(default_factory=RunConfig)

    def __post_init__(self):
        check(self, RULES)
        system = registry.find(self.composer)
        system.check(self, registry.parse_options(system, self.options))


RULES = (
    Rule("fusion.heads", lambda c: c.fusion.width % c.fusion.heads == 0, "a divisor of fusion.width"),
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
)
