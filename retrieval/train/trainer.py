"""Training a retrieval model: in-batch InfoNCE; the same command resumes it exactly."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from jaxtyping import Bool
from torch import Tensor, nn
from tqdm import tqdm

from cdd_icm.config import to_plain, without_places
from cdd_icm.data import PictureCache, ResumableSampler
from cdd_icm.device import process_state
from cdd_icm.errors import InputError
from cdd_icm.io import replacing
from cdd_icm.model.backbone import CLIPTowers
from cdd_icm.objectives.icm import info_nce
from cdd_icm.train.checkpoint import restore, save
from cdd_icm.train.log import Log, seconds_logged
from cdd_icm.train.optim import MAX_GRAD_NORM
from cdd_icm.train.run import digest, kept, run_tokenizer, start
from cdd_icm.train.schedule import crossed, learning_rate_at
from cdd_icm.train.signals import StopSignal
from cdd_icm.train.state import prepare, update_ema
from retrieval import images
from retrieval.benchmarks import Benchmark, read_benchmark
from retrieval.config import ObjectiveConfig, RetrievalConfig, RetrievalDataConfig
from retrieval.evaluation.measure import measure
from retrieval.features import BLANK, FrozenFeatures, picture_pixels
from retrieval.systems import ImageFeatures, TextFeatures
from retrieval.systems.model import RetrievalModel

FREE = {
    "": {"output_dir"},
    "data": {"path", "images", "validation_split", "cache_dir"},
    "training": {
        *("total_samples", "checkpoint_samples", "log_samples"),
        *("validation_samples", "tracker"),
    },
}
"""Keys that may change when a run goes on, by section."""


def train(config: RetrievalConfig) -> Path:
    """Trains `config` to the end, or goes on from its last checkpoint. The Combiner without `init` first
    trains the towers as `sum` does, in `output_dir/stage1`, then itself on their frozen features.

    Returns:
        The model's folder, `output_dir/model`.

    Raises:
        InputError: bad data, a config that differs from the one the run began with, a damaged checkpoint.
        FloatingPointError: the loss or its gradient is not finite; the last checkpoint is kept.
        KeyboardInterrupt: after Ctrl-C or SIGTERM, once a checkpoint is written.
    """
    if config.composer == "combiner" and config.init is None:
        first = replace(config, composer="sum", output_dir=str(Path(config.output_dir) / "stage1"))
        towers = train_stage(first)
        config = replace(config, init=str(towers), encoder=replace(config.encoder, trainable_blocks=0))
    folder = train_stage(config)
    process_state().destroy_process_group()
    return folder


def train_stage(config: RetrievalConfig) -> Path:
    """A run of `train`, whose processes stay together for the next."""
    t, root = config.training, Path(config.output_dir)
    benchmark = read_split(config.data, config.data.train_split)
    captions = [query.caption for query in benchmark.queries[: config.data.limit] if query.caption]
    if config.objective.caption_negatives and not captions:
        raise InputError(f"objective.caption_negatives is True, but {benchmark.name} has no captions")
    validation = read_split(config.data, config.data.validation_split)
    known = read_init(config)
    accelerator = start(root, config, FREE)
    device, rank, world = accelerator.device, accelerator.process_index, accelerator.num_processes

    torch.manual_seed(config.seed)
    texts = [text for query in benchmark.queries for text in query.texts]
    if config.objective.caption_negatives:
        texts += captions
    model = begin(config, known, texts, accelerator).to(device)
    dataset = Samples.make(benchmark, config, model)
    objective = Objective(model, config.objective)
    objective, ema, optimizer = prepare(accelerator, objective, t)
    queries = dataset.benchmark.queries
    data = digest([(query.id, query.reference, query.targets[0], len(query.texts)) for query in queries])
    samples = restore(root, objective, ema, optimizer, accelerator, data)
    order = ResumableSampler(
        len(dataset), t.batch_size * world, config.seed, start_sample=samples, rank=rank, world=world
    )
    log = Log(root / "log.jsonl", samples, accelerator)
    bar = tqdm(total=t.total_samples, initial=samples, unit="queries", smoothing=0.05, disable=rank > 0)
    objective.train()
    with StopSignal() as stop, bar:
        for items in order:
            if samples >= t.total_samples:
                break
            before, learning_rate = samples, learning_rate_at(samples, t)
            for group in optimizer.param_groups:
                group["lr"] = learning_rate
            torch.manual_seed(step_seed(config.seed, samples, rank))  # dropout, the same when gone on with
            out = objective(dataset.batch(items))
            loss = accelerator.reduce(out["loss"].detach())  # all processes stop, or some would wait for ever
            if not loss.isfinite():
                raise FloatingPointError(f"the loss is {loss.item()} at sample {before}; {kept(root)}")
            accelerator.backward(out["loss"])
            log.add(out)
            samples += t.batch_size * world
            bar.update(t.batch_size * world)
            norm = accelerator.clip_grad_norm_(objective.parameters(), MAX_GRAD_NORM)
            if not norm.isfinite() and t.mixed_precision != "fp16":  # whose scaler skips such a step
                raise FloatingPointError(f"the gradient is {norm.item()} at sample {before}; {kept(root)}")
            optimizer.step()
            optimizer.zero_grad()

            last, stopping = samples >= t.total_samples, stop.requested(accelerator)
            if last or crossed(t.ema_samples, before, samples):
                step = max(t.ema_samples, samples - before)
                update_ema(ema.shards, accelerator.unwrap_model(objective), samples, step)
            if last or crossed(t.log_samples, before, samples):
                line = log.write(samples, learning_rate=learning_rate, grad_norm=float(norm))
                bar.set_postfix({name: f"{line[name]:.4f}" for name in ("loss", "found")})
            if last or stopping or crossed(t.checkpoint_samples, before, samples):
                save(root, objective, ema, optimizer, accelerator, samples, data)
            if stopping:
                raise KeyboardInterrupt
            showing = not last and crossed(t.validation_samples, before, samples)
            if showing and (average := ema.gather()):
                publish(root, average.model, validation, samples, config)
    average = ema.gather()
    if average and not validation_file(root, samples).exists():
        publish(root, average.model, validation, samples, config)
    accelerator.wait_for_everyone()
    for tracker in accelerator.trackers:
        tracker.finish()
    return root / "model"


def read_split(data: RetrievalDataConfig, split: str | None) -> Benchmark:
    """The queries of a split (None: of the reader's own choice), with their pictures.

    Raises:
        InputError: what the benchmark's reader raises, hidden targets, missing pictures.
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


def read_init(config: RetrievalConfig) -> RetrievalModel | None:
    """What the config begins with.

    Raises:
        InputError: no model is there, or one with other towers, size, history or composer than the config's.
    """
    if config.init is None:
        return None
    known = RetrievalModel.from_pretrained(config.init)
    for key, wanted, found in (
        ("encoder.model", to_plain(config.encoder.model), known.settings["towers"]["model"]),
        ("data.image_size", config.data.image_size, known.image_size),
        ("encoder.history", config.encoder.history, known.history),
        ("encoder.speaker", config.encoder.speaker, known.speaker),
    ):
        if wanted != found:
            raise InputError(f"{key} is {wanted!r}, but that of init, {config.init}, is {found!r}")
    wanted = to_plain(composer_options(config, known.towers))
    own = known.options
    parts = wanted.keys()
    if known.composer_name != config.composer:  # of a composer inside another, too, the fusion is taken
        wanted, own = (options.get("options", options) for options in (wanted, own))
        parts = wanted.keys() & own.keys() & {"fusion"}
    for part in parts:
        if wanted[part] != own[part]:
            found = own[part]
            raise InputError(f"{part} is {wanted[part]!r}, but that of init, {config.init}, is {found!r}")
    return known


def begin(
    config: RetrievalConfig, known: RetrievalModel | None, texts: Sequence[str], accelerator: Accelerator
) -> RetrievalModel:
    """The model as it is before the first step; a tokenizer is learnt from `texts` where none is known."""
    if known is None:
        towers = CLIPTowers.from_settings(config.encoder)
        tokenizer = run_tokenizer(Path(config.output_dir), config.encoder, towers, texts, accelerator)
    else:
        towers, tokenizer = known.towers, known.tokenizer
    options, size = composer_options(config, towers), config.data.image_size
    reads = {"history": config.encoder.history, "speaker": config.encoder.speaker}
    model = RetrievalModel(towers, tokenizer, config.composer, options, size, **reads)
    if known is not None:
        if known.composer_name == config.composer:
            model.composer.load_state_dict(known.composer.state_dict())
        else:
            own, its = (getattr(part.composer, "composer", part.composer) for part in (model, known))
            if hasattr(own, "fusion") and hasattr(its, "fusion"):
                own.fusion.load_state_dict(its.fusion.state_dict())
        towers.requires_grad_(True)
        towers.clip.logit_scale.requires_grad_(False)  # of CLIP's own loss, which is not ours
        towers.freeze_all_but(config.encoder.trainable_blocks)
    return model


def composer_options(config: RetrievalConfig, towers: CLIPTowers) -> dict[str, Any]:
    """The keywords of the config's composer."""
    fusion = {
        "image_width": towers.image_width,
        "text_width": towers.text_width,
        "embed_dim": towers.embed_dim,
        **vars(config.fusion),
    }
    matcher = {"image_size": config.data.image_size, "query_width": config.fusion.width}
    options = {
        "combiner": {"dim": towers.embed_dim, **vars(config.combiner)},
        "fusion": {"fusion": fusion, "tokens": towers.image_tokens},
        "matching": {"fusion": fusion, "matcher": {**matcher, **vars(config.matcher)}},
        "tirg": {"dim": towers.embed_dim},
    }
    inner, dim = config.over_places, towers.embed_dim
    shape = {"token_width": towers.image_width, "tokens": towers.image_tokens, "dim": dim}
    options["over-places"] = {"composer": inner, "options": options.get(inner, {}), **shape}
    inner = config.multi_vector
    dim = config.fusion.width if inner in ("fusion", "matching") else dim
    shape = {"token_width": towers.image_width, "dim": dim}
    options["multi-vector"] = {"composer": inner, "options": options.get(inner, {}), **shape}
    return options.get(config.composer, {})


@dataclass(frozen=True)
class Batch:
    """B samples: their pictures, or what frozen towers saw of them. With captions there are B + 1 references,
    the last one blank, and 2 B texts: first those of the queries, then the captions."""

    reference: ImageFeatures
    target: ImageFeatures
    text: TextFeatures | list[str]
    captioned: Bool[Tensor, " B"] | None = None
    """Which samples have a caption; None: captions are not asked for."""


class Objective(nn.Module):
    """InfoNCE of queries and targets over all processes' batch."""

    def __init__(self, model: RetrievalModel, config: ObjectiveConfig):
        super().__init__()
        self.model, self.config = model, config

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """`loss` (), and `found` (B,), whether each query's own target scores best in this process's
        batch."""
        composer, n = self.model.composer, len(batch.target)
        text = self.model.read(batch.text) if isinstance(batch.text, list) else batch.text
        reference, gallery = batch.reference, [batch.target]
        if self.config.reference_negatives:
            gallery.append(batch.reference[:n])
        if batch.reference.pooled is None:
            if composer.embeds_pixels:
                reference = self.model.see(batch.reference.pixels)
                pictures = ImageFeatures(pixels=torch.cat([some.pixels for some in gallery]))
            else:  # each picture goes through the tower once
                seen = self.model.see(torch.cat([batch.target.pixels, batch.reference.pixels]))
                reference = seen[n:]
                pictures = seen[: n * len(gallery)]
        else:
            pictures = joined(gallery)
        if batch.captioned is not None:
            reference = reference[[*range(n), *[n] * n]]  # the blank one beside every caption
        composed = composer.compose(reference, text).float()
        vectors = composer.embed(pictures).float()
        queries, captions = composed[:n], composed[n:]
        hard, there = [], []
        if self.config.reference_negatives:
            hard.append(vectors[n:])
            there.append(torch.ones(n, dtype=torch.bool, device=vectors.device))
        if batch.captioned is not None:
            if vectors.ndim > captions.ndim:  # a picture all of whose vectors are the caption's
                captions = captions[:, None].expand_as(vectors[:n])
            hard.append(captions)
            there.append(batch.captioned)
        loss = info_nce(
            queries,
            vectors[:n],
            composer.logit_scale,
            hard_images=torch.stack(hard) if hard else None,
            hard_images_valid=torch.stack(there) if there else None,
            score=composer.score,
        )
        with torch.no_grad():
            best = composer.score(queries, vectors[:n]).argmax(dim=1)
            found = best == torch.arange(n, device=best.device)
        return {"loss": loss, "found": found.float()}


def joined(parts: Sequence[ImageFeatures]) -> ImageFeatures:
    """Several batches of pictures as one."""
    columns = zip(*(vars(part).values() for part in parts), strict=True)
    return ImageFeatures(*(None if some[0] is None else torch.cat(some) for some in columns))


@dataclass(frozen=True)
class Samples:
    """What training sees: (reference, text, target) of every query."""

    benchmark: Benchmark
    config: RetrievalConfig
    pictures: PictureCache
    model: RetrievalModel
    features: FrozenFeatures | None

    @classmethod
    def make(cls, benchmark: Benchmark, config: RetrievalConfig, model: RetrievalModel) -> Samples:
        """Decodes the pictures and, of frozen towers, computes the features that are not cached yet."""
        data = config.data
        benchmark = replace(benchmark, queries=benchmark.queries[: data.limit])
        wanted = {
            benchmark.pictures[id].key: benchmark.pictures[id]
            for query in benchmark.queries
            for id in (query.reference, *query.targets[:1])
        }
        folder = Path(data.cache_dir) if data.cache_dir else None
        pictures = PictureCache.open_or_build(folder, wanted.values(), data.image_size)
        features = None
        if config.encoder.trainable_blocks == 0:
            texts = [model.text(text, q.history) for q in benchmark.queries for text in q.texts]
            if config.objective.caption_negatives:
                texts += [model.caption(q.caption) for q in benchmark.queries if q.caption]
            features = FrozenFeatures(folder, model, pictures, wanted, texts)
        return cls(benchmark, config, pictures, model, features)

    def __len__(self) -> int:
        return len(self.benchmark.queries)

    def sample(self, index: int, draw: int) -> tuple[str, str, str, str]:
        """The reference's key, or `BLANK`, the text, the target's key and the caption of a query, empty where
        it has none or the reference that it describes is left out. `draw`, 0 to 2^31 - 1, chooses the
        wording, and whether the reference or the text is left out."""
        query, o = self.benchmark.queries[index], self.config.objective
        text = query.texts[draw % len(query.texts)]
        text = self.model.text(text, query.history)
        share = draw / 2**31
        no_text = share < o.drop_text
        no_reference = not no_text and share < o.drop_text + o.drop_reference
        key = {id: self.benchmark.pictures[id].key for id in (query.reference, query.targets[0])}
        reference = BLANK if no_reference else key[query.reference]
        caption = "" if no_reference else self.model.caption(query.caption or "")
        return reference, "" if no_text else text, key[query.targets[0]], caption

    def batch(self, items: Sequence[tuple[int, int]]) -> Batch:
        """The samples of some (index, draw)."""
        columns = zip(*map(self._sample, items), strict=True)
        references, texts, targets, captions = (list(column) for column in columns)
        captioned = None
        if self.config.objective.caption_negatives:
            references, texts = [*references, BLANK], texts + captions
            captioned = torch.tensor([caption != "" for caption in captions], device=self.model.device)
        if self.features is None:
            reference, target = (
                ImageFeatures(pixels=picture_pixels(self.pictures, keys).to(self.model.device))
                for keys in (references, targets)
            )
            return Batch(reference, target, texts, captioned)
        reference, target = self.features.images(references), self.features.images(targets)
        if self.model.composer.embeds_pixels:
            reference = replace(reference, pixels=self.features.pixels(references))
            target = replace(target, pixels=self.features.pixels(targets))
        return Batch(reference, target, self.features.texts(texts), captioned)

    def _sample(self, item: tuple[int, int]) -> tuple[str, str, str, str]:
        return self.sample(*item)


def step_seed(seed: int, samples: int, rank: int) -> int:
    """Seeds that have nothing to do with each other."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{samples}/{rank}".encode()).digest()[:7], "big")


def publish(
    root: Path, model: RetrievalModel, validation: Benchmark, samples: int, config: RetrievalConfig
) -> None:
    """Writes the model's folder with `training.json`, how it came about, and its figures on the validation
    split into `validation/<samples>.json`."""
    model.save_pretrained(root / "model")
    with replacing(root / "model" / "training.json") as path:
        path.write_text(json.dumps(training_facts(root, samples, config), indent=1) + "\n")
    frozen = config.encoder.trainable_blocks == 0
    rows = measure(model, validation, cache_dir=config.data.cache_dir, frozen=frozen)["rows"]
    with replacing(validation_file(root, samples)) as path:
        path.write_text(json.dumps(rows, indent=1) + "\n")
    figures = {name: value for name, value in rows["composed"].items() if name.startswith("R@")}
    tqdm.write(f"{samples} queries: " + ", ".join(f"{name} {value:.2f}" for name, value in figures.items()))


def validation_file(root: Path, samples: int) -> Path:
    """Where it is, all of `publish` is."""
    return root / "validation" / f"{samples:09d}.json"


def training_facts(root: Path, samples: int, config: RetrievalConfig) -> Mapping[str, Any]:
    """The config without this machine's folders, the samples seen and the minutes that they took."""
    minutes = seconds_logged(root / "log.jsonl") / 60
    return {"config": without_places(config), "samples": samples, "minutes": round(minutes, 2)}
