"""Training: one loop, from the config to a pipeline folder; the same command resumes it exactly."""

from __future__ import annotations

import dataclasses
import os
import shutil
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from diffusers import SchedulerMixin
from PIL import Image
from torch import Tensor, nn
from torch.distributed.tensor import DTensor
from torch.utils.data import DataLoader
from tqdm import tqdm
from transformers import PreTrainedTokenizerBase

from cdd_icm.config import (
    AnnotatedPlan,
    Config,
    DataConfig,
    SamplingConfig,
    check_data_path,
    to_dict,
    to_plain,
)
from cdd_icm.data import (
    Dialog,
    PictureCache,
    ResumableSampler,
    ShardTriplets,
    TripletDataset,
    load_dialogs,
    pictures_of,
    to_square,
)
from cdd_icm.data.batch import Batch, Collator
from cdd_icm.data.readers.shards import first_dialogs
from cdd_icm.diffusion.noise import Draws
from cdd_icm.diffusion.samplers import scheduler_like, set_steps
from cdd_icm.diffusion.schedule import training_scheduler
from cdd_icm.errors import InputError
from cdd_icm.io import load_tensors, replacing
from cdd_icm.model.cddicm import CDDICM
from cdd_icm.plan.annotated.templates import begin_templates
from cdd_icm.sampling.dialogs import draw_dialogs, draw_sheet
from cdd_icm.sampling.folder import check_folder
from cdd_icm.sampling.pipeline import CDDICMPipeline
from cdd_icm.train.checkpoint import checkpoints, restore, save
from cdd_icm.train.log import DenoisingLog
from cdd_icm.train.optim import MAX_GRAD_NORM
from cdd_icm.train.run import digest, kept, run_tokenizer, start
from cdd_icm.train.schedule import crossed, learning_rate_at
from cdd_icm.train.signals import StopSignal
from cdd_icm.train.state import prepare, update_ema

FIRST_LOOK = 500
"""Dialogs of a stream that are read before the training begins."""

VALIDATION_DIALOGS = 4
"""Dialogs that a sheet of film strips shows."""

FREE = {
    "": {"output_dir", "sampling_presets"},
    "data": {"path", "validation_split", "cache_dir", "num_workers"},
    "training": {
        *("total_samples", "checkpoint_samples", "log_samples"),
        *("validation_samples", "tracker"),
    },
    "sampling": {field.name for field in dataclasses.fields(SamplingConfig)},
}
"""Keys that may change when a run goes on, by section; of streamed data not the number of workers, who take
turns at a stream."""


