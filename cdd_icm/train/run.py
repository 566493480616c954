"""What every training run begins with: its folder, its engine and its tokenizer."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import shutil
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import yaml
from accelerate import Accelerator, DistributedDataParallelKwargs
from accelerate.utils import parse_flag_from_env
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from cdd_icm.config import EncoderConfig, differing_keys, load_config, to_dict
from cdd_icm.device import computes_in_bf16, keep_memory, process_state
from cdd_icm.errors import InputError
from cdd_icm.io import replacing
from cdd_icm.model.backbone import CLIPTowers
from cdd_icm.model.prompt import compose_text
from cdd_icm.model.tokenizer import check_tokenizer, clip_tokenizer, learn_tokenizer


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
        if encoder.learnt_vocabulary is None:
            tokenizer = clip_tokenizer(towers.context_length)
        else:
            read = [compose_text(text, (), 0, encoder.speaker) for text in texts]
            tokenizer = learn_tokenizer(read, encoder.learnt_vocabulary, towers.context_length)
        with replacing(folder) as unfinished:
            tokenizer.save_pretrained(unfinished)
    accelerator.wait_for_everyone()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    check_tokenizer(tokenizer, towers, folder)
    return tokenizer


def kept(root: Path) -> str:
    return f"the checkpoints in {root / 'checkpoints'} are kept"


def digest(order: Sequence[Any]) -> str:
    """Of what the order of the samples hangs on, for `save` and `restore`."""
    return hashlib.sha256(json.dumps(order).encode()).hexdigest()[:16]
