"""Ctrl-C and SIGTERM, remembered until the step that is running has ended."""

from __future__ import annotations

import signal
import sys

import torch
from accelerate import Accelerator

from cdd_icm.console import say


class StopSignal:
    """Inside `with StopSignal() as stop`, Ctrl-C and SIGTERM are remembered until the job asks; a second
    one stops at once."""

    def __enter__(self) -> StopSignal:
        self.seen, self.before = False, {}
        for number in (signal.SIGINT, signal.SIGTERM):
            try:
                self.before[number] = signal.signal(number, self._remember)
            except ValueError:  # not in the main thread: the host program keeps its own handlers
                break
        return self

    def __exit__(self, *_) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)

    def _remember(self, number, frame) -> None:
        if self.seen:
            sys.exit(128 + number)
        self.seen = True
        say("stopping after this step; run the same command again to go on", file=sys.stderr)

    def requested(self, accelerator: Accelerator) -> bool:
        """Whether any process was told to stop: all must agree, or some would wait for ever."""
        if accelerator.num_processes == 1:
            return self.seen
        seen = torch.tensor([float(self.seen)], device=accelerator.device)
        return bool(accelerator.reduce(seen, "sum").item())
