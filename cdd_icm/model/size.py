"""Builds models without memory, to learn what they need before it is allocated."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules import module as registry

from cdd_icm.limits import MEMORY, TENSORS


@contextmanager
def without_memory() -> Iterator[None]:
    """Modules that are built in the block are on the meta device: they have shapes and no values.

    Raises:
        InputError: as soon as they have more tensors or bytes than `TENSORS` and `MEMORY` allow.
    """
    tensors = size = 0

    def count(_module: nn.Module, _name: str, tensor: Tensor | None) -> None:
        nonlocal tensors, size
        if tensor is not None:
            tensors, size = tensors + 1, size + tensor.nbytes
            TENSORS.check(tensors, "the model has at least")
            MEMORY.check(size, "the model needs at least")

    hooks = (
        registry.register_module_parameter_registration_hook(count),
        registry.register_module_buffer_registration_hook(count),
    )
    try:
        with torch.device("meta"):
            yield
    finally:
        for hook in hooks:
            hook.remove()


def bytes_of(module: nn.Module) -> int:
    """What the weights and buffers of a module occupy, or would without `without_memory`."""
    return sum(tensor.nbytes for tensor in (*module.parameters(), *module.buffers()))