def train(config: Config) -> Path:
    """Trains `config` to the end, or goes on from its last checkpoint.

    Returns:
        The pipeline folder, `output_dir/pipeline`.

    Raises:
        InputError: bad data, a config that differs from the one the run began with, a damaged checkpoint.
        FloatingPointError: the loss or its gradient is not finite; the last checkpoint is kept.
        KeyboardInterrupt: after Ctrl-C or SIGTERM, once a checkpoint is written.
    """
    t, root = config.training, Path(config.output_dir)
    check_data_path(config.data)
    check_samplers(config)  # what can't draw shows now, not in an hour
    free = FREE | {"data": FREE["data"] - {"num_workers"}} if config.data.streams else FREE
    accelerator = start(root, config, free, t.gradient_accumulation)
    device, rank, world = accelerator.device, accelerator.process_index, accelerator.num_processes

    dialogs = training_dialogs(config.data)
    shown = validation_dialogs(config.data, dialogs)[:VALIDATION_DIALOGS]
    canvas = Image.fromarray(to_square(dialogs[0].canvas.decode(), config.data.image_size))
    torch.manual_seed(config.seed)
    classes, traits, forms = planned(config, dialogs)
    model = CDDICM(config, classes, traits, forms)
    begun = bool(checkpoints(root / "checkpoints"))  # what it began with is in them, and need not be there
    if config.init and not begun:
        begin_with(model, Path(config.init))
        if accelerator.is_main_process:
            adopt_tokenizer(Path(config.init), root)
    elif model.planner is not None and not begun:
        size, turns = config.data.image_size, config.plan.template_turns
        begin_templates(model.unet.plan_in, model.planner, dialogs, turns, size, config.seed, rank == 0)
    texts = [turn.instruction for dialog in dialogs for turn in dialog.turns]
    tokenizer = run_tokenizer(root, config.encoder, model.towers, texts, accelerator)
    shown_last = [dialog.turns[-1].objects or () for dialog in dialogs]
    scenes = [things for things in shown_last if len(things) > 1]
    relational = config.plan.relational if isinstance(config.plan, AnnotatedPlan) else None
    if relational and relational.synthetic_scenes and not scenes:
        raise InputError(
            f"{config.data.path}: no picture of two objects; set plan.relational.synthetic_scenes=0"
        )
    make = Collator(tokenizer, config, classes, traits, scenes)
    model, ema, optimizer = prepare(accelerator, model, t)
    data = digest(data_order(config.data, dialogs))
    samples = restore(root, model, ema, optimizer, accelerator, data)
    micro, batches = 0, iter(())
    log = DenoisingLog(root / "log.jsonl", samples, accelerator)
    bar = tqdm(total=t.total_samples, initial=samples, unit="images", smoothing=0.05, disable=rank > 0)
    model.train()
    with StopSignal() as stop, bar:
        while samples < t.total_samples:
            before, words = samples, samples < config.objective.text_warmup_samples
            learning_rate = learning_rate_at(samples, t, config.objective.text_warmup_samples)
            for group in optimizer.param_groups:
                group["lr"] = learning_rate
            size = config.objective.text_warmup_batch_size if words else None
            wanted = (size or t.batch_size) // t.gradient_accumulation
            if wanted != micro:
                micro, batches = wanted, training_batches(config, dialogs, make, wanted, samples, rank, world)
            seen = []
            for _ in range(t.gradient_accumulation):
                batch = next(batches).on(device)
                draws = Draws.make(config, samples + rank * micro, micro, device)
                with accelerator.accumulate(model):
                    out = model(batch, draws, words)
                    accelerator.backward(out["loss"])
                seen.append((samples, batch.turns, out))
                log.add(out)
                samples += micro * world
                bar.update(micro * world)
            norm = clip_gradients(accelerator, model, MAX_GRAD_NORM)
            check_finite(accelerator, seen, norm, root)
            optimizer.step()
            optimizer.zero_grad()

            last, stopping = samples >= t.total_samples, stop.requested(accelerator)
            if last or crossed(t.ema_samples, before, samples):
                step = max(t.ema_samples, samples - before)
                update_ema(ema.shards, accelerator.unwrap_model(model), samples, step)
            if before == 0 and (average := ema.gather()):  # that there is no room to draw in shows now
                firsts = [dataclasses.replace(dialog, turns=dialog.turns[:1]) for dialog in shown]
                draw_dialogs(build_pipeline(average, tokenizer, config), firsts, progress=False)
            if last or crossed(t.log_samples, before, samples):
                line = log.write(samples, learning_rate=learning_rate, grad_norm=float(norm))
                bar.set_postfix({name: f"{line[name]:.4f}" for name in ("loss", "changed_error")})
            if last or stopping or crossed(t.checkpoint_samples, before, samples):
                save(root, model, ema, optimizer, accelerator, samples, data)
            if stopping:
                raise KeyboardInterrupt
            showing = not last and crossed(t.validation_samples, before, samples)
            if showing and (average := ema.gather()):
                publish(root, build_pipeline(average, tokenizer, config, canvas), shown, samples, config)
    if average := ema.gather():  # also where the run was killed between its last step and this line
        publish(root, build_pipeline(average, tokenizer, config, canvas), shown, samples, config)
    accelerator.wait_for_everyone()
    accelerator.end_training()
    return root / "pipeline"


def training_dialogs(data: DataConfig) -> list[Dialog]:
    """The dialogs that are trained on, or the first of them where they are streamed.

    Raises:
        InputError: a stream without any.
    """
    if data.streams:
        found = first_dialogs(training_shards(data), FIRST_LOOK)
        if not found:
            raise InputError(f"{training_shards(data)}: no dialogs")
        return found
    return load_dialogs(data.path, data.train_split)[: data.limit]


def data_order(data: DataConfig, dialogs: list[Dialog]) -> list[Any]:
    """What the order of the samples hangs on: ids and numbers of turns; of a stream those of its first
    dialogs, and how many shards it has."""
    shards = len(ShardTriplets(training_shards(data), data.image_size, 1, 0).shards) if data.streams else 0
    return [shards, *((dialog.id, len(dialog.turns)) for dialog in dialogs)]


def clip_gradients(accelerator: Accelerator, model: nn.Module, bound: float) -> Tensor:
    """Bounds the gradient norm of each part of the model by itself, and returns the norm of the whole before.
    A common bound would let the UNet's noise decide how far the words are learnt in a step."""
    accelerator.unscale_gradients()
    whole = accelerator.unwrap_model(model, keep_torch_compile=False)
    parts = [list(part.parameters()) for part in whole.children()]
    trained = [part for part in parts if any(p.grad is not None for p in part)]
    norms = [nn.utils.clip_grad_norm_(part, bound) for part in trained]
    norms = [norm.full_tensor() if isinstance(norm, DTensor) else norm for norm in norms]  # of FSDP's shards
    return torch.stack(norms).norm()


