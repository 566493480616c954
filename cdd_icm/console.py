"""What the commands print: the one place, because names and captions may hold control characters."""

from __future__ import annotations

import re
import sys
from typing import TextIO

_CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
"""What a terminal acts on, what turns the direction of writing, and halves of characters."""


def printable(text: object, one_line: bool = False) -> str:
    """The text with control characters written as escapes, such as `\\x1b`; tabs and, unless it shall be
    `one_line`, line ends stay."""
    shown = _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), str(text))
    return shown.replace("\n", "\\n") if one_line else shown


def say(*values: object, file: TextIO | None = None, end: str = "\n", flush: bool = False) -> None:
    """As `print`, of `printable` text; what the terminal's encoding lacks is written as escapes too."""
    file = file or sys.stdout
    text = " ".join(printable(value) for value in values)
    encoding = getattr(file, "encoding", None) or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding), file=file, end=end, flush=flush)


def complain(program: str, error: object) -> None:
    """The one line on stderr that tells what was wrong."""
    say(f"{program}: {printable(error, one_line=True)}", file=sys.stderr)
