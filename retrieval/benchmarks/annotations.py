"""Reads annotation files; every error names file, line, entry and field."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from cdd_icm.errors import InputError
from cdd_icm.io import NUMBERS
from cdd_icm.number import RefusedNumber
from cdd_icm.text import read_text

_GAP = re.compile(r"[\s,]*")


def find(root: str | Path, *names: str) -> Path:
    """The first of the named files that exists below `root`.

    Raises:
        InputError: none exists; the message names the first.
    """
    root = Path(root)
    found = next((root / name for name in names if (root / name).is_file()), None)
    if found is None:
        raise InputError(f"{root / names[0]}: annotation file not found")
    return found


@dataclass(frozen=True, slots=True)
class _Source:
    path: Path
    text: str
    lines: tuple[int, ...] | None
    """The line of each entry in a file with one entry a line. None: a JSON array, whose lines are searched
    for when an error needs one. Empty: the file is a single object, and no line is named."""

    def where(self, index: int) -> str:
        if self.lines == ():
            return str(self.path)
        return f"{self.path}: line {self._line(index)}, entry {index + 1}"

    def _line(self, index: int) -> int:
        if self.lines is not None:
            return self.lines[index]
        position = start = self.text.index("[") + 1
        for _ in range(index + 1):
            start = _GAP.match(self.text, position).end()
            _, position = json.JSONDecoder().raw_decode(self.text, start)
        return self.text.count("\n", 0, start) + 1


@dataclass(frozen=True, slots=True)
class Entry:
    """One JSON object of an annotation file. Its methods return the value of a field and raise InputError
    where it is missing or invalid."""

    source: _Source
    index: int
    fields: Mapping[str, object]
    inside: str = ""
    """Path of this object within the entry, ending in a dot."""

    def fault(self, field: str, reason: str) -> InputError:
        return InputError(f"{self.source.where(self.index)}: {self.inside}{field}: {reason}")

    def __contains__(self, field: str) -> bool:
        return field in self.fields

    def text(self, field: str, may_be_empty: bool = False) -> str:
        value = self._value(field, str, "a text")
        if not may_be_empty and not value.strip():
            raise self.fault(field, "empty")
        return value

    def texts(self, field: str, count: int) -> tuple[str, ...]:
        """A list of `count` texts; they may be empty, as some are in the published files."""
        values = self._value(field, list, "a list of texts")
        if len(values) != count:
            raise self.fault(field, f"{len(values)} texts instead of {count}")
        for value in values:
            if not isinstance(value, str):
                raise self.fault(field, f"{value!r} is not a text")
        return tuple(values)

    def id(self, field: str, known: Collection[str] | None = None, listed_in: str = "") -> str:
        """The id of an image or query, a string or an integer, as a string. Ids that are not in `known` are
        refused; `listed_in` names the file that lists those."""
        return self._id(field, self._value(field, (str, int), "an id"), known, listed_in)

    def ids(self, field: str, known: Collection[str] | None = None, listed_in: str = "") -> tuple[str, ...]:
        """A list of distinct ids."""
        values = self._value(field, list, "a list of ids")
        ids = tuple(self._id(field, value, known, listed_in) for value in values)
        if len(set(ids)) != len(ids):
            raise self.fault(field, f"an id appears twice: {', '.join(ids)}")
        return ids

    def numbers(self, field: str, count: int) -> tuple[float, ...]:
        values = self._value(field, list, f"a list of {count} numbers")
        if len(values) != count or any(
            isinstance(value, bool) or not isinstance(value, int | float) for value in values
        ):
            raise self.fault(field, f"{values!r} is not a list of {count} numbers")
        return tuple(map(float, values))

    def id_of_pair(self, field: str, known: Collection[str], listed_in: str) -> str:
        """The id in an [id, path] list, checked as by `id`."""
        values = self._value(field, list, "an [id, path] list")
        if len(values) != 2 or not isinstance(values[1], str):
            raise self.fault(field, f"{_short(values)} is not an [id, path] list")
        return self._id(field, values[0], known, listed_in)

    def entry(self, field: str) -> Entry:
        """A nested object."""
        value = self._value(field, dict, "an object")
        return Entry(self.source, self.index, value, f"{self.inside}{field}.")

    def entries(self, field: str) -> tuple[Entry, ...]:
        """A list of nested objects."""
        values = self._value(field, list, "a list of objects")
        for number, value in enumerate(values):
            if not isinstance(value, dict):
                raise self.fault(f"{field}[{number}]", f"{value!r} is not an object")
        return tuple(
            Entry(self.source, self.index, value, f"{self.inside}{field}[{number}].")
            for number, value in enumerate(values)
        )

    def _value(self, field: str, kind: type | tuple[type, ...], what: str):
        if field not in self.fields:
            raise self.fault(field, "missing")
        value = self.fields[field]
        if isinstance(value, bool) or not isinstance(value, kind):
            raise self.fault(field, f"{_short(value)} is not {what}")
        return value

    def _id(self, field: str, value: object, known: Collection[str] | None, listed_in: str) -> str:
        if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
            raise self.fault(field, f"{_short(value)} is not an id")
        if known is not None and str(value) not in known:
            raise self.fault(field, f"unknown image {str(value)!r}, not in {listed_in}")
        return str(value)


def read_entries(path: Path) -> tuple[Entry, ...]:
    """The objects of a JSON array or a JSON Lines file, whatever its suffix.

    Raises:
        InputError: the file is missing, empty, unreadable, not JSON, or contains anything but objects.
    """
    text = read_text(path)
    if text.lstrip().startswith("["):
        values, source = _parse(path, text), _Source(path, text, None)
    else:
        lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
        values = [_parse(path, line, number) for number, line in lines]
        source = _Source(path, text, tuple(number for number, _ in lines))
    for index, value in enumerate(values):
        if not isinstance(value, dict):
            raise InputError(f"{source.where(index)}: {_short(value)} is not an object")
    if not values:
        raise InputError(f"{path}: no entries")
    return tuple(Entry(source, index, value) for index, value in enumerate(values))


def read_object(path: Path) -> Entry:
    """A file that is one JSON object."""
    text = read_text(path)
    value = _parse(path, text)
    if not isinstance(value, dict):
        raise InputError(f"{path}: {_short(value)} is not an object")
    return Entry(_Source(path, text, ()), 0, value)


def by_id(entries: Iterable[Entry], field: str) -> dict[str, Entry]:
    """The entries by their ids, in order.

    Raises:
        InputError: two have the same id.
    """
    found: dict[str, Entry] = {}
    for entry in entries:
        id = entry.id(field)
        if id in found:
            raise entry.fault(field, f"{id!r} appears twice")
        found[id] = entry
    return found


def read_ids(path: Path) -> tuple[str, ...]:
    """A JSON list of distinct image ids, in order."""
    text = read_text(path)
    values = _parse(path, text)
    if not isinstance(values, list):
        raise InputError(f"{path}: {_short(values)} is not a list of image ids")
    return _distinct(_Source(path, text, None), values)


def read_lines(path: Path) -> tuple[str, ...]:
    """A text file with one image id a line, all distinct."""
    text = read_text(path)
    lines = {number: line.strip() for number, line in enumerate(text.split("\n"), 1) if line.strip()}
    return _distinct(_Source(path, text, tuple(lines)), lines.values())


def _distinct(source: _Source, values: Iterable[object]) -> tuple[str, ...]:
    distinct: dict[str, None] = {}
    for index, value in enumerate(values):
        if not isinstance(value, str) or not value:
            raise InputError(f"{source.where(index)}: {_short(value)} is not an image id")
        if value in distinct:
            raise InputError(f"{source.where(index)}: image {value!r} appears twice")
        distinct[value] = None
    return tuple(distinct)


def _parse(path: Path, text: str, line: int | None = None):
    try:
        return json.loads(text, **NUMBERS)
    except json.JSONDecodeError as error:
        at = line or error.lineno
        raise InputError(f"{path}: line {at}, column {error.colno}: not JSON ({error.msg})") from error
    except RefusedNumber as error:
        raise InputError(f"{path}: {f'line {line}: ' * bool(line)}{error}") from error
    except (ValueError, RecursionError) as error:  # a refused number, or too deep nesting
        raise InputError(f"{path}: JSON that can't be read ({error})") from error


def _short(value: object) -> str:
    written = repr(value)
    return written if len(written) <= 60 else f"{written[:57]}..."
