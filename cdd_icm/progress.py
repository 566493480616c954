"""Progress on standard error: a bar in a terminal, a plain line every ten seconds in a log."""

from __future__ import annotations

import sys

from tqdm import tqdm

from cdd_icm.console import say

INTERVAL = 10.0
"""Seconds between two lines of a log."""

LINE = "{desc}: {n_fmt} of {total_fmt} {unit}, {elapsed} elapsed, {remaining} left{postfix}"


class Progress(tqdm):
    """A tqdm bar that prints a plain line every ten seconds if its file is not a terminal.

    Work that takes less than ten seconds prints no line. Takes tqdm's arguments.
    """

    def __init__(self, *args, **options):
        file = options.get("file") or sys.stderr
        self._plain = not file.isatty()
        self._last_line: float | None = None
        if self._plain:
            # leave=False: close() would add an empty line; miniters=1: the clock is read at every update
            options |= {"bar_format": LINE, "delay": INTERVAL, "mininterval": INTERVAL, "miniters": 1}
            options |= {"leave": False, "unit_scale": False}
        super().__init__(*args, **options)

    def display(self, msg: str | None = None, pos: int | None = None) -> bool:
        """Draws the bar; in a log, prints a line if the last one is ten seconds old or the work is done."""
        if not self._plain:
            return super().display(msg, pos)
        now, closing = self._time(), msg == ""
        before = self.start_t if self._last_line is None else self._last_line
        if closing or now - before >= INTERVAL:
            self._last_line = now
            self.fp.write(f"{self}\n")
            self.fp.flush()
        return False  # nothing is left on the line for close() to clear

    @classmethod
    def write(cls, s: str, **options) -> None:
        """Prints a message to standard output, as `say` does, without breaking the bars."""
        with cls.external_write_mode():
            say(s, **options)

    def clear(self, nolock: bool = False) -> None:
        """Clears the bar; lines in a log are kept."""
        if not self._plain:
            super().clear(nolock)
