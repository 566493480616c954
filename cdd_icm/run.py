"""A training run, whatever it trains: its folder, its engine, its schedule and its checkpoints."""

from __future__ import annotations

import copy
import hashlib
import importlib.util
import json
import math
import shutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml
from accelerate import Accelerator, DistributedDataParallelKwargs
from accelerate.optimizer import AcceleratedOptimizer
from accelerate.utils import fsdp2_prepare_model, parse_flag_from_env
from torch import Tensor, nn
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_optimizer_state_dict,
    set_model_state_dict,
    set_optimizer_state_dict,
)
from torch.distributed.fsdp.wrap import transformer_auto_wrap_policy
from torch.optim.swa_utils import get_ema_multi_avg_fn
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from cdd_icm.checkpoint import checkpoints, load_tensors, save_checkpoint
from cdd_icm.config import EncoderConfig, RunConfig, differing_keys, load_config, to_dict
from cdd_icm.disk import read_json, replacing
from cdd_icm.encoders import CLIPTowers, check_tokenizer, clip_tokenizer, compose_text, learn_tokenizer
from cdd_icm.errors import InputError
from cdd_icm.loading import computes_in_bf16, layout, process_state
from cdd_icm.process import keep_memory

WHOLE = StateDictOptions(full_state_dict=True, cpu_offload=True)


def start(
    root: Path, config: Any, free: Mapping[str, Collection[str]], gradient_accumulation: int = 1
) -> Accelerator:
    """The engine, once the run's folder holds this config: a run that is there must have begun with the
    same one, but for the keys in `free` (by section; "" is the top). An attempt that ended before it saw a
    sample was no run.

    Raises:
        InputError: it began with another, the folder can't be written, accelerate's config asks for an FSDP
            that is none here, the tracker is not installed, or the machine has no such precision.
    """
    tracker = config.training.tracker
    if tracker != "none" and importlib.util.find_spec(tracker) is None:
        raise InputError(f"training.tracker: {tracker} is not installed")
    device = process_state().device
    accelerator = Accelerator(
        cpu=device.type == "cpu",
        mixed_precision=precision(config.training.mixed_precision, device),
        gradient_accumulation_steps=gradient_accumulation,
        log_with=None if tracker == "none" else tracker,
        project_dir=root,
        # what a switch of the config leaves out of the loss has no gradient
        kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)],
    )
    if parse_flag_from_env("ACCELERATE_USE_FSDP") and not accelerator.is_fsdp2:
        # on CPUs accelerate would run DDP in its place without a word of it
        raise InputError("accelerate's config asks for FSDP, which needs GPUs and fsdp_version 2")
    keep_memory()
    path = root / "config.yaml"
    differing = differing_keys(config, load_config(path, cls=type(config))) if path.exists() else []
    fixed = [key for key in differing if key.rpartition(".")[2] not in free.get(key.rpartition(".")[0], ())]
    if fixed and any((root / name).exists() for name in ("checkpoints", "log.jsonl")):
        raise InputError(
            f"{path}: the run there began with another {fixed[0]}; give a new output_dir, or that"
        )
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        with replacing(path) as unfinished:
            unfinished.write_text(yaml.safe_dump(to_dict(config), sort_keys=False))
        if fixed:  # the tokenizer there may be that of another `init`
            shutil.rmtree(root / "tokenizer", ignore_errors=True)
    if tracker != "none":
        accelerator.init_trackers(root.name)
    return accelerator


def precision(name: str, device: torch.device) -> str:
    """`training.mixed_precision` as accelerate calls it.

    Raises:
        InputError: fp16 on a CPU.
    """
    if name == "fp16" and device.type == "cpu":
        raise InputError("training.mixed_precision is 'fp16', which needs a GPU; auto works everywhere")
    return name if name != "auto" else "bf16" if computes_in_bf16(device) else "no"


