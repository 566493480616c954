"""Ctrl-C and SIGTERM, which clusters send before they kill: the current piece of work is finished first."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from typing import NoReturn

from cdd_icm.console import say
from cdd_icm.errors import Stopped

NUMBERS = (signal.SIGINT, signal.SIGTERM)


class StopSignal:
    """Inside `with StopSignal() as stop`, Ctrl-C and SIGTERM set `stop.received` to their number; a second
    signal exits at once."""

    def __enter__(self) -> StopSignal:
        self.received = 0
        self.handlers: dict[int, Callable | int | None] = {}
        for number in NUMBERS:
            try:
                self.handlers[number] = signal.signal(number, self._remember)
            except ValueError:  # not the main thread: the program keeps its own handlers
                break
        return self

    def __exit__(self, *_) -> None:
        for number, handler in self.handlers.items():
            signal.signal(number, handler)

    def check(self, where: str) -> None:
        """Calls `stop` if a signal was received."""
        if self.received:
            self.stop(where)

    def stop(self, where: str) -> NoReturn:
        """Raises Stopped, whose message says `where`. Another process of the run may have got the signal."""
        message = f"{where}; run the same command again to resume"
        raise Stopped(message, self.received or signal.SIGTERM)

    def _remember(self, number: int, frame: object) -> None:
        if self.received:
            sys.exit(128 + number)
        self.received = number
        say("stopping after this step; run the same command again to resume", file=sys.stderr)
