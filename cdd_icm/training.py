"""Training: one loop, from the config to a pipeline folder; the same command resumes it exactly."""

from __future__ import annotations

import copy
import importlib.util
import math
import shutil
from collections.abc import Iterator
from pathlib import Path

import torch
import yaml
from accelerate import Accelerator, DistributedDataParallelKwargs
from diffusers import SchedulerMixin
from PIL import Image
from torch import Tensor, nn
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_optimizer_state_dict,
    set_model_state_dict,
    set_optimizer_state_dict,
)
from torch.optim.swa_utils import get_ema_multi_avg_fn
from torch.utils.data import DataLoader
from tqdm import tqdm
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from cdd_icm.batch import Draws, make_batch
from cdd_icm.checkpoint import checkpoints, load_tensors, save_checkpoint
from cdd_icm.config import Config, DataConfig, differing_keys, load_config, to_dict, to_plain
from cdd_icm.data import (
    Dialog,
    PictureCache,
    ResumableSampler,
    ShardTriplets,
    TripletDataset,
    collate,
    load_dialogs,
    pictures_of,
    to_square,
)
from cdd_icm.data.shards import first_dialogs
from cdd_icm.diffusion import scheduler_like, training_scheduler
from cdd_icm.disk import read_json
from cdd_icm.encoders import clip_tokenizer, learn_tokenizer
from cdd_icm.errors import InputError
from cdd_icm.generation import draw_sheet
from cdd_icm.loading import process_state
from cdd_icm.log import Log
from cdd_icm.model import CDDICM
from cdd_icm.pipeline import CDDICMPipeline
from cdd_icm.process import StopSignal, keep_memory

WHOLE = StateDictOptions(full_state_dict=True, cpu_offload=True)

FIRST_LOOK = 500
"""Dialogs of a stream that are read before the training begins."""

FREE = {
    "data": {"path", "validation_split", "cache_dir", "num_workers"},
    "training": {
        *("total_samples", "checkpoint_samples", "keep_checkpoints", "log_samples"),
        *("validation_samples", "validation_dialogs", "tracker"),
    },
}
"""Keys that may change when a run goes on, beside `output_dir` and all of `sampling` and its presets."""


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
    sampler(config)  # a wrong name shows now, not in an hour
    accelerator = start(root, config)
    device, rank, world = accelerator.device, accelerator.process_index, accelerator.num_processes

    dialogs = training_dialogs(config.data)
    shown = validation_dialogs(config.data, dialogs)[: t.validation_dialogs]
    canvas = Image.fromarray(to_square(dialogs[0].canvas.decode(), config.data.image_size))
    torch.manual_seed(config.seed)
    classes = planned_classes(config, dialogs)
    model = CDDICM(config, classes)
    if t.init_from:
        begin_with(model, t.init_from)
    tokenizer = run_tokenizer(root, config, model.towers.context_length, dialogs, accelerator)
    ema = copy.deepcopy(model).requires_grad_(False).eval().to(device)
    optimizer = torch.optim.AdamW(
        [p for p in model.parameters() if p.requires_grad],
        lr=t.learning_rate,
        betas=(0.9, 0.99),
        weight_decay=t.weight_decay,
        fused=True,
    )
    model, optimizer = accelerator.prepare(model, optimizer)
    samples = restore(root, model, ema, optimizer)
    micro = t.batch_size // t.gradient_accumulation
    batches = training_batches(config, dialogs, micro, samples, rank, world)
    log = Log(root / "log.jsonl", samples, config.diffusion, accelerator)
    bar = tqdm(total=t.total_samples, initial=samples, unit="images", smoothing=0.05, disable=rank > 0)
    model.train()
    with StopSignal() as stop, bar:
        while samples < t.total_samples:
            before, learning_rate = samples, learning_rate_at(samples, config)
            for group in optimizer.param_groups:
                group["lr"] = learning_rate
            for _ in range(t.gradient_accumulation):
                raw = next(batches)
                batch = make_batch(raw, tokenizer, config, device, classes)
                draws = Draws.make(config, samples + rank * micro, micro, device)
                with accelerator.accumulate(model):
                    out = model(batch, draws)
                    check_finite(out, raw, samples, root)
                    accelerator.backward(out["loss"])
                log.add(out)
                samples += micro * world
                bar.update(micro * world)
            norm = accelerator.clip_grad_norm_(model.parameters(), t.max_grad_norm)
            if not norm.isfinite() and t.mixed_precision != "fp16":  # whose scaler skips such a step
                raise FloatingPointError(f"the gradient is {norm.item()} at sample {before}; {kept(root)}")
            optimizer.step()
            optimizer.zero_grad()
            update_ema(ema, accelerator.unwrap_model(model), samples, samples - before, config)

            last, stopping = samples >= t.total_samples, stop.requested(accelerator)
            if last or crossed(t.log_samples, before, samples):
                line = log.write(samples, learning_rate=learning_rate, grad_norm=float(norm))
                bar.set_postfix({name: f"{line[name]:.4f}" for name in ("loss", "changed_error")})
            if last or stopping or crossed(t.checkpoint_samples, before, samples):
                save(root, model, ema, optimizer, samples, config, accelerator)
            if stopping:
                raise KeyboardInterrupt
            if accelerator.is_main_process and not last and crossed(t.validation_samples, before, samples):
                publish(root, build_pipeline(ema, tokenizer, config, canvas), shown, samples, config)
    if accelerator.is_main_process:  # also where the run was killed between its last step and this line
        publish(root, build_pipeline(ema, tokenizer, config, canvas), shown, samples, config)
    accelerator.wait_for_everyone()
    accelerator.end_training()
    return root / "pipeline"


