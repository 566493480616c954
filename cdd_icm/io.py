"""Atomic writes of files and folders, checked JSON, and safetensors files."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import socket
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from errno import EISDIR
from itertools import count
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import psutil
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from cdd_icm.errors import InputError
from cdd_icm.limits import MEMORY, check_file
from cdd_icm.number import RefusedNumber, real, refuse_constant, whole
from cdd_icm.text import check_text, decode_text, read_text

HOST = zlib.crc32(socket.gethostname().encode())
"""This machine in the names of temporary files."""

_numbers = count()
_LEFTOVER = re.compile(r"\.(unfinished|old)\.([0-9a-f]{8})-(\d{1,9})-\d+\.(.+)", re.DOTALL)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yields a temporary name beside `path`; the file or folder written there replaces `path` on success.

    If the block fails or the process is killed, `path` is unchanged. Several processes and threads may do
    this at once; the last one wins. While a folder is being replaced the earlier one has a name that begins
    with `.old.`; the next use here brings back what a kill at that moment left, and removes all other
    leftovers of dead processes.

    Raises:
        InputError: the disk is full, not writable, or the like; the message names `path`.
    """
    check_text(str(path), "path")
    unfinished, old = _beside(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.parent not in _tidied:
            _tidied.add(path.parent)
            with suppress(OSError):  # such as a folder that can't be listed
                remove_leftovers(path.parent)
        yield unfinished
        for file in sorted(unfinished.rglob("*")) if unfinished.is_dir() else [unfinished]:
            _fsync(file)
        if unfinished.is_dir() and path.exists():
            path.rename(old)
        unfinished.replace(path)
        _remove(old)
    except BaseException as error:
        with suppress(OSError):
            _remove(unfinished)
        if not is_refusal(error):
            raise
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path}: can't be written ({reason})") from error


def is_refusal(error: BaseException) -> bool:
    """Whether the disk or file system refused something. Libraries in Rust, such as tokenizers, raise a plain
    Exception for that. An InputError says what it has to already."""
    if isinstance(error, InputError):
        return False
    return isinstance(error, OSError | SafetensorError) or "(os error " in str(error)


def remove_folder(folder: Path) -> None:
    """Removes a folder, if the disk allows. Its name is gone at once, so that no half of it is ever taken for
    the whole; what a kill leaves under another name goes like other leftovers, see `replacing`."""
    unfinished, _ = _beside(folder)
    with suppress(OSError):
        folder.rename(unfinished)
        shutil.rmtree(unfinished)


def _beside(path: Path) -> tuple[Path, Path]:
    """Names of what is to become, or is removed at, `path`, and of what it replaces. They tell whose they
    are, and keep the suffix, by which PIL knows the format."""
    name = f"{HOST:08x}-{os.getpid()}-{next(_numbers)}.{path.name}"
    return path.with_name(f".unfinished.{name}"), path.with_name(f".old.{name}")


_tidied: set[Path] = set()
"""Folders in which this process has looked for leftovers."""


def remove_leftovers(folder: Path, of_all_hosts: bool = False) -> None:
    """Removes what `replacing` left in `folder` in processes that died; what was about to be replaced, and is
    missing since, gets its name back.

    Args:
        of_all_hosts: also of processes of other machines, of which it is unknown whether they still run.
    """
    for file in list(folder.iterdir()):
        if not (match := _LEFTOVER.fullmatch(file.name)):
            continue
        kind, host, pid, name = match.groups()
        if psutil.pid_exists(int(pid)) if int(host, 16) == HOST else not of_all_hosts:
            continue
        if kind == "old" and not (folder / name).exists():
            file.rename(folder / name)
        else:
            _remove(file)


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
        file.write(to_json(values) + "\n")


def to_json(values: Any, **options: Any) -> str:
    """`values` as JSON that `parse_json` takes: minus zero becomes 0, and null what is not finite, such as
    the gradient norm of a step that fp16 skipped. `options`: of `json.dumps`."""
    return json.dumps(_plain_numbers(values), allow_nan=False, **options)


def _plain_numbers(values: Any) -> Any:
    if isinstance(values, dict):
        return {key: _plain_numbers(value) for key, value in values.items()}
    if isinstance(values, list | tuple):
        return [_plain_numbers(value) for value in values]
    if isinstance(values, float):
        return values + 0.0 if math.isfinite(values) else None
    return values


def read_json(file: Path, foreign: bool = False) -> dict[str, Any]:
    """The object in a JSON file; `foreign` as in `parse_json`.

    Raises:
        InputError: the file is missing, is not JSON, or does not contain an object.
    """
    values = parse_json(read_text(file), str(file), foreign)
    if not isinstance(values, dict):
        raise InputError(f"{file}: expected an object, found {type(values).__name__}")
    return values


def parse_json(
    encoded: str | bytes,
    where: str,
    foreign: bool = False,
    pairs: Callable[[list[tuple[str, Any]]], Any] | None = None,
) -> Any:
    """The value of a JSON text.

    Args:
        encoded: bytes are UTF-8.
        where: the file or field, which the error message starts with.
        foreign: takes the numbers that `cdd_icm.number` refuses. Only for published files that have them in
            fields that are not read.
        pairs: makes objects from their pairs, as `object_pairs_hook` of `json.loads`.

    Raises:
        InputError: it is not valid JSON, is of another encoding, or has a refused number.
    """
    text = decode_text(encoded, where) if isinstance(encoded, bytes) else encoded
    try:
        return json.loads(text, object_pairs_hook=pairs, **({} if foreign else NUMBERS))
    except InputError:
        raise
    except RefusedNumber as error:
        raise InputError(f"{where}: {error}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where}: not JSON ({error})") from error


NUMBERS = {"parse_int": whole, "parse_float": real, "parse_constant": refuse_constant}
"""How `json` reads numbers."""


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
        InputError: it is missing, truncated, not safetensors, such as a pickle, or `check_finite` raises it.
    """
    try:
        check_file(path, MEMORY)
        tensors = load_file(path)
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path}: not a complete safetensors file ({error})") from None
    check_finite(tensors.items(), path)
    return tensors


def check_finite(tensors: Iterable[tuple[str, Tensor]], path: Path) -> None:
    """Raises InputError, starting with `path`, at the first tensor with NaN or an infinity."""
    for name, tensor in tensors:
        # a sum is much cheaper than a look at every number; it may also overflow
        if tensor.is_floating_point() and not tensor.sum(dtype=torch.float32).isfinite():
            wrong = int((~tensor.isfinite()).sum())
            if wrong:
                raise InputError(f"{path}: {name}: {wrong} of {tensor.numel()} numbers are NaN or infinite")