def run_tokenizer(
    root: Path, encoder: EncoderConfig, towers: CLIPTowers, texts: Sequence[str], accelerator: Accelerator
) -> PreTrainedTokenizerBase:
    """CLIP's tokenizer, or one learnt from the training text; kept in the run's folder so that a run that
    goes on has the same.

    Raises:
        InputError: the one in the folder, such as that of an `init`, is not made for these towers.
    """
    folder = root / "tokenizer"
    if accelerator.is_main_process and not folder.is_dir():
        if encoder.vocab_size is None:
            tokenizer = clip_tokenizer(towers.context_length)
        else:
            read = [compose_text(text, (), 0, encoder.speaker) for text in texts]
            tokenizer = learn_tokenizer(read, encoder.vocab_size, towers.context_length)
        with replacing(folder) as unfinished:
            tokenizer.save_pretrained(unfinished)
    accelerator.wait_for_everyone()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    check_tokenizer(tokenizer, towers, folder)
    return tokenizer


@dataclass(frozen=True)
class Average:
    """The exponential moving average of a model, apart from it. `shards` lie as the model's weights do: under
    FSDP they are this process's part of it, else they are the `whole`."""

    shards: nn.Module
    whole: nn.Module
    accelerator: Accelerator

    def gather(self) -> nn.Module | None:
        """The whole average in the first process, None in the others; all processes take part."""
        if self.shards is not self.whole:
            tensors = get_model_state_dict(self.shards, options=WHOLE)
            if self.accelerator.is_main_process:  # the others were given nothing
                self.whole.to(self.accelerator.device).load_state_dict(tensors)
        return self.whole if self.accelerator.is_main_process else None


def prepare(
    accelerator: Accelerator, model: nn.Module, t: RunConfig
) -> tuple[nn.Module, Average, AcceleratedOptimizer]:
    """The model as it is trained, its average and its optimiser."""
    if not accelerator.is_fsdp2:
        model.to(memory_format=layout(accelerator.device))
    whole = shards = copy.deepcopy(model).requires_grad_(False).eval()
    whole.to("cpu" if accelerator.is_fsdp2 else accelerator.device)
    if accelerator.is_fsdp2:
        plugin = accelerator.state.fsdp_plugin
        # FSDP gathers a part where its forward is called: not of every part it is, so the model names them
        plugin.auto_wrap_policy, plugin.transformer_cls_names_to_wrap = transformer_auto_wrap_policy, None
        plugin.cpu_ram_efficient_loading = False  # each process has made the whole model
        plugin.mixed_precision_policy = None  # but autocast, as without FSDP
        for part in model.modules():  # it shards no single numbers
            for name, number in part.named_parameters(recurse=False):
                if number.ndim == 0:
                    setattr(part, name, nn.Parameter(number[None].detach(), number.requires_grad))
        shards = fsdp2_prepare_model(accelerator, copy.deepcopy(model).requires_grad_(False))
        model.forward = accelerator.autocast()(model.forward)
    model, optimizer = accelerator.prepare(model, make_optimizer(model, t))
    return model, Average(shards, whole, accelerator), optimizer


def make_optimizer(model: nn.Module, t: RunConfig) -> torch.optim.Optimizer:
    """AdamW on what is trained."""
    return torch.optim.AdamW(
        [p for p in model.parameters() if p.requires_grad],
        lr=t.learning_rate,
        betas=(0.9, 0.99),
        weight_decay=t.weight_decay,
        fused=True,
    )


def learning_rate_at(samples: int, t: RunConfig, restart: int = 0) -> float:
    """Linear warm-up, then a cosine down to the minimum: a function of samples, whatever the number of
    processes. All of that once before sample `restart`, and again from there on (Loshchilov & Hutter 2017,
    arXiv 1608.03983)."""
    restart = min(restart, t.total_samples)
    end = restart if samples < restart else t.total_samples - restart
    samples -= 0 if samples < restart else restart
    if samples < t.warmup_samples:
        return t.learning_rate * (samples + 1) / t.warmup_samples
    done = (samples - t.warmup_samples) / max(1, end - t.warmup_samples)
    return (
        t.min_learning_rate
        + (t.learning_rate - t.min_learning_rate) * (1 + math.cos(math.pi * min(1, done))) / 2
    )


def update_ema(ema: nn.Module, model: nn.Module, samples: int, step: int, t: RunConfig) -> None:
    """Exponential moving average whose half-life is a share of the samples seen (Karras et al. 2024,
    EDM2)."""
    decay = 0.5 ** (step / max(t.ema_half_life * samples, 1))
    average = get_ema_multi_avg_fn(decay)
    average(list(ema.parameters()), [p.detach() for p in model.parameters()], None)
    for mine, theirs in zip(ema.buffers(), model.buffers(), strict=True):
        mine.copy_(theirs)


