"""Checkpoints for exact resumption: written atomically, loaded without unpickling."""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import torch
import yaml
from accelerate import Accelerator
from safetensors.torch import save_file
from torch import Tensor
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_optimizer_state_dict,
    set_model_state_dict,
    set_optimizer_state_dict,
)

from cdd_icm.config import differing_keys, load_config, to_dict
from cdd_icm.errors import InputError
from cdd_icm.io import load_tensors, read_json, replacing

MAX_CHECKPOINTS = 2
"""Number of checkpoints kept per run; older ones are deleted."""


def save_checkpoint(
    root: Path, samples: int, tensors: dict[str, dict[str, Tensor]], state: dict[str, Any], keep: int
) -> Path:
    """Writes `root/<samples>/` with one safetensors file for each entry of `tensors` and `state.json`.

    It is written under a temporary name and renamed when it is complete. Only then are all but the newest
    `keep` checkpoints removed, so that a full disk never destroys an old checkpoint.

    Raises:
        InputError: it can't be written; the message names the folder.
    """
    folder = root / f"{samples:012d}"
    with replacing(folder) as unfinished:
        unfinished.mkdir()
        for name, values in tensors.items():
            whole = {key: value.detach().contiguous().cpu() for key, value in values.items()}
            save_file(whole, unfinished / f"{name}.safetensors")
        (unfinished / "state.json").write_text(json.dumps(state, indent=1))
    for old in checkpoints(root)[:-keep]:
        shutil.rmtree(old, ignore_errors=True)
    return folder


def checkpoints(root: Path) -> list[Path]:
    """The complete checkpoints under `root`, oldest first."""
    return sorted(p for p in root.glob("[0-9]*") if (p / "state.json").is_file()) if root.is_dir() else []


WHOLE = StateDictOptions(full_state_dict=True, cpu_offload=True)


def claim_folder(
    root: Path, config: Any, mutable_keys: Mapping[str, Collection[str]], accelerator: Accelerator
) -> None:
    """Writes `root/config.yaml`. A run that already began there must have the same config except for the
    `mutable_keys` (by section; "" is the top level).

    Raises:
        InputError: the run began with another config, or the file can't be written.
    """
    path = root / "config.yaml"
    differing = differing_keys(config, load_config(path, cls=type(config))) if path.exists() else []
    changed = [
        key for key in differing if key.rpartition(".")[2] not in mutable_keys.get(key.rpartition(".")[0], ())
    ]
    if changed and any((root / name).exists() for name in ("checkpoints", "log.jsonl")):
        raise InputError(
            f"{path}: the run there began with another {changed[0]}; restore it or use a new output_dir"
        )
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        with replacing(path) as unfinished:
            unfinished.write_text(yaml.safe_dump(to_dict(config), sort_keys=False))
        if changed:  # the tokenizer there may be from another `init`
            shutil.rmtree(root / "tokenizer", ignore_errors=True)
    if accelerator.log_with:
        accelerator.init_trackers(root.name)


def match_scalar_shape(own: Tensor, value: Tensor) -> Tensor:
    """`value`, with the shape of the model's `own` if it is a single number: FSDP turns scalars into
    vectors."""
    return value.reshape(own.shape) if value.numel() == 1 else value


def save(root: Path, model, ema, optimizer, accelerator: Accelerator, samples: int, data: str) -> None:
    """Writes a checkpoint for exact resumption; `data`: the fingerprint of the training data. All processes
    must call it; the main process writes."""
    parts = {"model": model, "ema": ema.shards}
    tensors = {name: get_model_state_dict(module, options=WHOLE) for name, module in parts.items()}
    optimizer_state = get_optimizer_state_dict(model, optimizer.optimizer, options=WHOLE)
    if accelerator.is_main_process:  # the other processes get empty dicts
        own = ema.whole.state_dict()
        tensors = {
            part: {name: match_scalar_shape(own[name], value) for name, value in values.items()}
            for part, values in tensors.items()
        }
        tensors["optimizer"] = {
            f"{name}.{kind}": match_scalar_shape(own[name], value) if kind != "step" else value
            for name, moments in optimizer_state["state"].items()
            for kind, value in moments.items()
        }
        state = {"samples": samples, "data": data}
        if accelerator.scaler is not None:  # fp16 only
            state["scaler"] = accelerator.scaler.state_dict()
        save_checkpoint(root / "checkpoints", samples, tensors, state, MAX_CHECKPOINTS)
    accelerator.wait_for_everyone()


def restore(root: Path, model, ema, optimizer, accelerator: Accelerator, data: str) -> int:
    """Loads the newest checkpoint under `root`, if any, and returns its number of samples seen.

    Raises:
        InputError: the checkpoint is damaged, doesn't fit the model, or its data fingerprint is not `data`.
    """
    saved_checkpoints = checkpoints(root / "checkpoints")
    if not saved_checkpoints:
        return 0
    folder = saved_checkpoints[-1]
    state = read_json(folder / "state.json")
    if state.get("data", data) != data:
        raise InputError(
            f"{folder}: the run began with other training data; restore it or use a new output_dir"
        )
    tensors = {name: load_tensors(folder / f"{name}.safetensors") for name in ("model", "ema", "optimizer")}
    try:
        for name, module in (("model", model), ("ema", ema.shards)):
            own = get_model_state_dict(module)
            values = {key: match_scalar_shape(own[key], value) for key, value in tensors[name].items()}
            set_model_state_dict(module, values, options=WHOLE)
        # learning rate etc. come from the config: only moments and steps are restored
        optimizer_state = get_optimizer_state_dict(model, optimizer.optimizer)
        states, saved = optimizer_state["state"], tensors["optimizer"]
        updated = {key.rpartition(".")[0] for key in saved}  # other parameters never had a gradient
        if unknown := updated - states.keys():
            raise KeyError(min(unknown))
        for name, moments in states.items():  # not in place: these tensors belong to the optimiser
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
                    # AdamW's fused kernel ignores strides: moments need those of their weights
                    moments[kind] = torch.empty_like(parameter).copy_(value)
        if accelerator.scaler is not None and "scaler" in state:
            accelerator.scaler.load_state_dict(state["scaler"])
        return state["samples"]
    except (RuntimeError, KeyError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{folder}: the checkpoint doesn't fit the model ({reason})") from None