def begin_with(model: CDDICM, init: Path) -> None:
    """Loads those weights of a pipeline folder or a safetensors file that have the name and shape of one of
    the model's.

    Raises:
        InputError: it is neither, or none of its weights fits.
    """
    if init.is_dir():
        check_folder(init)
        found = {
            f"{part}.{name}": value.float()
            for part, _ in model.named_children()
            for file in sorted((init / part).glob("*.safetensors"))  # a large part has several
            for name, value in load_tensors(file).items()
        }
    elif init.is_file():
        found = load_tensors(init)
    else:
        raise InputError(f"init: {init}: no such file or folder")
    own = model.state_dict()
    fitting = {name: value for name, value in found.items() if name in own and own[name].shape == value.shape}
    if not fitting:
        raise InputError(f"init: {init}: none of its weights fits the model")
    model.load_state_dict(fitting, strict=False)
    tqdm.write(f"{init}: {len(fitting)} of the model's {len(own)} tensors")


def adopt_tokenizer(init: Path, root: Path) -> None:
    """The tokenizer of a pipeline folder becomes the run's in `root`: its text tower knows no other."""
    if (init / "tokenizer").is_dir() and not (root / "tokenizer").is_dir():
        with replacing(root / "tokenizer") as unfinished:
            shutil.copytree(init / "tokenizer", unfinished)


def planned(
    config: Config, dialogs: list[Dialog]
) -> tuple[tuple[str, ...], dict[str, tuple[str, ...]], dict[str, tuple[str, ...]]]:
    """The object classes of the training data and the values of each trait of their looks, in alphabetical
    order; none where nothing is planned.

    Raises:
        InputError: the data has no annotated objects; a mirror or a teller would meet a `flip` other than "0"
            and "1"; one of `plan.template_attributes` is no trait of the looks.
    """
    things = [thing for dialog in dialogs for turn in dialog.turns for thing in turn.objects or ()]
    plan = config.plan if isinstance(config.plan, AnnotatedPlan) else None
    if plan and not things:
        raise InputError(f"{config.data.path}: no annotated objects; set plan.kind=none to train without")
    values: dict[str, set[str]] = defaultdict(set)
    for thing in things:
        for trait, value in thing.look.items():
            values[trait].add(value)
    traits = {trait: tuple(sorted(values[trait])) for trait in sorted(values)}
    turned = config.objective.mirror or (plan and plan.recaption)
    if turned and not values["flip"] <= {"0", "1"}:
        raise InputError(
            f"{config.data.path}: look: flip: {', '.join(traits['flip'])}: expected 0 and 1, "
            "or objective.mirror=[] and plan.recaption=0"
        )
    if plan is None:
        return (), {}, {}
    for trait in plan.template_attributes:
        if trait not in traits:
            known = ", ".join(traits) or "none"
            raise InputError(
                f"plan.template_attributes: {trait!r}: the looks of {config.data.path} have {known}"
            )
    forms: dict[str, set[str]] = defaultdict(set)
    for thing in things:
        forms[thing.name].update(trait for trait in plan.template_attributes if trait in thing.look)
    return tuple(sorted(forms)), traits, {name: tuple(sorted(form)) for name, form in forms.items()}


def validation_dialogs(data: DataConfig, trained: list[Dialog]) -> list[Dialog]:
    """The validation split. Data without it, and streams that are no local folder, are looked at on what is
    `trained` on."""
    if data.streams:
        shards = sorted(str(shard) for shard in Path(data.path).glob(f"{data.validation_split}-*.tar"))
        found = first_dialogs(shards, FIRST_LOOK)
    else:
        faults: list[InputError] = []
        found = load_dialogs(data.path, data.validation_split, on_fault=faults.append)
        if faults:
            raise faults[0]
    if not found:
        tqdm.write(f"{data.path}: no split {data.validation_split!r}; the film strips show training dialogs")
    return found or trained


def training_shards(data: DataConfig) -> str:
    """The pattern of the shards that are streamed."""
    return f"{data.path}/{data.train_split}-*.tar" if Path(data.path).is_dir() else data.path


