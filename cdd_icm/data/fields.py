"""Fields of JSON objects, checked as they are read: each error names the field and its value."""

from __future__ import annotations

import sys
from typing import Any

from cdd_icm.data.dialog import SceneObject
from cdd_icm.errors import InputError

_REQUIRED = object()


def field(fields: object, name: str, kind: Any, where: str, default: Any = _REQUIRED) -> Any:
    """The value of `name`, of type `kind`; `default` where it is left out. `where` begins the error."""
    if not isinstance(fields, dict):
        raise InputError(f"{where}: {fields!r} is not a JSON object")
    value = fields.get(name, default)
    if value is _REQUIRED:
        raise InputError(f"{where}: {name} is missing")
    return checked(value, name, kind, where)


def checked(value: Any, name: str, kind: Any, where: str) -> Any:
    """The value, of type `kind`, of what the error calls `name`. Numbers are finite, also as floats;
    text is such that UTF-8 can hold it."""
    if not isinstance(value, kind) or isinstance(value, bool):
        raise InputError(f"{where}: {name}: {value!r} is not of type {getattr(kind, '__name__', kind)}")
    if isinstance(value, float | int) and not abs(value) <= sys.float_info.max:
        raise InputError(f"{where}: {name}: {value!r} is not a finite number")
    if isinstance(value, str) and not is_utf8(value):
        raise InputError(f"{where}: {name}: {value!r} holds half a character")
    return value


def is_utf8(text: str) -> bool:
    """Halves of a surrogate pair are not: JSON can hold them, and Python reads as such what is no UTF-8 at a
    prompt."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def nameable(value: str, name: str, where: str, never: str = "/\0") -> str:
    """The value, after which files are named, of what the error calls `name`. It has no character of `never`:
    none for an id, as files have it quoted."""
    if value in ("", ".", "..") or any(character in value for character in never):
        raise InputError(f"{where}: {name}: {value!r} can't name a file")
    return value


def scene_object(thing: object, where: str) -> SceneObject:
    """The object that {"name", "x", "y", "depth", "look"} stands for; the last two may be left out."""
    where = f"{where}: objects"
    x, y = (float(field(thing, axis, float | int, where)) for axis in "xy")
    depth = float(field(thing, "depth", float | int, where, 0.0))
    look = field(thing, "look", dict, where, {})
    for trait in look:
        field(look, trait, str, f"{where}: look")
    return SceneObject(field(thing, "name", str, where), x, y, depth, look)
