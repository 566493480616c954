"""Stops a run at a loss or gradient that is not finite, before it reaches a weight."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from torch import Tensor

Culprits = Callable[[list[str], dict[str, Tensor]], list[str]]
"""From the names of a micro-batch's samples and its outputs to those whose own loss is not finite."""


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
    """Collects losses and gradient norms on their device. A GPU checks them together, now and then, because
    each check makes the CPU wait for it; until then the optimiser skips its steps from the first value on
    that is not finite. It must be checked before every checkpoint."""

    def __init__(self, accelerator: Accelerator, root: Path):
        self.accelerator, self.root = accelerator, root
        self.entries: list[Entry] = []
        self.found = torch.zeros((), device=accelerator.device)
        """1 where some value since the last check is not finite, else 0."""

    def add_loss(self, samples: int, names: list[str], out: dict[str, Tensor]) -> None:
        """Adds the outputs of a micro-batch, with `loss` ()."""
        out = {name: value.detach() for name, value in out.items()}
        self._add(Entry(out["loss"], samples, names, out))

    def add_norm(self, samples: int, norm: Tensor) -> None:
        """Adds a step's gradient norm. Not in fp16, where the scaler skips steps whose gradient is not
        finite."""
        if self.accelerator.scaler is None:
            self._add(Entry(norm, samples, None, {}))

    def before_step(self, optimizer: torch.optim.Optimizer, culprits: Culprits) -> None:
        """On a GPU, tells a fused `optimizer` to skip its next step if a value was not finite: it reads
        `found_inf` on the device, as it does for fp16's scaler, which sets it itself. Elsewhere
        `raise_if_not_finite`."""
        if self.accelerator.device.type != "cuda":
            self.raise_if_not_finite(culprits)
        elif self.accelerator.scaler is None:
            optimizer.found_inf = self.found

    def _add(self, entry: Entry) -> None:
        self.entries.append(entry)
        self.found = torch.maximum(self.found, (~entry.value.isfinite()).float())

    def raise_if_not_finite(self, culprits: Culprits) -> None:
        """Raises FloatingPointError, in all processes, for the first collected value that is not finite in
        any process. For a loss, the message names the samples that `culprits` returns, or all of the
        micro-batch."""
        entries, self.entries = self.entries, []
        if not entries:
            return
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