def start(root: Path, config: Config) -> Accelerator:
    """The engine, once the run's folder holds this config: a run that is there must have begun with the
    same one.

    Raises:
        InputError: it began with another, the tracker is not installed, or the machine has no such precision.
    """
    tracker = config.training.tracker
    if tracker != "none" and importlib.util.find_spec(tracker) is None:
        raise InputError(f"training.tracker: {tracker} is not installed")
    on_cpu = process_state().device.type == "cpu"
    if on_cpu and config.training.mixed_precision == "fp16":
        raise InputError("training.mixed_precision is 'fp16', which needs a GPU; bf16 works everywhere")
    accelerator = Accelerator(
        cpu=on_cpu,
        mixed_precision=config.training.mixed_precision,
        gradient_accumulation_steps=config.training.gradient_accumulation,
        log_with=None if tracker == "none" else tracker,
        project_dir=root,
        # what a switch of the config leaves out of the loss has no gradient
        kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)],
    )
    keep_memory()
    path = root / "config.yaml"
    if path.exists():
        for key in differing_keys(config, load_config(path)):
            section, _, name = key.partition(".")
            free = section in ("output_dir", "sampling", "sampling_presets") or name in FREE.get(section, ())
            if not free or (name == "num_workers" and config.data.streams):  # workers take turns at a stream
                raise InputError(
                    f"{path}: the run there began with another {key}; give a new output_dir, or that"
                )
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        root.mkdir(parents=True, exist_ok=True)
        unfinished = root / ".config.unfinished"
        unfinished.write_text(yaml.safe_dump(to_dict(config), sort_keys=False))
        unfinished.replace(path)
    if tracker != "none":
        accelerator.init_trackers(root.name)
    return accelerator


def training_dialogs(data: DataConfig) -> list[Dialog]:
    """The dialogs that are trained on, or the first of them where they are streamed."""
    if data.streams:
        return first_dialogs(training_shards(data), FIRST_LOOK)
    return load_dialogs(data.path, data.train_split)[: data.limit]