def crossed(every: int, before: int, samples: int) -> bool:
    """Whether a multiple of `every` lies in (before, samples]."""
    return samples // every > before // every


def kept(root: Path) -> str:
    return f"the checkpoints in {root / 'checkpoints'} are kept"


def digest(order: Sequence[Any]) -> str:
    """Of what the order of the samples hangs on, for `save` and `restore`."""
    return hashlib.sha256(json.dumps(order).encode()).hexdigest()[:16]


def shaped_as(own: Tensor, value: Tensor) -> Tensor:
    """`value`, where it is a single number in the shape of the model's `own`: FSDP has it as a vector."""
    return value.reshape(own.shape) if value.numel() == 1 else value


def save(
    root: Path, model, ema, optimizer, accelerator: Accelerator, samples: int, data: str, keep: int
) -> None:
    """A checkpoint from which the run goes on exactly, on data of that `digest`. All processes take part; the
    first one writes."""
    parts = {"model": model, "ema": ema.shards}
    tensors = {name: get_model_state_dict(of, options=WHOLE) for name, of in parts.items()}
    learnt = get_optimizer_state_dict(model, optimizer.optimizer, options=WHOLE)
    if accelerator.is_main_process:  # the others were given nothing
        own, moments = ema.whole.state_dict(), learnt["state"].items()
        tensors = {
            part: {name: shaped_as(own[name], value) for name, value in values.items()}
            for part, values in tensors.items()
        }
        tensors["optimizer"] = {
            f"{name}.{kind}": shaped_as(own[name], value) if kind != "step" else value
            for name, of in moments
            for kind, value in of.items()
        }
        state = {"samples": samples, "data": data}
        if accelerator.scaler is not None:  # of fp16
            state["scaler"] = accelerator.scaler.state_dict()
        save_checkpoint(root / "checkpoints", samples, tensors, state, keep)
    accelerator.wait_for_everyone()


def restore(root: Path, model, ema, optimizer, accelerator: Accelerator, data: str) -> int:
    """Loads the newest checkpoint under `root`, if any, and returns the samples that it has seen.

    Raises:
        InputError: the checkpoint is damaged, doesn't fit the model, or is of a run on data of another
            `digest`.
    """
    found = checkpoints(root / "checkpoints")
    if not found:
        return 0
    folder = found[-1]
    state = read_json(folder / "state.json")
    if state.get("data", data) != data:
        raise InputError(f"{folder}: the run began on other training data; give that, or a new output_dir")
    tensors = {name: load_tensors(folder / f"{name}.safetensors") for name in ("model", "ema", "optimizer")}
    try:
        for name, of in (("model", model), ("ema", ema.shards)):
            own = get_model_state_dict(of)
            values = {key: shaped_as(own[key], value) for key, value in tensors[name].items()}
            set_model_state_dict(of, values, options=WHOLE)
        # The groups' settings are the config's: only what the optimiser has learnt is read back.
        learnt = get_optimizer_state_dict(model, optimizer.optimizer)
        saved = tensors["optimizer"]
        moved = {key.rpartition(".")[0] for key in saved}  # the other weights never had a gradient
        if foreign := moved - learnt["state"].keys():
            raise KeyError(min(foreign))
        for name, of in learnt["state"].items():  # not in place: these are the optimiser's own
            learnt["state"][name] = {
                kind: shaped_as(value, saved[f"{name}.{kind}"] if name in moved else torch.zeros(value.shape))
                for kind, value in of.items()
            }
        set_optimizer_state_dict(model, optimizer.optimizer, learnt, options=WHOLE)
        for parameter, of in list(optimizer.state.items()):
            if not of["step"]:
                del optimizer.state[parameter]
            for kind, value in of.items():
                if value.shape == parameter.shape:
                    # AdamW's fused kernel walks through memory: moments must lie there as their weights do
                    of[kind] = torch.empty_like(parameter).copy_(value)
        if accelerator.scaler is not None and "scaler" in state:
            accelerator.scaler.load_state_dict(state["scaler"])
        return state["samples"]
    except (RuntimeError, KeyError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{folder}: the checkpoint doesn't fit the model ({reason})") from None
