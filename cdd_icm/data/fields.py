"""Checked access to the fields of JSON objects; each error names the field and its value."""

from __future__ import annotations

import sys
from typing import Any

from cdd_icm.data.dialog import SceneObject
from cdd_icm.errors import InputError
from cdd_icm.text import check_text

_REQUIRED = object()


def field(fields: object, name: str, kind: Any, where: str, default: Any = _REQUIRED) -> Any:
    """The value of field `name`, checked to be of type `kind`; `default` if it is missing.

    Raises:
        InputError: it is missing without a default, or of another type; the message starts with `where`.
    """
    if not isinstance(fields, dict):
        raise InputError(f"{where}: {fields!r} is not a JSON object")
    value = fields.get(name, default)
    if value is _REQUIRED:
        raise InputError(f"{where}: {name} is missing")
    return checked(value, name, kind, where)


def checked(value: Any, name: str, kind: Any, where: str) -> Any:
    """The value, checked to be of type `kind`; numbers must be finite and texts pass `check_text`.

    Raises:
        InputError: it is not; the message starts with `where` and `name`.
    """
    if not isinstance(value, kind) or isinstance(value, bool):
        raise InputError(f"{where}: {name}: {value!r} is not of type {getattr(kind, '__name__', kind)}")
    if isinstance(value, float | int) and not abs(value) <= sys.float_info.max:
        raise InputError(f"{where}: {name}: {value!r} is not a finite number")
    if isinstance(value, str):
        check_text(value, f"{where}: {name}")
    return value


def valid_file_name(value: str, name: str, where: str, forbidden: str = "/\0") -> str:
    """The value, checked to be a valid file name: not "", "." or "..", and without `forbidden` characters.

    Raises:
        InputError: it is not; the message starts with `where` and the field's `name`.
    """
    if value in ("", ".", "..") or any(character in value for character in forbidden):
        raise InputError(f"{where}: {name}: {value!r} can't name a file")
    return value


def scene_object(value: object, where: str) -> SceneObject:
    """The annotated object in a JSON object {"name", "x", "y", "depth", "look"}; the last two are optional.

    Raises:
        InputError: a field is missing or of another type; the message starts with `where`.
    """
    where = f"{where}: objects"
    x, y = (float(field(value, axis, float | int, where)) for axis in "xy")
    depth = float(field(value, "depth", float | int, where, 0.0))
    look = field(value, "look", dict, where, {})
    for trait in look:
        field(look, trait, str, f"{where}: look")
    return SceneObject(field(value, "name", str, where), x, y, depth, look)