def begin_with(model: nn.Module, file: str) -> None:
    """Loads the weights of `file` that have the name and shape of one of the model's.

    Raises:
        InputError: it is no safetensors file, or none of its weights fits.
    """
    if not Path(file).is_file():
        raise InputError(f"training.init_from: {file}: no such file")
    own = model.state_dict()
    fitting = {k: v for k, v in load_tensors(Path(file)).items() if k in own and own[k].shape == v.shape}
    if not fitting:
        raise InputError(f"training.init_from: {file}: none of its weights fits the model")
    model.load_state_dict(fitting, strict=False)
    tqdm.write(f"{file}: {len(fitting)} of the model's {len(own)} tensors")


def planned_classes(config: Config, dialogs: list[Dialog]) -> tuple[str, ...]:
    """The object classes of the training data, in alphabetical order; none where nothing is planned.

    Raises:
        InputError: the data has no annotated objects.
    """
    if not config.plan.grid:
        return ()
    classes = {thing.name for dialog in dialogs for turn in dialog.turns for thing in turn.objects or ()}
    if not classes:
        raise InputError(f"{config.data.path}: no annotated objects; set plan.grid=0 to train without a plan")
    return tuple(sorted(classes))


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


def run_tokenizer(
    root: Path, config: Config, context_length: int, dialogs: list[Dialog], accelerator: Accelerator
) -> PreTrainedTokenizerBase:
    """CLIP's tokenizer, or one learnt from the training text; kept in the run's folder so that a run that
    goes on has the same."""
    folder = root / "tokenizer"
    if accelerator.is_main_process and not folder.is_dir():
        if config.encoder.vocab_size is None:
            tokenizer = clip_tokenizer(context_length)
        else:
            texts = [turn.instruction for dialog in dialogs for turn in dialog.turns]
            tokenizer = learn_tokenizer(texts, config.encoder.vocab_size, context_length)
        unfinished = root / ".tokenizer.unfinished"
        tokenizer.save_pretrained(unfinished)
        unfinished.rename(folder)
    accelerator.wait_for_everyone()
    return AutoTokenizer.from_pretrained(folder)


def training_batches(
    config: Config, dialogs: list[Dialog], micro: int, samples: int, rank: int, world: int
) -> Iterator[dict[str, Tensor | list]]:
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
        dataset = TripletDataset(
            dialogs, PictureCache.open_or_build(folder, pictures_of(dialogs), data.image_size)
        )
        batching = {"batch_sampler": ResumableSampler(len(dataset), **order)}
    return iter(
        DataLoader(
            dataset,
            collate_fn=collate,
            num_workers=data.num_workers,
            pin_memory=torch.cuda.is_available(),
            **batching,
        )
    )


def learning_rate_at(samples: int, config: Config) -> float:
    """Linear warm-up, then a cosine down to the minimum: a function of samples, whatever the number of
    processes."""
    t = config.training
    if samples < t.warmup_samples:
        return t.learning_rate * (samples + 1) / t.warmup_samples
    done = (samples - t.warmup_samples) / max(1, t.total_samples - t.warmup_samples)
    return (
        t.min_learning_rate
        + (t.learning_rate - t.min_learning_rate) * (1 + math.cos(math.pi * min(1, done))) / 2
    )


def update_ema(ema: nn.Module, model: nn.Module, samples: int, step: int, config: Config) -> None:
    """Exponential moving average whose half-life is a share of the samples seen (Karras et al. 2024,
    EDM2)."""
    decay = 0.5 ** (step / max(config.training.ema_half_life * samples, 1))
    average = get_ema_multi_avg_fn(decay)
    average(list(ema.parameters()), [p.detach() for p in model.parameters()], None)
    for mine, theirs in zip(ema.buffers(), model.buffers(), strict=True):
        mine.copy_(theirs)


def crossed(every: int, before: int, samples: int) -> bool:
    """Whether a multiple of `every` lies in (before, samples]."""
    return samples // every > before // every


