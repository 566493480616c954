"""A base class for dataclasses of tensors that move between devices as a unit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Self

import torch
from torch import Tensor


class TensorFields:
    """A dataclass whose tensors, also those of nested `TensorFields` and of tuples of them, move together;
    other fields are unchanged."""

    def on(self, device: torch.device) -> Self:
        """A copy on `device`."""
        return self._map(lambda part: part.to(device, non_blocking=True), lambda fields: fields.on(device))

    def pin_memory(self) -> Self:
        """A copy in pinned memory, for fast transfer to a GPU; torch's `DataLoader` calls it."""
        return self._map(Tensor.pin_memory, TensorFields.pin_memory)

    @classmethod
    def concatenated(cls, items: Sequence[Self]) -> Self:
        """The items one after the other, along the first dimension of their tensors."""
        joined = {}
        for name, first in vars(items[0]).items():
            parts = [getattr(item, name) for item in items]
            joined[name] = torch.cat(parts) if isinstance(first, Tensor) else type(first).concatenated(parts)
        return replace(items[0], **joined)

    def _map(
        self, tensor: Callable[[Tensor], Tensor], fields: Callable[[TensorFields], TensorFields]
    ) -> Self:
        changed = {}
        for name, value in vars(self).items():
            if isinstance(value, Tensor):
                changed[name] = tensor(value)
            elif isinstance(value, TensorFields):
                changed[name] = fields(value)
            elif isinstance(value, tuple) and all(isinstance(part, TensorFields) for part in value):
                changed[name] = tuple(fields(part) for part in value)
        return replace(self, **changed)
