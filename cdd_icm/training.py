"""Training: one loop, from the config to a pipeline folder; the same command resumes it exactly."""

from __future__ import annotations

import copy
import ctypes
import json
import math
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import torch
import yaml
from accelerate import Accelerator
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
from cdd_icm.checkpoint import checkpoints, load_state, load_tensors, save_checkpoint
from cdd_icm.config import Config, to_dict
from cdd_icm.data import Dialog, PictureCache, ResumableSampler, TripletDataset, collate, load_dialogs, pictures_of, to_square
from cdd_icm.diffusion import scheduler_like, training_scheduler
from cdd_icm.encoders import clip_tokenizer, learn_tokenizer
from cdd_icm.errors import InputError
from cdd_icm.filmstrip import filmstrip, stack
from cdd_icm.generation import draw_dialogs
from cdd_icm.model import CDDICM
from cdd_icm.pipeline import CDDICMPipeline

WHOLE = StateDictOptions(full_state_dict=True, cpu_offload=True)


def train(config: Config) -> Path:
    """Trains `config` to the end, or goes on from its last checkpoint.

    Returns:
        The pipeline folder, `output_dir/pipeline`.

    Raises:
        InputError: bad data, a config that differs from the one the run began with, a damaged checkpoint.
        FloatingPointError: the loss is not finite; the last checkpoint is kept.
        KeyboardInterrupt: after Ctrl-C or SIGTERM, once a checkpoint is written.
    """
    t, root = config.training, Path(config.output_dir)
    accelerator = Accelerator(
        mixed_precision=t.mixed_precision,
        gradient_accumulation_steps=t.gradient_accumulation,
        log_with=None if t.tracker == "none" else t.tracker,
        project_dir=root,
    )
    keep_memory()
    _claim(root, config, accelerator)
    device, rank, world = accelerator.device, accelerator.process_index, accelerator.num_processes

    dialogs = load_dialogs(config.data.path, config.data.train_split)[: config.data.limit]
    canvas = Image.fromarray(to_square(dialogs[0].canvas.decode(), config.data.image_size))
    tokenizer = run_tokenizer(root, config, dialogs, accelerator)
    torch.manual_seed(config.seed)
    model = CDDICM(config)
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
    batches = training_batches(config, dialogs, micro * world, samples, rank, world)
    log = Log(root / "log.jsonl", samples, accelerator)
    stop = StopSignal()
    bar = tqdm(
        total=t.total_samples, initial=samples, unit="images", smoothing=0.05, disable=not accelerator.is_main_process
    )
    model.train()
    while samples < t.total_samples:
        learning_rate = learning_rate_at(samples, config)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate
        with accelerator.accumulate(model):
            batch = make_batch(next(batches), tokenizer, config, device)
            draws = Draws.make(config, samples, micro, rank, world, device)
            with accelerator.autocast():
                out = model(batch, draws)
            if not out["loss"].isfinite():
                raise FloatingPointError(
                    f"the loss is {out['loss'].item()} at sample {samples}; checkpoints of {root} are kept"
                )
            accelerator.backward(out["loss"])
            if accelerator.sync_gradients:
                norm = accelerator.clip_grad_norm_(model.parameters(), t.max_grad_norm)
            optimizer.step()
            optimizer.zero_grad()
        before, samples = samples, samples + micro * world
        if accelerator.sync_gradients:
            update_ema(ema, accelerator.unwrap_model(model), samples, micro * world * t.gradient_accumulation, config)
        log.add(out, draws.timestep / config.diffusion.num_train_timesteps)
        bar.update(micro * world)

        def due(every: int, before: int = before, samples: int = samples) -> bool:
            return samples // every > before // every or samples >= t.total_samples

        if due(t.log_samples):
            bar.set_postfix(log.write(samples, learning_rate=learning_rate, grad_norm=float(norm)))
        stopping = stop.requested(accelerator)
        if accelerator.sync_gradients and (due(t.checkpoint_samples) or stopping):
            save(root, model, ema, optimizer, samples, config, accelerator)
        if due(t.validation_samples) and accelerator.is_main_process:
            pipeline = build_pipeline(ema, tokenizer, config, canvas)
            validate(pipeline, config, root / "validation" / f"{samples:09d}.png")
            save_pipeline(pipeline, root / "pipeline")
        if stopping and accelerator.sync_gradients:
            raise KeyboardInterrupt
    bar.close()
    accelerator.wait_for_everyone()
    accelerator.end_training()
    return root / "pipeline"


def learning_rate_at(samples: int, config: Config) -> float:
    """Linear warm-up, then a cosine down to the minimum: a function of samples, whatever the number of processes."""
    t = config.training
    if samples < t.warmup_samples:
        return t.learning_rate * (samples + 1) / t.warmup_samples
    done = (samples - t.warmup_samples) / max(1, t.total_samples - t.warmup_samples)
    return t.min_learning_rate + (t.learning_rate - t.min_learning_rate) * (1 + math.cos(math.pi * min(1, done))) / 2


