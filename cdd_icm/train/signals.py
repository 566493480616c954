"""Defers Ctrl-C and SIGTERM until the current step has ended."""

from __future__ import annotations

import signal
import sys

from cdd_icm.console import say


class StopSignal:
    """Inside `with StopSignal() as stop`, Ctrl-C and SIGTERM set `stop.received`; a second signal exits at
    once."""

    def __enter__(self) -> StopSignal:
        self.received, self.handlers = False, {}
        for number in (signal.SIGINT, signal.SIGTERM):
            try:
                self.handlers[number] = signal.signal(number, self._remember)
            except ValueError:  # not the main thread: the program keeps its own handlers
                break
        return self

    def __exit__(self, *_) -> None:
        for number, handler in self.handlers.items():
            signal.signal(number, handler)

    def _remember(self, number, frame) -> None:
        if self.received:
            sys.exit(128 + number)
        self.received = True
        say("stopping after this step; run the same command again to resume", file=sys.stderr)
