"""Text from outside: files are read as UTF-8, and characters that no path or text can have are refused."""

from __future__ import annotations

import json
import re
from pathlib import Path

from cdd_icm.errors import InputError
from cdd_icm.limits import TEXT, Limit, read_local

_LINE_END = re.compile("\r\n|\n|\r")  # str.splitlines also splits at characters that JSON texts may contain
_REFUSED = re.compile("\0|[\ud800-\udfff]")


def read_text(file: Path, limit: Limit = TEXT) -> str:
    """The text of a UTF-8 file, without its byte order mark.

    Raises:
        InputError: as `read_local` and `decode_text`.
    """
    check_text(str(file), "path")
    return decode_text(read_local(file, limit), str(file))


def read_lines(file: Path) -> list[str]:
    """The lines of a UTF-8 file, without their ends. Raises as `read_text`."""
    return split_lines(read_text(file))


def split_lines(text: str) -> list[str]:
    """The lines of a text, which end in LF, CRLF or CR."""
    return _LINE_END.split(text)


def decode_text(encoded: bytes, where: str) -> str:
    """The text that UTF-8 bytes, with or without a byte order mark, stand for.

    Raises:
        InputError: another encoding, or a NUL character; the message starts with `where`.
    """
    # UTF-16 and UTF-32 are known by their byte order marks, or by where their NUL bytes are
    encoding = json.detect_encoding(encoded).upper()
    if not encoding.startswith("UTF-8"):
        raise InputError(f"{where}: {encoding} text, expected UTF-8 ({_convert(encoding)})")
    try:
        text = encoded.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = encoded.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"{where}: not UTF-8 text (byte 0x{encoded[error.start]:02x} on line {line}); "
            f"if it is Latin-1, {_convert('LATIN1')}"
        ) from error
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise InputError(f"{where}: a NUL character on line {line}, expected text")
    return text


def check_text(text: str, where: str) -> str:
    """The text, checked to have no NUL character and no lone surrogate, which UTF-8 can't encode: JSON can
    contain them, and Python uses them for undecodable command-line input.

    Raises:
        InputError: it has one; the message starts with `where`.
    """
    if found := _REFUSED.search(text):
        kind = "NUL character" if found[0] == "\0" else "lone surrogate"
        raise InputError(f"{where}: {text!r:.80} has a {kind}")
    return text


def check_texts(value: object, where: str) -> None:
    """`check_text` for every text in plain values, at any depth; `where` and the key start the message."""
    if isinstance(value, str):
        check_text(value, where)
    elif isinstance(value, dict):
        for key, each in value.items():
            check_texts(key, where)
            check_texts(each, f"{where}: {key}")
    elif isinstance(value, list | tuple):
        for each in value:
            check_texts(each, where)


def _convert(encoding: str) -> str:
    return f"convert it: iconv -f {encoding} -t UTF-8 OLD > NEW"