def update_ema(ema: nn.Module, model: nn.Module, samples: int, step: int, config: Config) -> None:
    """Exponential moving average whose half-life is a share of the samples seen (Karras et al. 2024, EDM2)."""
    decay = 0.5 ** (step / max(config.training.ema_half_life * samples, 1))
    average = get_ema_multi_avg_fn(decay)
    average(list(ema.parameters()), [p.detach() for p in model.parameters()], None)
    for mine, theirs in zip(ema.buffers(), model.buffers(), strict=True):
        mine.copy_(theirs)


def training_batches(
    config: Config, dialogs: list[Dialog], global_batch: int, samples: int, rank: int, world: int
) -> Iterator[dict[str, Tensor | list]]:
    """This process's micro-batches, endless, from sample `samples` on."""
    folder = Path(config.data.cache_dir) if config.data.cache_dir else None
    cache = PictureCache.open_or_build(folder, pictures_of(dialogs), config.data.image_size)
    dataset = TripletDataset(dialogs, cache)
    sampler = ResumableSampler(len(dataset), global_batch, config.seed, samples, rank, world)
    return iter(
        DataLoader(
            dataset,
            batch_sampler=sampler,
            collate_fn=collate,
            num_workers=config.data.num_workers,
            pin_memory=torch.cuda.is_available(),
        )
    )


def run_tokenizer(
    root: Path, config: Config, dialogs: list[Dialog], accelerator: Accelerator
) -> PreTrainedTokenizerBase:
    """CLIP's tokenizer, or one learnt from the training text; kept in the run's folder so that a resumed run has the
    same."""
    folder = root / "tokenizer"
    if accelerator.is_main_process and not folder.is_dir():
        clip = config.encoder.model
        length = clip["text_cfg"].get("context_length", 77) if isinstance(clip, dict) else 77
        if config.encoder.vocab_size is None:
            tokenizer = clip_tokenizer(length)
        else:
            texts = [turn.instruction for dialog in dialogs for turn in dialog.turns]
            tokenizer = learn_tokenizer(texts, config.encoder.vocab_size, length)
        unfinished = root / ".tokenizer.unfinished"
        tokenizer.save_pretrained(unfinished)
        unfinished.rename(folder)
    accelerator.wait_for_everyone()
    return AutoTokenizer.from_pretrained(folder)


def build_pipeline(
    model: CDDICM, tokenizer: PreTrainedTokenizerBase, config: Config, canvas: Image.Image | None = None
) -> CDDICMPipeline:
    """The pipeline around the live modules of `model`; `canvas` is what its dialogs begin with."""
    s = to_dict(config.sampling)
    name = s.pop("scheduler")
    return CDDICMPipeline(
        towers=model.towers,
        fusion=model.fusion,
        unet=model.unet,
        matcher=model.matcher,
        tokenizer=tokenizer,
        scheduler=scheduler_like(training_scheduler(config.diffusion), name),
        history=config.encoder.history,
        prediction_type=config.diffusion.prediction_type,
        sampling=s,
        canvas=canvas,
    )


def validate(pipeline: CDDICMPipeline, config: Config, path: Path) -> None:
    """Free-running film strips of validation dialogs, the truth above each."""
    try:
        dialogs = load_dialogs(config.data.path, config.data.validation_split)
    except InputError:  # data without that split are looked at on what they train on
        dialogs = load_dialogs(config.data.path, config.data.train_split)
    dialogs = dialogs[: config.training.validation_dialogs]
    drawn = draw_dialogs(pipeline, dialogs, seed=config.seed, progress=False)
    strips = []
    for dialog, pictures in zip(dialogs, drawn, strict=True):
        canvas = to_square(dialog.canvas.decode(), pipeline.image_size)
        texts = [turn.instruction for turn in dialog.turns]
        truth = [to_square(turn.picture.decode(), pipeline.image_size) for turn in dialog.turns]
        strips += [filmstrip([canvas, *truth], ["(canvas)", *texts])]
        strips += [filmstrip([canvas, *pictures], [""] * (1 + len(pictures)))]
    path.parent.mkdir(parents=True, exist_ok=True)
    stack(strips).save(path)


