"""A picture's own tags: the fields of its row in a metadata.jsonl (the ImageFolder convention).

    {"file_name": "cat.png", "colour": "red", "price": 3}

The file may be in the indexed folder or in any folder below; `file_name` is relative to it.
"""

from __future__ import annotations

import json
from pathlib import PurePosixPath
from typing import Any

from cdd_icm.data.files import Files
from cdd_icm.data.readers.folder import METADATA
from cdd_icm.errors import InputError
from cdd_icm.io import parse_json
from cdd_icm.text import check_texts, decode_text, split_lines
from retrieval.index.store import FIELDS

MAX_TAG_BYTES = 65535
"""Milvus's limit for one picture's tags, as JSON."""


def read_tags(files: Files) -> dict[str, dict[str, Any]]:
    """The tags of every picture that has a row, by the picture's name in `files`.

    Raises:
        InputError: a row is not a JSON object, has no `file_name`, names a missing picture or one
            that has a row already, or has a field that the store can't hold.
    """
    names = set(files.names())
    tags: dict[str, dict[str, Any]] = {}
    for metadata in sorted(name for name in names if PurePosixPath(name).name == METADATA):
        text = decode_text(files.read(metadata), files.where(metadata))
        for number, line in enumerate(split_lines(text), 1):
            if line.strip():
                where = f"{files.where(metadata)}:{number}"
                name, fields = _parse(line, where)
                path = (PurePosixPath(metadata).parent / name).as_posix()
                if path not in names:
                    raise InputError(f"{where}: file_name: {name!r}: no such file")
                if path in tags:
                    raise InputError(f"{where}: file_name: {name!r} has a row already")
                tags[path] = fields
    return tags


def _parse(line: str, where: str) -> tuple[str, dict[str, Any]]:
    """The row's file name and its other fields."""
    try:
        fields = parse_json(line, where)
        name = fields.pop("file_name", None) if isinstance(fields, dict) else None
        size = len(json.dumps(fields, ensure_ascii=False).encode())
    except InputError:
        raise
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where}: not JSON that the store can hold ({error})") from error
    if not isinstance(fields, dict):
        raise InputError(f"{where}: not a JSON object")
    if not isinstance(name, str):
        raise InputError(f"{where}: file_name: {name!r}, expected a text")
    for taken in (*FIELDS, "$meta"):
        if taken in fields:
            raise InputError(f"{where}: {taken}: the name of a field of the store itself")
    check_texts({"file_name": name, **fields}, where)
    if size > MAX_TAG_BYTES:
        raise InputError(f"{where}: {size} bytes of tags, expected at most {MAX_TAG_BYTES}")
    return name, fields
