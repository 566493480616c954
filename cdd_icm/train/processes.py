"""Sets up the processes of a run and coordinates them."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import torch
import torch.distributed
from accelerate import Accelerator, DistributedDataParallelKwargs
from accelerate.state import AcceleratorState
from accelerate.utils import parse_flag_from_env

from cdd_icm.config import RunConfig
from cdd_icm.device import mixed_precision, process_state
from cdd_icm.errors import InputError

Item, Result = TypeVar("Item"), TypeVar("Result")

PATIENCE = timedelta(days=7)
"""Time limit for waiting for another process, which may be validating or suspended."""


def make_accelerator(
    root: Path, t: RunConfig, gradient_accumulation: int = 1, find_unused_parameters: bool = False
) -> Accelerator:
    """accelerate's `Accelerator` for a run in the folder `root`.

    Args:
        find_unused_parameters: see `Recipe.has_unused_parameters`.

    Raises:
        InputError: accelerate's config asks for FSDP that is not available, the tracker is not installed, or
            the device does not support the precision.
    """
    if t.tracker != "none" and importlib.util.find_spec(t.tracker) is None:
        raise InputError(f"training.tracker: {t.tracker} is not installed")
    device = process_state().device
    precision = mixed_precision(t.mixed_precision, device)
    AcceleratorState._reset_state()  # an earlier run in this process may have had another precision
    accelerator = Accelerator(
        cpu=device.type == "cpu",
        mixed_precision=precision,
        gradient_accumulation_steps=gradient_accumulation,
        log_with=None if t.tracker == "none" else t.tracker,
        project_dir=root,
        kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=find_unused_parameters)],
    )
    if parse_flag_from_env("ACCELERATE_USE_FSDP") and not accelerator.is_fsdp2:
        # on CPUs accelerate would silently run DDP instead
        raise InputError("accelerate's config asks for FSDP, which needs GPUs and fsdp_version 2")
    return accelerator


class Coordinator:
    """Coordinates the processes of a run with a CPU process group: this does not synchronise with the GPU,
    and its time limit is `PATIENCE` instead of the minutes of the gradients' group."""

    def __init__(self, accelerator: Accelerator):
        self.rank, self.processes = accelerator.process_index, accelerator.num_processes
        self.main = self.rank == 0
        self.group = (
            None if self.processes == 1 else torch.distributed.new_group(backend="gloo", timeout=PATIENCE)
        )

    def any(self, flag: bool) -> bool:
        """Whether the flag is set in any process; all processes must call it."""
        if self.group is None:
            return flag
        flags = torch.tensor([flag], dtype=torch.int32)
        torch.distributed.all_reduce(flags, torch.distributed.ReduceOp.MAX, group=self.group)
        return bool(flags.item())

    def spread(
        self, function: Callable[[Sequence[Item]], Sequence[Result]], items: Sequence[Item]
    ) -> list[Result]:
        """`function(items)`, of which each process computes a contiguous share; in all processes, which must
        all call it. `function` gives a result for each item."""
        # accelerate's split_between_processes would give the last item twice where there are too few
        bounds = [len(items) * rank // self.processes for rank in (self.rank, self.rank + 1)]
        share = items[slice(*bounds)]
        results = list(function(share)) if len(share) else []
        if self.group is None:
            return results
        parts: list[list[Result]] = [[] for _ in range(self.processes)]
        torch.distributed.all_gather_object(parts, results, group=self.group)
        return [result for part in parts for result in part]

    def wait(self) -> None:
        """Waits until all processes have called it, such as while the main one writes."""
        if self.group is not None:
            torch.distributed.barrier(group=self.group)
