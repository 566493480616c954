"""Dataclasses of tensors that move between devices as one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Self

import torch
from torch import Tensor


class TensorFields:
    """A dataclass with tensors, or dataclasses of this kind, among its fields; others stay as they are."""

    def on(self, device: torch.device) -> Self:
        """The same on `device`."""
        return self._changed(
            lambda part: part.to(device, non_blocking=True), lambda fields: fields.on(device)
        )

    def pin_memory(self) -> Self:
        """The same in pinned memory, whence copies to a GPU are fastest; torch's `DataLoader` calls it."""
        return self._changed(Tensor.pin_memory, TensorFields.pin_memory)

    def _changed(
        self, tensor: Callable[[Tensor], Tensor], fields: Callable[[TensorFields], TensorFields]
    ) -> Self:
        changed = {}
        for name, value in vars(self).items():
            if isinstance(value, Tensor):
                changed[name] = tensor(value)
            elif isinstance(value, TensorFields):
                changed[name] = fields(value)
        return replace(self, **changed)
