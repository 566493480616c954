"""Checkpoints from which a run goes on exactly: written whole, loaded without unpickling."""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch
import torch.distributed.checkpoint as dcp
import yaml
from accelerate import Accelerator
from safetensors.torch import save_file
from torch import Tensor
from torch.distributed.checkpoint import HuggingFaceStorageWriter
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_optimizer_state_dict,
    set_model_state_dict,
    set_optimizer_state_dict,
)

from cdd_icm.config import differing_keys, load_config, to_dict
from cdd_icm.errors import InputError
from cdd_icm.io import load_tensors, read_json, replacing, unfinished_name

KEPT = 2
"""Checkpoints of a run that are kept, the newest ones."""


def checkpoints(root: Path) -> list[Path]:
    """The finished checkpoints under `root`, oldest first."""
    return sorted(p for p in root.glob("[0-9]*") if (p / "state.json").is_file()) if root.is_dir() else []


WHOLE = StateDictOptions(full_state_dict=True, cpu_offload=True)


def claim_folder(
    root: Path, config: Any, mutable_keys: Mapping[str, Collection[str]], accelerator: Accelerator
) -> None:
    """Writes `root/config.yaml`. A run that is there must have begun with the same config, but for the
    `mutable_keys` (by section; "" is the top); an attempt that ended before its first sample doesn't count.

    Raises:
        InputError: it began with another config, or the disk refuses.
    """
    path = root / "config.yaml"
    differing = differing_keys(config, load_config(path, cls=type(config))) if path.exists() else []
    fixed = [
        key for key in differing if key.rpartition(".")[2] not in mutable_keys.get(key.rpartition(".")[0], ())
    ]
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
    if accelerator.log_with:
        accelerator.init_trackers(root.name)


def match_scalar_shape(own: Tensor, value: Tensor) -> Tensor:
    """`value`; a single number gets the shape of the model's `own`: FSDP makes vectors of scalars."""
    return value.reshape(own.shape) if value.numel() == 1 else value


@contextmanager
def new_checkpoint(root: Path, samples: int, state: Mapping[str, Any], keep: int) -> Iterator[Path]:
    """Gives a folder that becomes the checkpoint `root/<samples>/`, with the `state` in `state.json`, when
    the block ends well.

    It is renamed when all of it is on the disk; only then are older ones removed, all but the newest `keep`.
    A full disk therefore costs the new checkpoint, never an old one.

    Raises:
        InputError: the disk refuses; the message names the folder.
    """
    with replacing(checkpoint_folder(root, samples)) as unfinished:
        unfinished.mkdir()
        yield unfinished
        (unfinished / "state.json").write_text(json.dumps(state, indent=1))
    for old in checkpoints(root)[:-keep]:
        shutil.rmtree(old, ignore_errors=True)


def checkpoint_folder(root: Path, samples: int) -> Path:
    return root / f"{samples:012d}"


def save(root: Path, model, ema, optimizer, accelerator: Accelerator, samples: int, data: str) -> None:
    """Writes a checkpoint from which the run goes on exactly: a safetensors file each for the model, its
    average and the optimiser's state; `data`: the fingerprint of its data. All processes must call it.

    Raises:
        InputError: the disk refuses; the message names the folder.
    """
    state = {"samples": samples, "data": data}
    if accelerator.scaler is not None:  # of fp16
        state["scaler"] = accelerator.scaler.state_dict()
    tensors = {
        "model": get_model_state_dict(model),
        "ema": get_model_state_dict(ema.shards),
        "optimizer": {
            f"{name}.{kind}": value
            for name, moments in get_optimizer_state_dict(model, optimizer.optimizer)["state"].items()
            for kind, value in moments.items()
        },
    }
    root, own = root / "checkpoints", ema.whole.state_dict()
    others = nullcontext(unfinished_name(checkpoint_folder(root, samples)))
    with new_checkpoint(root, samples, state, KEPT) if accelerator.is_main_process else others as folder:
        accelerator.wait_for_everyone()  # for the folder
        for name, values in tensors.items():
            if accelerator.is_fsdp2:
                write_shards(folder, name, values, scalars_of(values, own), accelerator)
            elif accelerator.is_main_process:
                write_whole(folder, name, values)
    accelerator.wait_for_everyone()


