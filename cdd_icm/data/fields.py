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
    """The value, checked to be of type `kind`: a number finite as a float, a text encodable as UTF-8. The
    error begins with `where` and `name`."""
    if not isinstance(value, kind) or isinstance(value, bool):
        raise InputError(f"{where}: {name}: {value!r} is not of type {getattr(kind, '__name__', kind)}")
    if isinstance(value, float | int) and not abs(value) <= sys.float_info.max:
        raise InputError(f"{where}: {name}: {value!r} is not a finite number")
    if isinstance(value, str) and not is_utf8(value):
        raise InputError(f"{where}: {name}: {value!r} holds half a character")
    return value


def is_utf8(text: str) -> bool:
    """Whether UTF-8 can encode the text: lone surrogates, which JSON can hold and which Python makes of
    undecodable command-line input, it can't."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def nameable(value: str, name: str, where: str, never: str = "/\0") -> str:
    """The value, checked to be fit for a file's name: not empty, no "." or "..", and no character of `never`.
    `name` and `where` begin the error."""
    if value in ("", ".", "..") or any(character in value for character in never):
        raise InputError(f"{where}: {name}: {value!r} can't name a file")
    return value


def scene_object(thing: object, where: str) -> SceneObject:
    """The object that a JSON object {"name", "x", "y", "depth", "look"} describes; the last two are
    optional."""
    where = f"{where}: objects"
    x, y = (float(field(thing, axis, float | int, where)) for axis in "xy")
    depth = float(field(thing, "depth", float | int, where, 0.0))
    look = field(thing, "look", dict, where, {})
    for trait in look:
        field(look, trait, str, f"{where}: look")
    return SceneObject(field(thing, "name", str, where), x, y, depth, look)
