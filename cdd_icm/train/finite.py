"""Stops a run at a loss or gradient that is not finite, before it reaches a checkpoint."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from torch import Tensor


class Entry(NamedTuple):
    """A value to check."""

    value: Tensor
    """A loss or a gradient norm, ()."""
    samples: int
    """The sample at which its micro-batch or step begins."""
    names: list[str] | None
    """The samples' names for a loss; None for a gradient norm."""
    out: dict[str, Tensor]
    """All outputs of the micro-batch; empty for a gradient norm."""


class FiniteCheck:
    """Collects losses and gradient norms on their device and checks them together, because each check
    synchronises with the GPU. It must be called before every checkpoint."""

    def __init__(self, accelerator: Accelerator, root: Path):
        self.accelerator, self.root = accelerator, root
        self.entries: list[Entry] = []

    def add_loss(self, samples: int, names: list[str], out: dict[str, Tensor]) -> None:
        """Adds the outputs of a micro-batch, with `loss` ()."""
        out = {name: value.detach() for name, value in out.items()}
        self.entries.append(Entry(out["loss"], samples, names, out))

    def add_norm(self, samples: int, norm: Tensor) -> None:
        """Adds a step's gradient norm. Not in fp16, where the scaler skips steps whose gradient is not
        finite."""
        if self.accelerator.scaler is None:
            self.entries.append(Entry(norm, samples, None, {}))

    def raise_if_not_finite(self, culprits: Callable[[list[str], dict[str, Tensor]], list[str]]) -> None:
        """Raises FloatingPointError, in all processes, for the first collected value that is not finite in
        any process. For a loss, the message names the samples that `culprits` returns, or all of the
        micro-batch."""
        entries, self.entries = self.entries, []
        values = self.accelerator.reduce(torch.stack([entry.value.float() for entry in entries])).tolist()
        for entry, value in zip(entries, values, strict=True):
            if abs(value) < float("inf"):  # also false for NaN
                continue
            note = f"the checkpoints in {self.root / 'checkpoints'} are kept"
            if entry.names is None:
                raise FloatingPointError(f"the gradient is {value} at sample {entry.samples}; {note}")
            names = gather_object(culprits(entry.names, entry.out)) or gather_object(entry.names)
            listed = f" ({', '.join(names)})" if names else ""
            raise FloatingPointError(f"the loss is {value} at sample {entry.samples}{listed}; {note}")