def write_whole(folder: Path, name: str, tensors: Mapping[str, Tensor]) -> None:
    """Writes `folder/<name>.safetensors`."""
    whole = {key: value.detach().contiguous().cpu() for key, value in tensors.items()}
    save_file(whole, folder / f"{name}.safetensors")


def scalars_of(tensors: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> set[str]:
    """Those of the `tensors`, weights or their moments, whose weight is a scalar in the model's `own`, and
    the optimiser's counts of steps."""
    names = {key: key if key in own else key.rpartition(".")[0] for key in tensors}
    return {key for key, name in names.items() if key.endswith(".step") or not own[name].ndim}


def write_shards(
    folder: Path,
    name: str,
    tensors: Mapping[str, Tensor],
    scalars: Collection[str],
    accelerator: Accelerator,
) -> None:
    """Writes `folder/<name>.safetensors` from the shards of all processes, none of which holds a whole model:
    each writes its own, and the main process joins them on the disk.

    Args:
        scalars: those of the `tensors` that are scalars in the model; FSDP has vectors of one number instead.

    Raises:
        InputError: the disk refuses.
    """
    parts = folder / name
    vectors = {key: value if value.ndim else value[None] for key, value in tensors.items()}
    try:
        writer = HuggingFaceStorageWriter(str(parts), save_distributed=True, enable_consolidation=True)
        dcp.save(vectors, storage_writer=writer)
    except CheckpointException as error:
        reason = next(iter(error.failures.values()))[0]
        raise InputError(f"{folder}: can't be written ({reason})") from error
    if accelerator.is_main_process:
        (whole,) = parts.glob("*.safetensors")
        whole.rename(folder / f"{name}.safetensors")
        to_scalars(folder / f"{name}.safetensors", scalars)
        shutil.rmtree(parts)
    accelerator.wait_for_everyone()


def to_scalars(file: Path, names: Collection[str]) -> None:
    """Changes the shape of some tensors from (1,) to () in the header of a safetensors file, in place."""
    with open(file, "r+b") as opened:
        size = int.from_bytes(opened.read(8), "little")
        header = json.loads(opened.read(size))
        for name in names:
            header[name]["shape"] = []
        changed = json.dumps(header, separators=(",", ":")).encode().ljust(size)
        if len(changed) != size:
            raise ValueError(f"{file}: its header grew from {size} to {len(changed)} bytes")
        opened.seek(8)
        opened.write(changed)


def restore(root: Path, model, ema, optimizer, accelerator: Accelerator, data: str) -> int:
    """Loads the newest checkpoint under `root`, if any, and returns the samples that it has seen.

    Raises:
        InputError: the checkpoint is damaged, doesn't fit the model, or its data has another fingerprint than
            `data`.
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
        for name, module in (("model", model), ("ema", ema.shards)):
            own = get_model_state_dict(module)
            values = {key: match_scalar_shape(own[key], value) for key, value in tensors[name].items()}
            set_model_state_dict(module, values, options=WHOLE)
        # Learning rate and the like come from the config: only the moments and steps are read back.
        optimizer_state = get_optimizer_state_dict(model, optimizer.optimizer)
        states, saved = optimizer_state["state"], tensors["optimizer"]
        updated = {key.rpartition(".")[0] for key in saved}  # the other weights never had a gradient
        if unknown := updated - states.keys():
            raise KeyError(min(unknown))
        for name, moments in states.items():  # not in place: these tensors are the optimiser's own
            states[name] = {
                kind: match_scalar_shape(
                    value, saved[f"{name}.{kind}"] if name in updated else torch.zeros(value.shape)
                )
                for kind, value in moments.items()
            }
        set_optimizer_state_dict(model, optimizer.optimizer, optimizer_state, options=WHOLE)
        for parameter, moments in list(optimizer.state.items()):
            if not moments["step"]:
                del optimizer.state[parameter]
            for kind, value in moments.items():
                if value.shape == parameter.shape:
                    # AdamW's fused kernel reads memory in order: moments need the strides of their weights
                    moments[kind] = torch.empty_like(parameter).copy_(value)
        if accelerator.scaler is not None and "scaler" in state:
            accelerator.scaler.load_state_dict(state["scaler"])
        return state["samples"]
    except (RuntimeError, KeyError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{folder}: the checkpoint doesn't fit the model ({reason})") from None