def save_pipeline(pipeline: CDDICMPipeline, folder: Path) -> None:
    """Writes the folder whole, in place of an earlier one."""
    unfinished = folder.with_name(f".{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    pipeline.save_pretrained(unfinished, safe_serialization=True)
    shutil.rmtree(folder, ignore_errors=True)
    unfinished.rename(folder)


def save(root: Path, model, ema, optimizer, samples: int, config: Config, accelerator: Accelerator) -> None:
    """A checkpoint from which the run goes on exactly. All processes take part; the first one writes."""
    moments = get_optimizer_state_dict(model, optimizer.optimizer, options=WHOLE)["state"]
    tensors = {
        "model": get_model_state_dict(model, options=WHOLE),
        "ema": get_model_state_dict(ema, options=WHOLE),
        "optimizer": {f"{name}.{kind}": value for name, of in moments.items() for kind, value in of.items()},
    }
    if accelerator.is_main_process:
        state = {"samples": samples}
        save_checkpoint(root / "checkpoints", samples, tensors, state, config.training.keep_checkpoints)
    accelerator.wait_for_everyone()


def restore(root: Path, model, ema, optimizer) -> int:
    """Loads the newest checkpoint under `root`, if any, and returns the samples that it has seen."""
    found = checkpoints(root / "checkpoints")
    if not found:
        return 0
    folder = found[-1]
    set_model_state_dict(model, load_tensors(folder / "model.safetensors"), options=WHOLE)
    set_model_state_dict(ema, load_tensors(folder / "ema.safetensors"), options=WHOLE)
    values = load_tensors(folder / "optimizer.safetensors")
    # The groups' settings are the config's: only what the optimiser has learnt is read back.
    state = get_optimizer_state_dict(model, optimizer.optimizer, options=WHOLE)
    for name, of in state["state"].items():
        of.update({kind: values[f"{name}.{kind}"] for kind in of})
    set_optimizer_state_dict(model, optimizer.optimizer, state, options=WHOLE)
    return load_state(folder)["samples"]


class Log:
    """`log.jsonl`: a line every so many samples, averaged over what came since the last; lines past the checkpoint
    that a run resumes from are dropped."""

    def __init__(self, path: Path, samples: int, accelerator: Accelerator):
        self.path, self.accelerator = path, accelerator
        self.start, self.samples = time.perf_counter(), samples
        self.parts: list[dict[str, Tensor]] = []
        if accelerator.is_main_process:
            lines = path.read_text().splitlines() if path.exists() else []
            kept = [line for line in lines if json.loads(line)["samples"] <= samples]
            path.write_text("".join(line + "\n" for line in kept))

    def add(self, out: dict[str, Tensor], level: Tensor) -> None:
        self.parts.append({**{name: value.detach() for name, value in out.items()}, "level": level})

    def write(self, samples: int, **more: float) -> dict[str, float]:
        gathered = {
            name: self.accelerator.gather(torch.cat([torch.atleast_1d(part[name]) for part in self.parts])).float()
            for name in self.parts[0]
        }
        level = gathered.pop("level")
        line = {"samples": samples, **{name: values.mean().item() for name, values in gathered.items()}, **more}
        for q in range(4):  # the loss by quartile of the noise level, the cleanest first
            chosen = gathered["changed_error"][(level * 4).long() == q]
            line[f"changed_error_q{q + 1}"] = chosen.mean().item() if len(chosen) else None
        now = time.perf_counter()
        line["images_per_second"] = (samples - self.samples) / (now - self.start)
        self.start, self.samples, self.parts = now, samples, []
        if self.accelerator.is_main_process:
            with open(self.path, "a") as file:
                file.write(json.dumps(line) + "\n")
        self.accelerator.log({k: v for k, v in line.items() if v is not None}, step=samples)
        return {name: f"{line[name]:.4f}" for name in ("loss", "changed_error")}


class StopSignal:
    """Remembers Ctrl-C and SIGTERM until the step is done; a second one stops at once."""

    def __init__(self):
        self.seen = False
        for number in (signal.SIGINT, signal.SIGTERM):
            try:
                signal.signal(number, self._remember)
            except ValueError:  # not in the main thread: the host program keeps its own handlers
                return

    def _remember(self, number, frame):
        if self.seen:
            sys.exit(128 + number)
        self.seen = True
        print("stopping after this step; run the same command again to go on", file=sys.stderr)

    def requested(self, accelerator: Accelerator) -> bool:
        """Whether any process was told to stop: all must agree, or some would wait for ever."""
        flag = torch.tensor([float(self.seen)], device=accelerator.device)
        return bool(accelerator.reduce(flag, "sum").item()) if accelerator.num_processes > 1 else self.seen


def keep_memory() -> None:
    """Makes glibc keep the memory of freed tensors: by default every large tensor of every step is returned to the
    kernel and faulted in again, which costs as much time as the arithmetic on small machines."""
    if sys.platform == "linux":
        try:
            libc = ctypes.CDLL("libc.so.6")
        except OSError:
            return
        m_trim_threshold, m_mmap_max = -1, -4
        libc.mallopt(m_mmap_max, 0)
        libc.mallopt(m_trim_threshold, 2**31 - 1)


def _claim(root: Path, config: Config, accelerator: Accelerator) -> None:
    """Writes the config into the run's folder, or checks that the run there was begun with the same."""
    path = root / "config.yaml"
    mine = to_dict(config)
    if path.exists():
        theirs = yaml.safe_load(path.read_text())
        free = {"total_samples", "checkpoint_samples", "keep_checkpoints", "log_samples", "validation_samples", "validation_dialogs"}
        for section in mine:
            if section in ("output_dir", "sampling", "data"):
                continue
            a, b = mine[section], theirs.get(section)
            if section == "training":
                a, b = ({k: v for k, v in x.items() if k not in free} for x in (a, b))
            if a != b:
                raise InputError(
                    f"{path}: the run there was begun with another {section}; give a new output_dir, or that config"
                )
    elif accelerator.is_main_process:
        root.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(mine, sort_keys=False))
    accelerator.wait_for_everyone()
    if config.training.tracker != "none":
        accelerator.init_trackers(root.name, config={})
