"""Read-only file trees: a folder, a zip, a tar, or memory."""

from __future__ import annotations

import io
import lzma
import os
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from cdd_icm.errors import InputError
from cdd_icm.limits import ANY_SIZE, MEMBER, check_file, read_local
from cdd_icm.sources import path_within
from cdd_icm.walk import files_below

DAMAGED_ZIP = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError),
    *(RuntimeError, ValueError, OSError, EOFError),  # encrypted, unsupported version, undecodable names
)


class Files(Protocol):
    """A tree of files. Names are relative, with forward slashes."""

    def names(self) -> Iterator[str]: ...

    def read(self, name: str) -> bytes:
        """Raises InputError if the file is missing or can't be read."""

    def where(self, name: str) -> str:
        """The file's name for error messages."""


@dataclass(frozen=True)
class FolderFiles:
    """The files in a folder."""

    root: Path

    def names(self) -> Iterator[str]:
        """At any depth, through symbolic links too. Raises InputError if a folder can't be listed."""
        return (file.relative_to(self.root).as_posix() for file in files_below(self.root) if file.is_file())

    def read(self, name: str) -> bytes:
        path_within(name, str(self.root))
        return read_local(self.root / name, MEMBER)

    def where(self, name: str) -> str:
        return str(self.root / name)


@dataclass(frozen=True)
class ZipFiles:
    """A zip file, opened separately in each process, so that it works after a fork or in a loader process."""

    path: Path

    def names(self) -> Iterator[str]:
        return (name for name in self._zip().namelist() if not name.endswith("/"))

    def read(self, name: str) -> bytes:
        archive = self._zip()
        try:
            MEMBER.check(archive.getinfo(name).file_size, f"{self.where(name)}: unpacks to")
            return archive.read(name)
        except InputError:
            raise
        except KeyError as error:
            raise InputError(f"{self.where(name)}: no such file in the zip") from error
        except DAMAGED_ZIP as error:
            raise InputError(f"{self.where(name)}: damaged in the zip ({error})") from error

    def where(self, name: str) -> str:
        return f"{self.path}/{name}"

    def entries(self) -> list[zipfile.ZipInfo]:
        """What the zip says of its members, which may be untrue. Raises InputError if it can't be read."""
        return self._zip().infolist()

    def _zip(self) -> zipfile.ZipFile:
        try:
            return _open_zip(self.path, os.getpid(), _version(self.path))
        except InputError:
            raise
        except DAMAGED_ZIP as error:
            raise InputError(f"{self.path}: not a readable zip ({error})") from error


def zip_of(contents: Mapping[str, bytes]) -> bytes:
    """A zip with these files."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return out.getvalue()


def _version(path: Path) -> tuple[int, ...]:
    """Differs once the file is replaced or written to: what is remembered of it no longer holds."""
    status = path.stat()
    return status.st_ino, status.st_mtime_ns, status.st_size


@lru_cache(maxsize=16)
def _open_zip(path: Path, pid: int, version: tuple[int, ...]) -> zipfile.ZipFile:
    """`pid` is part of the cache key: handles shared across a fork would share their file position."""
    check_file(path, ANY_SIZE)
    return zipfile.ZipFile(path)


@dataclass(frozen=True)
class TarFiles:
    """An uncompressed tar with random access to its members."""

    path: Path

    def names(self) -> Iterator[str]:
        return iter(self._offsets())

    def read(self, name: str) -> bytes:
        offsets = self._offsets()
        if name not in offsets:
            raise InputError(f"{self.where(name)}: no such file in the tar")
        offset, size = offsets[name]
        with open(self.path, "rb") as file:
            file.seek(offset)
            return file.read(size)

    def where(self, name: str) -> str:
        return f"{self.path}/{name}"

    def _offsets(self) -> dict[str, tuple[int, int]]:
        try:
            return _tar_offsets(self.path, _version(self.path))
        except InputError:
            raise
        except (tarfile.TarError, OSError) as error:
            raise InputError(f"{self.path}: not a readable tar ({error})") from error


class Member(tarfile.TarInfo):
    """A member of a tar whose declared size is checked with its header: long names and other headers are
    read at once."""

    @classmethod
    def frombuf(cls, buf: bytes, encoding: str, errors: str) -> Member:
        member = super().frombuf(buf, encoding, errors)
        MEMBER.check(member.size, f"{member.name}: declares")
        return member


@lru_cache(maxsize=256)
def _tar_offsets(path: Path, version: tuple[int, ...]) -> dict[str, tuple[int, int]]:
    check_file(path, ANY_SIZE)
    try:
        with tarfile.open(path, "r:", tarinfo=Member) as tar:
            return {member.name: (member.offset_data, member.size) for member in tar if member.isreg()}
    except InputError as error:
        raise InputError(f"{path}/{error}") from None


@dataclass(frozen=True)
class MemoryFiles:
    """Files in memory; `source` names them in errors."""

    source: str
    contents: dict[str, bytes]

    def names(self) -> Iterator[str]:
        return iter(self.contents)

    def read(self, name: str) -> bytes:
        if name not in self.contents:
            raise InputError(f"{self.where(name)}: missing")
        return self.contents[name]

    def where(self, name: str) -> str:
        return f"{self.source}/{name}"
