"""Atomic writes of files and folders, checked JSON, and safetensors files."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from errno import EISDIR
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from cdd_icm.errors import InputError
from cdd_icm.text import check_text, decode_text, read_text


def unfinished_name(path: Path) -> Path:
    """Where `replacing` writes what becomes `path`; it keeps the suffix, by which PIL knows the format."""
    return path.with_name(f".unfinished.{path.name}")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yields a temporary name beside `path`; the file or folder written there replaces `path` on success.

    If the block fails or the process is killed, `path` is unchanged. While a folder is being replaced the
    earlier one is called `.old.<name>`; a kill at that moment leaves both.

    Raises:
        InputError: the disk is full, not writable, or the like; the message names `path`.
    """
    check_text(str(path), "path")
    unfinished = unfinished_name(path)
    try:
        _remove(unfinished)
        path.parent.mkdir(parents=True, exist_ok=True)
        yield unfinished
        for file in sorted(unfinished.rglob("*")) if unfinished.is_dir() else [unfinished]:
            _fsync(file)
        old = path.with_name(f".old.{path.name}")
        _remove(old)
        if unfinished.is_dir() and path.exists():
            path.rename(old)
        unfinished.replace(path)
        _remove(old)
    except (OSError, SafetensorError) as error:
        with suppress(OSError):
            _remove(unfinished)
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path}: can't be written ({reason})") from error
    except BaseException:
        _remove(unfinished)
        raise


def check_writable(path: Path) -> None:
    """Checks early that `replacing` will be able to write the file `path`.

    Raises:
        InputError: it can't be written; the message names `path`.
    """
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            raise IsADirectoryError(EISDIR, os.strerror(EISDIR))
        TemporaryFile(dir=path.parent).close()


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turns an OSError of the block into an InputError that names `path`."""
    check_text(str(path), "path")
    try:
        yield
    except OSError as error:
        raise InputError(f"{path}: can't be written ({error.strerror or error})") from error


def append_json(path: Path, values: dict[str, Any]) -> None:
    """Appends a line to a JSONL file.

    Raises:
        InputError: it can't be written; the message names `path`.
    """
    with writing(path), open(path, "a", encoding="utf-8") as file:
        file.write(json.dumps(values) + "\n")


def read_json(file: Path) -> dict[str, Any]:
    """The object in a JSON file.

    Raises:
        InputError: the file is missing, is not JSON, or does not contain an object.
    """
    values = parse_json(read_text(file), str(file))
    if not isinstance(values, dict):
        raise InputError(f"{file}: expected an object, found {type(values).__name__}")
    return values


def parse_json(encoded: str | bytes, where: str) -> Any:
    """The value of a JSON text.

    Args:
        encoded: bytes are UTF-8.
        where: the file or field, which the error message starts with.

    Raises:
        InputError: it is not valid JSON, or another encoding.
    """
    text = decode_text(encoded, where) if isinstance(encoded, bytes) else encoded
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where}: not JSON ({error})") from error


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _fsync(path: Path) -> None:
    if path.is_file():
        with open(path, "rb") as file:
            os.fsync(file.fileno())


def load_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file, by name.

    Raises:
        InputError: it is missing, truncated, or not safetensors, such as a pickle.
    """
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path}: not a complete safetensors file ({error})") from None
