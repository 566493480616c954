"""What a training step needs of memory, worked out before any of it is allocated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from cdd_icm.config import Config
from cdd_icm.data import Dialog
from cdd_icm.data.batch import Batch, Collator, Instructions
from cdd_icm.data.triplets import triplet
from cdd_icm.device import mixed_precision
from cdd_icm.diffusion.noise import RandomNumbers
from cdd_icm.limits import GIB, MEMORY, Limit
from cdd_icm.model.cddicm import CDDICM
from cdd_icm.model.size import bytes_of, without_memory
from cdd_icm.plan.registry import augmentation

META = torch.device("meta")


@dataclass(frozen=True)
class Memory:
    """The bytes of one process, without sharding."""

    weights: int
    gradients: int
    optimizer: int
    average: int
    activations: int
    """Of a micro-batch: an estimate, from what autograd keeps of a few samples."""

    @property
    def total(self) -> int:
        return sum(vars(self).values())

    def __str__(self) -> str:
        parts = ", ".join(f"{name} {size / GIB:.2f}" for name, size in vars(self).items())
        return f"about {self.total / GIB:.2f} GiB of memory: {parts}"


def memory_of(device: torch.device) -> Limit:
    """The memory of a device: the machine's, or a GPU's own."""
    if device.type == "cuda":
        return Limit(torch.cuda.get_device_properties(device).total_memory)
    return MEMORY


def check_memory(
    config: Config, plan: Mapping[str, Any] | None, dialogs: Sequence[Dialog], device: torch.device
) -> None:
    """Raises InputError if a training step needs more than `memory_of(device)`; see `step_memory`."""
    with without_memory():
        weights = bytes_of(CDDICM(config, plan))
    pictures = 12 * config.training.batch_size * config.data.image_size**2
    if 4 * weights + 10_000 * pictures > memory_of(device).number / 2:  # else it fits
        step_memory(config, plan, dialogs, device)


def step_memory(
    config: Config, plan: Mapping[str, Any] | None, dialogs: Sequence[Dialog], device: torch.device
) -> Memory:
    """The memory of a training step on `dialogs`.

    Args:
        plan: see `plan_settings`.

    Raises:
        InputError: the model alone is over the limit, or the whole is over `memory_of(device)`.
    """
    with without_memory():
        model = CDDICM(config, plan)
    samples = 2 * config.objective.cdd_every
    micro_batch = config.training.batch_size // config.training.gradient_accumulation
    kept = _kept(model, _batch(config, model, dialogs, samples), _draws(config, samples))
    half = mixed_precision(config.training.mixed_precision, device) != "no"
    weights = bytes_of(model)
    trained = sum(parameter.nbytes for parameter in model.parameters() if parameter.requires_grad)
    needed = Memory(
        weights=weights,
        gradients=trained,
        optimizer=2 * trained,
        average=weights,
        activations=kept * micro_batch // samples // (2 if half else 1),
    )
    memory_of(device).check(
        needed.total,
        f"training.batch_size is {config.training.batch_size}, training.gradient_accumulation "
        f"{config.training.gradient_accumulation}: a step needs about",
    )
    return needed


def _batch(config: Config, model: CDDICM, dialogs: Sequence[Dialog], samples: int) -> Batch:
    """A batch of true turns, whose pictures and words have shapes only."""
    length, size = model.towers.context_length, config.data.image_size

    def tokenize(instructions: Instructions) -> tuple[Tensor, Tensor]:
        shape = (len(instructions), length)
        return torch.zeros(shape, dtype=torch.long), torch.ones(shape, dtype=torch.bool)

    encode = None
    if model.planner is not None:
        encode = model.planner.truth_encoder(config, list(dialogs), tokenize)
    collate = Collator(config, tokenize, encode, augmentation(config, list(dialogs)))
    black = np.zeros((3, size, size), np.uint8)
    turns = [(dialog, turn) for dialog in dialogs[:samples] for turn in range(len(dialog.turns))]
    chosen = [turns[number % len(turns)] for number in range(samples)]
    items = [triplet(dialog, turn, draw, lambda _: black) for draw, (dialog, turn) in enumerate(chosen)]
    return collate(items).on(META)


def _draws(config: Config, samples: int) -> RandomNumbers:
    size = config.data.image_size
    pictures = torch.empty(samples, 3, size, size, device=META)
    numbers = torch.empty(samples, device=META)
    timestep = torch.empty(samples, dtype=torch.long, device=META)
    return RandomNumbers(timestep, pictures, pictures, numbers, numbers)


def _kept(model: nn.Module, batch: Batch, draws: RandomNumbers) -> int:
    """The bytes that autograd keeps of a forward pass for the backward pass, beside the weights."""
    kept: dict[int, Tensor] = {}
    weights = {tensor.untyped_storage()._cdata for tensor in model.state_dict().values()}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()._cdata
        if storage not in weights:
            kept[storage] = tensor
        return tensor

    model.train()
    with saved_tensors_hooks(keep, lambda tensor: tensor):
        out = model(batch, draws)
    size = sum(tensor.untyped_storage().nbytes() for tensor in kept.values())
    del out
    return size