def check_finite(out: dict[str, Tensor], raw: dict[str, Tensor | list], samples: int, root: Path) -> None:
    """Raises FloatingPointError where the loss is not finite, naming the turns that made it so."""
    if out["loss"].isfinite():
        return
    turns = list(zip(raw["dialog"], raw["turn"], strict=True))
    denoised = turns[:: len(turns) // len(out["changed_error"])]
    guilty = [
        turn for turn, error in zip(denoised, out["changed_error"], strict=True) if not error.isfinite()
    ]
    named = ", ".join(f"{dialog} turn {turn}" for dialog, turn in guilty or turns)
    raise FloatingPointError(f"the loss is {out['loss'].item()} at sample {samples} ({named}); {kept(root)}")


def kept(root: Path) -> str:
    return f"the checkpoints in {root / 'checkpoints'} are kept"


def sampler(config: Config) -> SchedulerMixin:
    """The scheduler that the config names, on the noise levels of the training."""
    return scheduler_like(training_scheduler(config.diffusion), config.sampling.scheduler)


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
        prediction_type=config.diffusion.prediction_type,
        sampling=sampling,
        sampling_presets=to_plain(config.sampling_presets),
        canvas=canvas,
    )


def publish(
    root: Path, pipeline: CDDICMPipeline, dialogs: list[Dialog], samples: int, config: Config
) -> None:
    """Writes the pipeline's folder, whole and in place of an earlier one, and a sheet of what it draws."""
    folder, unfinished = root / "pipeline", root / ".pipeline.unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    pipeline.save_pretrained(unfinished, safe_serialization=True)
    shutil.rmtree(folder, ignore_errors=True)
    unfinished.rename(folder)
    sheet = root / "validation" / f"{samples:09d}.png"
    sheet.parent.mkdir(exist_ok=True)
    draw_sheet(pipeline, dialogs, config.seed).save(sheet)


def save(root: Path, model, ema, optimizer, samples: int, config: Config, accelerator: Accelerator) -> None:
    """A checkpoint from which the run goes on exactly. All processes take part; the first one writes."""
    tensors = {name: get_model_state_dict(of, options=WHOLE) for name, of in (("model", model), ("ema", ema))}
    learnt = get_optimizer_state_dict(model, optimizer.optimizer, options=WHOLE)
    if accelerator.is_main_process:  # the others were given nothing
        moments = learnt["state"].items()
        tensors["optimizer"] = {f"{name}.{kind}": value for name, of in moments for kind, value in of.items()}
        state = {"samples": samples}
        save_checkpoint(root / "checkpoints", samples, tensors, state, config.training.keep_checkpoints)
    accelerator.wait_for_everyone()


def restore(root: Path, model, ema, optimizer) -> int:
    """Loads the newest checkpoint under `root`, if any, and returns the samples that it has seen.

    Raises:
        InputError: the checkpoint is damaged, or doesn't fit the model.
    """
    found = checkpoints(root / "checkpoints")
    if not found:
        return 0
    folder = found[-1]
    state = read_json(folder / "state.json")
    tensors = {name: load_tensors(folder / f"{name}.safetensors") for name in ("model", "ema", "optimizer")}
    try:
        set_model_state_dict(model, tensors["model"], options=WHOLE)
        set_model_state_dict(ema, tensors["ema"], options=WHOLE)
        # The groups' settings are the config's: only what the optimiser has learnt is read back.
        learnt = get_optimizer_state_dict(model, optimizer.optimizer)
        for name, of in learnt["state"].items():
            of.update({kind: tensors["optimizer"][f"{name}.{kind}"] for kind in of})
        set_optimizer_state_dict(model, optimizer.optimizer, learnt, options=WHOLE)
        for parameter, of in optimizer.state.items():
            for kind, value in of.items():
                if value.shape == parameter.shape:
                    # AdamW's fused kernel walks through memory: moments must lie there as their weights do
                    of[kind] = torch.empty_like(parameter).copy_(value)
        return state["samples"]
    except (RuntimeError, KeyError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{folder}: the checkpoint doesn't fit the model ({reason})") from None
