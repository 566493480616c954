"""Printing to the terminal. Names and captions may contain control characters, so all output goes here."""

from __future__ import annotations

import re
import sys
from typing import TextIO

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


def complain(program: str, error: object) -> None:
    """Prints an error as one line on stderr."""
    say(f"{program}: {printable(error, one_line=True)}", file=sys.stderr)
