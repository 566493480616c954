"""Checkpoints from which a run goes on exactly: written whole, loaded without unpickling."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import torch
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

from cdd_icm.errors import InputError
from cdd_icm.io import load_tensors, read_json, replacing

KEPT = 2
"""Checkpoints of a run that are kept, the newest ones."""


def save_checkpoint(
    root: Path, samples: int, tensors: dict[str, dict[str, Tensor]], state: dict[str, Any], keep: int
) -> Path:
    """Writes `root/<samples>/` with one safetensors file for each entry of `tensors` and `state.json`.

    It is written under another name and renamed when all of it is on the disk; only then are older ones
    removed, all but the newest `keep`. A full disk therefore costs the new checkpoint, never an old one.

    Raises:
        InputError: the disk refuses; the message names the folder.
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
    """The finished checkpoints under `root`, oldest first."""
    return sorted(p for p in root.glob("[0-9]*") if (p / "state.json").is_file()) if root.is_dir() else []


WHOLE = StateDictOptions(full_state_dict=True, cpu_offload=True)


def shaped_as(own: Tensor, value: Tensor) -> Tensor:
    """`value`, where it is a single number in the shape of the model's `own`: FSDP has it as a vector."""
    return value.reshape(own.shape) if value.numel() == 1 else value


def save(root: Path, model, ema, optimizer, accelerator: Accelerator, samples: int, data: str) -> None:
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
        save_checkpoint(root / "checkpoints", samples, tensors, state, KEPT)
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
