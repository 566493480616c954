"""Escapes untrusted text for a Markdown page."""

from __future__ import annotations

import html
from typing import Any

from cdd_icm.console import printable

_PUNCTUATION = str.maketrans({"|": "&#124;", "[": "&#91;", "]": "&#93;", "`": "&#96;"})


def escaped(value: Any) -> Any:
    """`value` with all its texts, including keys, escaped for Markdown: they can't add HTML, a link, a table
    cell, a line or a control character."""
    if isinstance(value, str):
        return html.escape(printable(value, one_line=True), quote=False).translate(_PUNCTUATION)
    if isinstance(value, dict):
        return {escaped(key): escaped(item) for key, item in value.items()}
    return [escaped(item) for item in value] if isinstance(value, list | tuple) else value
