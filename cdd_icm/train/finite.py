"""Losses and gradients that are not finite stop a run before they reach a checkpoint."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from torch import Tensor


class Entry(NamedTuple):
    value: Tensor
    """A loss or a gradient norm, ()."""
    samples: int
    """Where its micro-batch or step begins."""
    names: list[str] | None
    """The samples of a micro-batch; None: it is the norm of a step."""
    out: dict[str, Tensor]


class FiniteCheck:
    """Collects losses and gradient norms on their device, and looks at all of them when asked: each look
    costs a GPU its lead over the CPU. Ask before every checkpoint."""

    def __init__(self, accelerator: Accelerator, root: Path):
        self.accelerator, self.root = accelerator, root
        self.entries: list[Entry] = []

    def add_loss(self, samples: int, names: list[str], out: dict[str, Tensor]) -> None:
        """What the model returned for a micro-batch: `loss` (), and anything else."""
        out = {name: value.detach() for name, value in out.items()}
        self.entries.append(Entry(out["loss"], samples, names, out))

    def add_norm(self, samples: int, norm: Tensor) -> None:
        """The norm of a step's gradient. In fp16 the scaler skips a step whose gradient is not finite."""
        if self.accelerator.scaler is None:
            self.entries.append(Entry(norm, samples, None, {}))

    def raise_if_not_finite(self, culprits: Callable[[list[str], dict[str, Tensor]], list[str]]) -> None:
        """Raises FloatingPointError for the first value since the last call that is not finite in some
        process; in all processes alike, or the others would wait for ever. Of a loss it names the samples at
        fault, as `culprits` finds them, or else all of the micro-batch."""
        entries, self.entries = self.entries, []
        values = self.accelerator.reduce(torch.stack([entry.value.float() for entry in entries])).tolist()
        for entry, value in zip(entries, values, strict=True):
            if abs(value) < float("inf"):  # false for nan, too
                continue
            kept = f"the checkpoints in {self.root / 'checkpoints'} are kept"
            if entry.names is None:
                raise FloatingPointError(f"the gradient is {value} at sample {entry.samples}; {kept}")
            names = gather_object(culprits(entry.names, entry.out)) or gather_object(entry.names)
            named = f" ({', '.join(names)})" if names else ""
            raise FloatingPointError(f"the loss is {value} at sample {entry.samples}{named}; {kept}")
