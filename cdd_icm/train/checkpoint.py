"""Checkpoints for exact resumption: written atomically, loaded without unpickling."""

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
from accelerate.utils import broadcast_object_list
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
from cdd_icm.io import load_tensors, parse_json, read_json, remove_folder, replacing

MAX_CHECKPOINTS = 2
"""Number of checkpoints kept per run; older ones are deleted."""


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
        if changed:  # the tokenizer there may be from another `init`
            remove_folder(root / "tokenizer")
        with replacing(path) as unfinished:
            unfinished.write_text(yaml.safe_dump(to_dict(config), sort_keys=False), encoding="utf-8")
    if accelerator.log_with:
        accelerator.init_trackers(root.name)


def match_scalar_shape(own: Tensor, value: Tensor) -> Tensor:
    """`value`, with the shape of the model's `own` if it is a single number: FSDP turns scalars into
    vectors."""
    return value.reshape(own.shape) if value.numel() == 1 else value


@contextmanager
def new_checkpoint(root: Path, samples: int, state: Mapping[str, Any], keep: int) -> Iterator[Path]:
    """Yields a folder that becomes the checkpoint `root/<samples>/` on success, with `state` in `state.json`.

    It is renamed when it is complete. Only then are all but the newest `keep` checkpoints removed, so that a
    full disk never destroys an old checkpoint.

    Raises:
        InputError: it can't be written; the message names the folder.
    """
    with replacing(checkpoint_folder(root, samples)) as unfinished:
        unfinished.mkdir()
        yield unfinished
        (unfinished / "state.json").write_text(json.dumps(state, indent=1), encoding="utf-8")
    for old in checkpoints(root)[:-keep]:
        remove_folder(old)


def checkpoint_folder(root: Path, samples: int) -> Path:
    return root / f"{samples:012d}"


def save(
    root: Path,
    model,
    ema,
    optimizer,
    accelerator: Accelerator,
    samples: int,
    data: str,
    unpublished: bool = False,
) -> None:
    """Writes a checkpoint for exact resumption: a safetensors file each for the model, its average and the
    optimiser's state. All processes must call it.

    Args:
        data: the fingerprint of the training data.
        unpublished: whether a validation is to follow, which a run that goes on from here has to repeat.

    Raises:
        InputError: it can't be written; the message names the folder.
    """
    state = {"samples": samples, "data": data, "unpublished": unpublished}
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
    main = accelerator.is_main_process
    with new_checkpoint(root, samples, state, MAX_CHECKPOINTS) if main else nullcontext() as folder:
        (folder,) = broadcast_object_list([folder])  # the others wait for it
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
    """The names of those `tensors` (weights or their moments) whose weight is a scalar in the model's `own`
    tensors, and of the optimiser's step counts."""
    names = {key: key if key in own else key.rpartition(".")[0] for key in tensors}
    return {key for key, name in names.items() if key.endswith(".step") or not own[name].ndim}


def write_shards(
    folder: Path,
    name: str,
    tensors: Mapping[str, Tensor],
    scalars: Collection[str],
    accelerator: Accelerator,
) -> None:
    """Writes `folder/<name>.safetensors` from the shards of all processes: each process writes its own, and
    the main process joins them on disk, so that no process holds the whole model.

    Args:
        scalars: names of `tensors` that are scalars in the model; under FSDP they are vectors of length 1.

    Raises:
        InputError: it can't be written.
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
        header = parse_json(opened.read(size), str(file))
        for name in names:
            header[name]["shape"] = []
        changed = json.dumps(header, separators=(",", ":")).encode().ljust(size)
        if len(changed) != size:
            raise ValueError(f"{file}: its header grew from {size} to {len(changed)} bytes")
        opened.seek(8)
        opened.write(changed)


def restore(root: Path, model, ema, optimizer, accelerator: Accelerator, data: str) -> tuple[int, bool]:
    """Loads the newest checkpoint under `root`, if any, and returns its number of samples seen and its
    `unpublished`, see `save`.

    Raises:
        InputError: the checkpoint is damaged, doesn't fit the model, or its data fingerprint is not `data`.
    """
    saved_checkpoints = checkpoints(root / "checkpoints")
    if not saved_checkpoints:
        return 0, False
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
        return state["samples"], state.get("unpublished", False)
    except (RuntimeError, KeyError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{folder}: the checkpoint doesn't fit the model ({reason})") from None
