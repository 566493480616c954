"""Where data may come from: a local path, a pattern of local paths, or a URL that fsspec reads.

No address is ever passed to a shell or another program, and schemes that are not listed are refused.
"""

from __future__ import annotations

import logging
import os
import re
from errno import ENAMETOOLONG
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

import fsspec
from braceexpand import braceexpand

from cdd_icm.errors import InputError, of_type
from cdd_icm.limits import ANY_SIZE, FILES, check_files, open_file
from cdd_icm.remote import answer_seconds, answering
from cdd_icm.text import check_text

SCHEMES = {"https": "aiohttp", "s3": "s3fs", "gs": "gcsfs", "hf": "huggingface_hub"}
"""The schemes of URLs that can be read, and the package that fsspec needs for each."""

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]+):", re.IGNORECASE)  # at least two letters: C: is a drive
_INNERMOST = re.compile(r"\{([^{}]*)\}")
_RANGE = re.compile(r"(-?\d+)\.\.(-?\d+)(?:\.\.(-?\d+))?|([a-z])\.\.([a-z])(?:\.\.(-?\d+))?", re.IGNORECASE)
_COUNT = re.compile("\0([^\0]*)\0")


def scheme_of(address: str | Path) -> str | None:
    """The scheme of a URL, or None for a local path. A local name that looks like a URL must be given as an
    absolute path (pathlib drops a leading `./`).

    Raises:
        InputError: a scheme that is not in `SCHEMES`.
    """
    of_type(address, (str, os.PathLike), "path", "text or a path")
    match = _SCHEME.match(str(address))
    if match is None:
        return None
    scheme = match[1].lower()
    if scheme not in SCHEMES:
        known = ", ".join(f"{name}://" for name in SCHEMES)
        raise InputError(f"{address}: {scheme}: is refused; expected a local path or one of {known}")
    return scheme


def local_path(address: str | Path) -> Path:
    """The address as a local path. Raises InputError if it is a URL, or no path can have this name."""
    if scheme := scheme_of(address):
        raise InputError(f"{address}: {scheme}: is refused here; expected a local path")
    check_text(str(address), "path")
    try:
        os.lstat(address)
    except OSError as error:
        if error.errno == ENAMETOOLONG:
            raise InputError(f"{str(address)[:80]}...: the path is too long") from error
    return Path(address)


def expand(pattern: str) -> list[str]:
    """The addresses that a brace pattern names, such as `https://host/train-{000000..000063}.tar`.

    Raises:
        InputError: a refused scheme, more than `limits.FILES` (checked before any is listed), or
            unbalanced braces.
    """
    scheme_of(pattern)
    FILES.check(_count(pattern), f"{pattern}: names")
    try:
        addresses = list(braceexpand(pattern))
    except ValueError as error:
        raise InputError(f"{pattern}: not a brace pattern ({error})") from error
    for address in addresses:
        scheme_of(address)  # the scheme may come from a brace
    return addresses


def open_stream(address: str) -> BinaryIO:
    """The file at a local path or URL, opened for reading from start to end.

    Raises:
        InputError: the scheme is refused, its package is not installed, a local file is no regular one, or
            the server does not answer for `answer_seconds`, now or at a later read.
        OSError: a local file can't be opened. For a URL, its package raises errors of its own.
    """
    scheme = scheme_of(address)
    if scheme is None:
        return open_file(address, ANY_SIZE)
    limit = answer_seconds()
    try:
        kind = fsspec.get_filesystem_class(scheme)
    except ImportError:
        package = SCHEMES[scheme]
        raise InputError(
            f"{address}: {scheme}:// needs the package {package} (pip install {package})"
        ) from None
    logging.getLogger(kind.__module__.partition(".")[0]).setLevel(
        logging.ERROR
    )  # what it retries is told here

    def connect() -> BinaryIO:
        files = fsspec.filesystem(scheme, **_options(scheme, limit))  # gs:// looks for credentials here
        # a server may not support ranges: without blocks the file comes in one response
        return files.open(address, "rb", **_BLOCKS.get(scheme, {}))

    return answering(address, connect, limit)


_BLOCKS = {"https": {"block_size": 0}}


def _options(scheme: str, limit: float) -> dict[str, Any]:
    """The options of a scheme's file system that keep it from retrying for minutes."""
    if scheme == "https":
        import aiohttp  # takes a while, and only URLs need it

        # the default limits the whole download to five minutes
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=limit, sock_read=limit)
        return {"client_kwargs": {"timeout": timeout}}
    if scheme == "s3":
        waits = {"connect_timeout": limit, "read_timeout": limit}
        return {"config_kwargs": {**waits, "retries": {"max_attempts": 2}}}
    return {"requests_timeout": limit} if scheme == "gs" else {}


def path_within(name: str, where: str) -> str:
    """`name`, the path of a file relative to a folder. Raises InputError, starting with `where`, if it is
    absolute or leaves the folder."""
    parts = re.split(r"[/\\]", name)
    if parts[0] == "" or ".." in parts or "\0" in name:
        raise InputError(f"{where}: {name!r} leaves the folder")
    return name


def check_link(file: Path, folder: Path) -> None:
    """Raises InputError if `file`, in the untrusted `folder`, is a symbolic link to a place outside of it. A
    snapshot in Hugging Face's cache may link to the blobs of its repository."""
    root, target = Path(os.path.realpath(folder)), Path(os.path.realpath(file))
    allowed = [root]
    if root.parent.name == "snapshots" and root.parents[1].name.startswith("models--"):
        allowed.append(root.parents[1] / "blobs")
    if not any(target.is_relative_to(place) for place in allowed):
        raise InputError(f"{file}: a link to {target}, outside of its folder")


def check_links(folder: Path) -> None:
    """`check_link` for every file in a folder, at any depth, and `check_files`."""
    for file in sorted(folder.rglob("*")):
        if file.is_symlink():
            check_link(file, folder)
    check_files(folder)


def _count(pattern: str) -> float:
    """The number of names that a brace pattern stands for, without listing them."""

    def count(group: re.Match) -> str:
        if bounds := _RANGE.fullmatch(group[1]):
            low, high, step, first, last, stride = bounds.groups()
            if first:
                low, high, step = str(ord(first)), str(ord(last)), stride
            span = abs(_number(high) - _number(low))
            names = span // max(1, abs(_number(step or "1"))) + 1
        else:
            names = sum(_product(part) for part in group[1].split(","))
        return f"\0{names}\0"

    rest = re.sub("\\\\.|\0", "", pattern, flags=re.DOTALL)  # an escaped brace or comma is plain text
    changed = True
    while changed:
        rest, changed = _INNERMOST.subn(count, rest)
    return _product(rest)


def _product(text: str) -> float:
    return prod((float(count) for count in _COUNT.findall(text)), start=1.0)


def _number(digits: str) -> float:
    """The number, limited to the range of a float; `FILES` is far below."""
    return min(max(float(digits), -1e300), 1e300)
