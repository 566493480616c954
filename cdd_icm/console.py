"""Printing to the terminal. Names and captions may contain control characters, so all output goes here."""

from __future__ import annotations

import argparse
import io
import os
import re
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO

from cdd_icm.errors import InputError, InputWarning, Stopped, os_error_line
from cdd_icm.text import check_texts

_CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
"""Control characters, marks that change the direction of text, and lone surrogates."""


def printable(text: object, one_line: bool = False) -> str:
    """The text with control characters as escapes such as `\\x1b`. Tabs are kept, and so are line breaks
    unless `one_line`."""
    escaped = _CONTROL.sub(lambda match: match[0].encode("unicode_escape").decode(), str(text))
    return escaped.replace("\n", "\\n") if one_line else escaped


def say(*values: object, file: TextIO | None = None, end: str = "\n", flush: bool = False) -> None:
    """Like `print`, but makes the text `printable` and escapes what the terminal's encoding lacks."""
    file = file or sys.stdout
    text = " ".join(printable(value) for value in values)
    encoding = getattr(file, "encoding", None) or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding), file=file, end=end, flush=flush)


def print_error(program: str, error: object) -> None:
    """Prints an error as one line on stderr."""
    say(f"{program}: {printable(error, one_line=True)}", file=sys.stderr)


class Parser(argparse.ArgumentParser):
    """A parser that prints help and errors with `say`."""

    def _print_message(self, message: str, file: TextIO | None = None) -> None:
        if message:
            say(message, file=file or sys.stderr, end="")


def run(parser: Parser, arguments: Sequence[str] | None = None) -> int:
    """Parses a command's arguments (None: the process's own), runs it, and returns its exit status, see
    `exit_status`. What the terminal can't show is escaped, whoever prints it."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")

    def command() -> int | None:
        given = sys.argv[1:] if arguments is None else list(arguments)
        check_texts(given, "argument")
        parsed = parser.parse_args(given)
        return parsed.run(parsed)

    show = warnings.showwarning

    def show_warning(message: Warning | str, category: type[Warning], *rest) -> None:
        if issubclass(category, InputWarning):
            print_error(parser.prog, message)
        else:
            show(message, category, *rest)

    warnings.showwarning = show_warning
    try:
        return exit_status(parser.prog, command)
    finally:
        warnings.showwarning = show


def exit_status(program: str, command: Callable[[], int | None]) -> int:
    """Runs a command and returns the exit status of its program.

    Invalid input and disk errors print one line on stderr and return 2; a loss that is not finite prints one
    line and returns 1; Ctrl-C returns 130 and SIGTERM 143, with a line that says where it stopped; a closed
    output pipe returns 141.
    """
    received: list[int] = []
    try:
        with _signals_raise(received):
            status = command() or 0
        sys.stdout.flush()
        return status
    except Stopped as error:
        print_error(program, error)
        return 128 + error.number
    except KeyboardInterrupt:
        print_error(program, "stopped")
        return 128 + signal.SIGINT
    except BaseException as error:
        if received:  # libraries turn what a signal raises within them into errors of their own
            print_error(program, "stopped")
            return 128 + received[0]
        return _error_status(program, error)


def _error_status(program: str, error: BaseException) -> int:
    """Prints the line of an error that `exit_status` knows, and returns its status."""
    match error:
        case InputError():
            print_error(program, error)
            return 2
        case BrokenPipeError():  # such as `| head`; flushing the rest at exit would fail again
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 141
        case OSError():  # from checking a path: no permission, name too long
            print_error(program, os_error_line(error))
            return 2
        case FloatingPointError():
            print_error(program, error)
            return 1
    raise error


@contextmanager
def _signals_raise(received: list[int]) -> Iterator[None]:
    """Within the block SIGTERM ends the work as Ctrl-C does, which removes temporary files, unless the
    program has a handler of its own. The numbers of the signals are added to `received`."""

    def stop(number: int, frame: object) -> None:
        received.append(number)
        raise Stopped("stopped", number)

    usual = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
    ours = threading.current_thread() is threading.main_thread()
    before = {n: handler for n, handler in usual.items() if ours and signal.getsignal(n) is handler}
    for number in before:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