def training_batches(
    config: Config,
    dialogs: list[Dialog],
    make: Collator,
    micro: int,
    samples: int,
    rank: int,
    world: int,
) -> Iterator[Batch]:
    """This process's micro-batches, endless, from sample `samples` on."""
    data = config.data
    order = {
        "batch_size": micro * world,
        "seed": config.seed,
        "start_sample": samples,
        "rank": rank,
        "world": world,
    }
    if data.streams:
        dataset = ShardTriplets(training_shards(data), data.image_size, **order)
        batching = {"batch_size": micro}
    else:
        folder = Path(data.cache_dir) if data.cache_dir else None
        cache = PictureCache.open_or_build(folder, pictures_of(dialogs), data.image_size)
        join = config.plan.join if isinstance(config.plan, AnnotatedPlan) else 0.0
        dataset = TripletDataset(dialogs, cache, join)
        batching = {"batch_sampler": ResumableSampler(len(dataset), **order)}
    return iter(
        DataLoader(
            dataset,
            collate_fn=make,
            num_workers=data.num_workers,
            worker_init_fn=begin_loader,
            pin_memory=torch.cuda.is_available(),
            **batching,
        )
    )


def begin_loader(_worker: int) -> None:
    """A loader process is one of many: it takes one core. Ctrl-C, and what else stops a whole group of
    processes, is the trainer's to answer: a loader that dies of it would take the last steps along."""
    if sys.platform != "win32":
        os.setpgrp()
    torch.set_num_threads(1)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"


def check_finite(
    accelerator: Accelerator,
    seen: list[tuple[int, list[tuple[str, int]], dict[str, Tensor]]],
    norm: Tensor,
    root: Path,
) -> None:
    """Raises FloatingPointError, in all processes or some would wait for ever, where a loss of any is not
    finite, naming the turns that made it so, or where the gradient's `norm` is not. `seen`: of each
    micro-batch of a step the sample at which it begins, its turns and what the model returned. One look at
    the whole step: at each look a GPU loses its lead over the CPU."""
    losses = accelerator.reduce(torch.stack([out["loss"].detach() for *_, out in seen]))
    scaled = accelerator.scaler is not None  # of fp16, and skips a step whose gradient is not finite
    if (losses.sum() if scaled else losses.sum() + norm).isfinite():
        return
    for (samples, turns, out), loss in zip(seen, losses, strict=True):
        if loss.isfinite():
            continue
        denoised = turns[:: len(turns) // len(out["changed_error"])]
        guilty = [
            turn for turn, error in zip(denoised, out["changed_error"], strict=True) if not error.isfinite()
        ]
        turns = gather_object(guilty) or gather_object(turns)
        named = ", ".join(f"{dialog} turn {turn}" for dialog, turn in turns)
        raise FloatingPointError(f"the loss is {loss.item()} at sample {samples} ({named}); {kept(root)}")
    raise FloatingPointError(f"the gradient is {norm.item()} at sample {seen[0][0]}; {kept(root)}")


def sampler(config: Config) -> SchedulerMixin:
    """The scheduler that the config names, on the noise levels of the training."""
    return scheduler_like(training_scheduler(), config.sampling.scheduler)


def check_samplers(config: Config) -> None:
    """Raises InputError where a sampler, the config's own or that of a preset, can't take the noise levels or
    its number of steps."""
    presets = {f"sampling_presets.{name}": preset for name, preset in config.sampling_presets.items()}
    for name, preset in {"sampling": {}, **presets}.items():
        settings = {**vars(config.sampling), **preset}
        try:
            scheduler = scheduler_like(training_scheduler(), settings["scheduler"])
            set_steps(scheduler, settings["num_inference_steps"])
        except InputError as error:
            raise InputError(f"{name}.{error}") from None


def build_pipeline(
    model: CDDICM, tokenizer: PreTrainedTokenizerBase, config: Config, canvas: Image.Image | None = None
) -> CDDICMPipeline:
    """The pipeline around the live modules of `model`; `canvas` is what its dialogs begin with."""
    sampling = to_dict(config.sampling)
    del sampling["scheduler"]
    return CDDICMPipeline(
        towers=model.towers,
        fusion=model.fusion,
        unet=model.unet,
        planner=model.planner,
        matcher=model.matcher,
        tokenizer=tokenizer,
        scheduler=sampler(config),
        history=config.encoder.history,
        speaker=config.encoder.speaker,
        prediction_type=config.diffusion.prediction_type,
        sampling=sampling,
        sampling_presets=to_plain(config.sampling_presets),
        objective={name: getattr(config.objective, name) for name in ("condition_dropout", "icm_weight")},
        canvas=canvas,
    )


def publish(
    root: Path, pipeline: CDDICMPipeline, dialogs: list[Dialog], samples: int, config: Config
) -> None:
    """Writes the pipeline's folder, whole and in place of an earlier one, and a sheet of what it draws."""
    with replacing(root / "pipeline") as folder:
        pipeline.save_pretrained(folder, safe_serialization=True)
    sheet = draw_sheet(pipeline, dialogs, config.seed)
    with replacing(root / "validation" / f"{samples:09d}.png") as file:
        sheet.save(file)
