"""Servers that must answer in time: a limit on silence, not on a download's length."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from typing import Any, BinaryIO

from cdd_icm.console import say
from cdd_icm.errors import InputError

ANSWER_SECONDS = 30.0
"""How long a server may be silent, unless the environment variable `LIMIT` has another number."""

LIMIT = "CDD_ICM_ANSWER_SECONDS"
TELL_SECONDS = 10.0
"""After each of these a line says that an answer is awaited."""

CHUNK = 1 << 20  # bytes asked for at once


def answer_seconds() -> float:
    """The limit in seconds. Raises InputError if the environment has something else than a number over 0."""
    text = os.environ.get(LIMIT, str(ANSWER_SECONDS))
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 86400:
        raise InputError(f"{LIMIT} is {text!r}, expected seconds over 0 and below 86400")
    return seconds


def answering(address: str, open_file: Callable[[], BinaryIO], limit: float) -> BinaryIO:
    """The file that `open_file` opens at a URL, to be read from start to end.

    Raises:
        InputError: no answer within `limit` seconds, now or at a later read.
    """
    return io.BufferedReader(_Answering(address, open_file, limit), CHUNK)


class _Answering(io.RawIOBase):
    def __init__(self, address: str, open_file: Callable[[], BinaryIO], limit: float):
        self._address, self._limit = address, limit
        self._file = self._within(open_file)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:
        data = self._within(lambda: self._file.read(len(buffer)))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if not self.closed and hasattr(self, "_file"):
            self._file.close()
        super().close()

    def _within(self, call: Callable[[], Any]) -> Any:
        """Runs the call in a thread that does not keep the process from ending."""
        answer: Future = Future()

        def run() -> None:
            try:
                answer.set_result(call())
            except BaseException as error:
                answer.set_exception(error)

        Thread(target=run, daemon=True).start()
        waited = 0.0
        while True:
            step = min(TELL_SECONDS, self._limit - waited)
            try:
                return answer.result(step)
            except TimeoutError:
                if answer.done():  # the call's own
                    raise
            waited += step
            if waited >= self._limit:
                raise InputError(f"{self._address}: no answer for {self._limit:g} s ({LIMIT} sets the limit)")
            say(f"{self._address}: no answer for {waited:g} of {self._limit:g} s", file=sys.stderr)
