"""Trains a retrieval model; the same command resumes a run exactly."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from accelerate import Accelerator
from torch import Tensor, nn

from cdd_icm.config import to_plain, without_places
from cdd_icm.data import ResumableSampler
from cdd_icm.device import process_state
from cdd_icm.errors import InputError
from cdd_icm.io import replacing, to_json
from cdd_icm.model.prompt import compose_text
from cdd_icm.progress import Progress
from cdd_icm.train.batches import make_loader
from cdd_icm.train.log import seconds_logged
from cdd_icm.train.loop import MicroBatch, Recipe, fit
from cdd_icm.train.processes import Coordinator
from cdd_icm.train.tokenizer import run_tokenizer
from retrieval import backbones, images
from retrieval.backbones.base import Backbone
from retrieval.benchmarks import Benchmark, read_benchmark
from retrieval.config import RetrievalConfig, RetrievalDataConfig
from retrieval.evaluation.measure import ROWS, encode, report
from retrieval.model import RetrievalModel
from retrieval.systems import registry
from retrieval.train.objective import Objective
from retrieval.train.samples import Batch, Samples


def train(config: RetrievalConfig) -> Path:
    """Trains `config` to the end, stage by stage (see `System.stages`), or resumes from its last checkpoint.

    Returns:
        The model's folder, `output_dir/model`.

    Raises:
        InputError: bad data, a config that differs from the one the run started with, a damaged checkpoint.
        FloatingPointError: a loss or gradient is not finite; the last checkpoint is kept.
        Stopped: after Ctrl-C or SIGTERM, once a checkpoint is written.
    """
    for stage in registry.find(config.composer).stages(config):
        fit(RetrievalRecipe(stage))
    process_state().destroy_process_group()
    return Path(config.output_dir) / "model"


class RetrievalRecipe(Recipe):
    unit = "queries"
    shown_losses = ("loss", "found")
    mutable_keys = {
        "": {"output_dir"},
        "data": {"path", "images", "validation_split", "cache_dir", "num_workers"},
        "training": {
            *("total_samples", "checkpoint_samples", "log_samples", "tracker"),
        },
    }

    def __init__(self, config: RetrievalConfig):
        """Reads the queries and the model that the run starts from. Raises InputError as `train` does."""
        super().__init__(config, config.training)
        self.benchmark = read_split(config.data, config.data.train_split)
        self.captions = [
            compose_text(q.caption[-1], q.caption[:-1], len(q.caption))
            for q in self.benchmark.queries[: config.data.limit]
            if q.caption
        ]
        if config.objective.caption_negatives and not self.captions:
            raise InputError(
                f"objective.caption_negatives is True, but {self.benchmark.name} has no captions"
            )
        self.validation = read_split(config.data, config.data.validation_split)
        self.init = load_init(config)
        system = registry.find(config.composer)
        options = registry.parse_options(system, config.options)
        self.has_unused_parameters = not system.uses_all_parameters(options)

    def build(self, accelerator: Accelerator) -> nn.Module:
        config, self.device = self.config, accelerator.device
        texts = [text for query in self.benchmark.queries for text in query.texts]
        if config.objective.caption_negatives:
            texts += self.captions
        model = build_model(config, self.init, texts, accelerator).to(self.device)
        self.samples = Samples.make(self.benchmark, config, model)
        return Objective(model, config.objective)

    def data_order(self) -> Sequence[Any]:
        queries = self.samples.benchmark.queries
        return [(query.id, query.reference, query.targets[0], len(query.texts)) for query in queries]

    def batches(self, size: int, samples: int, rank: int, world: int) -> Iterator[Batch]:
        sampler = ResumableSampler(
            len(self.samples), size * world, self.config.seed, start_sample=samples, rank=rank, world=world
        )
        workers = self.config.data.num_workers
        loader = make_loader(self.samples, self.samples.collate, workers, batch_sampler=sampler)
        return (batch.on(self.device) for batch in loader)

    def loss(self, model: nn.Module, part: MicroBatch, shared: None) -> dict[str, Tensor]:
        return model(part.batch)

    def names(self, batch: Batch) -> list[str]:
        return batch.queries

    def publish(self, average: nn.Module, coordinator: Coordinator, samples: int, final: bool) -> None:
        """Writes the model's folder, with facts about its training in `training.json`, and the validation
        figures in `validation/<samples>.json`."""
        config, root, model = self.config, self.root, average.model
        if final and validation_file(root, samples).exists():
            return
        if coordinator.main:
            model.save_pretrained(root / "model")
            with replacing(root / "model" / "training.json") as path:
                path.write_text(
                    to_json(training_facts(root, samples, config), indent=1) + "\n", encoding="utf-8"
                )
        cache, frozen = config.data.cache_dir, config.encoder.trainable_blocks == 0
        encoded = encode(
            model, self.validation, ROWS, cache_dir=cache, frozen=frozen, spread=coordinator.spread
        )
        if not coordinator.main:
            return
        rows = report(model, self.validation, encoded)["rows"]
        with replacing(validation_file(root, samples)) as path:
            path.write_text(to_json(rows, indent=1) + "\n", encoding="utf-8")
        figures = {name: value for name, value in rows["composed"].items() if name.startswith("R@")}
        line = ", ".join(f"{name} {value:.2f}" for name, value in figures.items())
        Progress.write(f"{samples} queries: {line}")


def read_split(data: RetrievalDataConfig, split: str | None) -> Benchmark:
    """The queries of a split (None: the reader's default), with their pictures.

    Raises:
        InputError: hidden targets, missing pictures, or what the benchmark's reader raises.
    """
    options = data.options if split is None else {**data.options, "split": split}
    benchmark = read_benchmark(data.benchmark, data.path, options)
    if not benchmark.labelled:
        raise InputError(f"{data.path}: {benchmark.name} {benchmark.split} hides its targets")
    if benchmark.pictures:
        return benchmark
    if data.images is None:
        raise InputError(f"data.images: {benchmark.name} needs the folder of its pictures")
    return images.resolve(benchmark, data.images)


def load_init(config: RetrievalConfig) -> RetrievalModel | None:
    """The model that the config starts from, if any.

    Raises:
        InputError: there is no such model, or its towers, size, history or composer differ from the config's.
    """
    if config.init is None:
        return None
    known = RetrievalModel.from_pretrained(config.init)
    for key, wanted, found in (
        ("encoder.model", to_plain(config.encoder.model), known.backbone.settings["model"]),
        ("data.image_size", config.data.image_size, known.image_size),
        ("encoder.history", config.encoder.history, known.history),
        ("encoder.speaker", config.encoder.speaker, known.speaker),
    ):
        if wanted != found:
            raise InputError(f"{key} is {wanted!r}, but that of init, {config.init}, is {found!r}")
    system, other = (registry.find(name) for name in (config.composer, known.composer_name))
    wanted, own = to_plain(system_keywords(config, known.backbone)), known.options
    parts = wanted.keys()
    if system is not other:  # only common submodules are copied, also from a wrapped system
        system, wanted = system.query_keywords(wanted)
        other, own = other.query_keywords(own)
        parts = set(system.transfers) & set(other.transfers)
    for part in parts:
        if wanted.get(part) != own.get(part):
            found = own.get(part)
            raise InputError(f"{part} is {wanted.get(part)!r}, but that of init, {config.init}, is {found!r}")
    return known


def build_model(
    config: RetrievalConfig, known: RetrievalModel | None, texts: Sequence[str], accelerator: Accelerator
) -> RetrievalModel:
    """The model before its first step: `known`, the model of `init`, or a new one, whose tokenizer is learnt
    from `texts`."""
    if known is None:
        backbone = backbones.find(registry.find(config.composer).backbone).from_config(
            config.encoder,
            config.data.image_size,
            lambda towers: run_tokenizer(Path(config.output_dir), config.encoder, towers, texts, accelerator),
        )
    else:
        backbone = known.backbone
    prompt = {"history": config.encoder.history, "speaker": config.encoder.speaker}
    model = RetrievalModel(backbone, config.composer, system_keywords(config, backbone), **prompt)
    if known is not None:
        model.composer.initialise(known.composer)
        backbone.train_last_blocks(config.encoder.trainable_blocks)
    return model


def system_keywords(config: RetrievalConfig, backbone: Backbone) -> dict[str, Any]:
    """`System.keywords` of the config's system."""
    system = registry.find(config.composer)
    return system.keywords(config, registry.parse_options(system, config.options), backbone)


def validation_file(root: Path, samples: int) -> Path:
    """The file that `publish` writes last."""
    return root / "validation" / f"{samples:09d}.json"


def training_facts(root: Path, samples: int, config: RetrievalConfig) -> Mapping[str, Any]:
    """The config without this machine's folders, the number of samples, and the minutes of training."""
    minutes = seconds_logged(root / "log.jsonl") / 60
    return {"config": without_places(config), "samples": samples, "minutes": round(minutes, 2)}
