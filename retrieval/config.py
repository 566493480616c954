"""The settings of a retrieval training run; the parts that it shares with the generator's are its own."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from cdd_icm.config import EncoderConfig, FusionConfig, MatcherConfig, RunConfig
from cdd_icm.errors import InputError
from retrieval.systems import registry


@dataclass(frozen=True)
class RetrievalDataConfig:
    benchmark: str = "dialogs"
    """A name of `retrieval.benchmarks.READERS`."""
    path: str = ""
    """The annotations; of dialogs anything that `cdd-icm data info` reads."""
    options: dict[str, Any] = field(default_factory=dict)
    """Of the benchmark's reader, beside the split."""
    images: str | None = None
    """Folder or zip of the pictures, where the annotations don't come with them."""
    train_split: str | None = "train"
    validation_split: str | None = "val"
    """None, where the annotations know no splits: what the benchmark's reader gives by itself."""
    image_size: int = 128
    limit: int | None = None
    """Train on the first so many queries only."""
    cache_dir: str | None = None
    """Where decoded pictures and frozen towers' features are kept; by default the user's cache folder."""
    num_workers: int = 0
    """Loader processes; 0 loads in the trainer's own."""

    def __post_init__(self):
        if "split" in self.options:
            raise InputError(
                f"options.split is {self.options['split']!r}; give train_split and validation_split instead"
            )
        for name in ("image_size", "limit"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InputError(f"{name} is {value!r}, expected at least 1")
        if self.num_workers < 0:
            raise InputError(f"num_workers is {self.num_workers!r}, expected at least 0")


@dataclass(frozen=True)
class ObjectiveConfig:
    reference_negatives: bool = True
    """Each query's own reference stands among the wrong answers."""
    caption_negatives: bool = False
    """So does what its reference shows, said in words alone."""
    drop_text: float = 0.05
    drop_reference: float = 0.05
    """Shares of the samples that lack one of the two, so that a query may."""

    def __post_init__(self):
        for name in ("drop_text", "drop_reference"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name} is {getattr(self, name)!r}, expected 0 to 1")
        if self.drop_text + self.drop_reference > 1:
            raise InputError(f"drop_text is {self.drop_text!r}, expected at most 1 with drop_reference")


@dataclass(frozen=True)
class RetrievalConfig:
    output_dir: str = "runs/retrieval"
    seed: int = 0
    composer: str = "fusion"
    """The system: a name of `retrieval.systems.registry.SYSTEMS`."""
    options: dict[str, Any] = field(default_factory=dict)
    """Of the system, as the `Options` of its class."""
    init: str | None = None
    """A folder whose weights training begins with: a retrieval model, or a generator's pipeline. Backbone and
    tokenizer are taken, the system's weights where it is the same system, else those of the submodules that
    both systems have in common, such as the fusion encoder."""
    data: RetrievalDataConfig = field(default_factory=RetrievalDataConfig)
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    """With `trainable_blocks: 0` the backbone is frozen, and its features are computed once."""
    fusion: FusionConfig = field(default_factory=FusionConfig)
    matcher: MatcherConfig = field(default_factory=MatcherConfig)
    objective: ObjectiveConfig = field(default_factory=ObjectiveConfig)
    training: RunConfig = field(default_factory=RunConfig)

    def __post_init__(self):
        e = self.encoder
        frozen = e.trainable_blocks == 0
        rules = {
            "fusion.heads": (self.fusion.width % self.fusion.heads == 0, "a divisor of fusion.width"),
            "matcher.width": (self.matcher.width % 16 == 0, "a multiple of 16"),
            "encoder.trainable_blocks": (
                not frozen or self.init is not None or e.pretrained is not None,
                "some, or init or encoder.pretrained: frozen towers must have learnt something",
            ),
        }
        for key, (holds, wanted) in rules.items():
            if not holds:
                section, name = key.split(".")
                raise InputError(f"{key} is {getattr(getattr(self, section), name)!r}, expected {wanted}")
        system = registry.find(self.composer)
        system.check(self, registry.parse_options(system, self.options))
