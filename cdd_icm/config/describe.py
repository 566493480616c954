"""Every key of a config with its type, default and meaning, and the shipped configs that set it."""

from __future__ import annotations

import dataclasses
import textwrap
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic.fields import FieldInfo

from cdd_icm.config.values import check_keys, fields, sections
from cdd_icm.errors import InputError
from cdd_icm.text import read_text

SHIPPED = Path(__file__).parents[2] / "configs"
"""The configs that come with the sources; a package installed without them has none."""

NAMES = {int: "whole number", float: "number", str: "text", bool: "true or false", dict: "section"}
NAMES |= {type(None): "null", Any: "anything"}
BOUNDS = {"ge": "at least", "gt": "over", "le": "at most", "lt": "less than", "multiple_of": "a multiple of"}


def describe(cls: type, config: Any = None, prefix: str = "") -> str:
    """Of each key of the section `cls` a paragraph: its value in `config`, where that is given, its default,
    type and meaning, and which of the shipped configs set it. `prefix` is put before each key."""
    shipped, paragraphs = _shipped(cls), []
    for key, owner, kind in _keys(cls):
        value = _get(config, key, kind)
        if config is not None and value is ABSENT:
            continue
        name = key.rpartition(".")[2]
        default = _plain(_default(owner, name))
        title = (
            f"{prefix}{key} = {default}"
            if config is None
            else f"{prefix}{key} = {_plain(value)}  (default {default})"
        )
        setters = [stem for stem, values in shipped.items() if _sets(values, key, kind)]
        notes = [type_name(fields(owner)[name])]
        if setters:
            notes.append(f"set by {'all' if len(setters) == len(shipped) else ', '.join(setters)}")
        lines = ["; ".join(notes), *textwrap.wrap(meaning(owner, name), 100)]
        paragraphs.append("\n".join([title, *(f"    {line}" for line in lines)]))
    return "\n".join(paragraphs)


def meaning(cls: type, name: str) -> str:
    """What the docstring under a field of a section says, in one line."""
    inherited = (each.__pydantic_fields__.get(name) for each in cls.__mro__[:-1])
    said = (field.description for field in inherited if field is not None and field.description)
    return " ".join(next(said, "").split())


ABSENT = object()
"""The value of a key of a section that a config does not have."""


def _keys(cls: type, prefix: str = "", kind: str | None = None) -> Iterator[tuple[str, type, str | None]]:
    """Each key with the section that it is of, and the kind of plan or the like that has it."""
    for name, hint in fields(cls).items():
        inner = sections(hint)
        for each in inner:
            yield from _keys(each, f"{prefix}{name}.", each.kind if len(inner) > 1 else kind)
        if not inner:
            yield f"{prefix}{name}", cls, kind


def _default(cls: type, name: str) -> Any:
    field: FieldInfo = cls.__pydantic_fields__[name]
    return field.get_default(call_default_factory=True)


def _get(config: Any, key: str, kind: str | None) -> Any:
    for name in key.split("."):
        if getattr(config, "kind", kind) != kind:
            return ABSENT
        config = getattr(config, name, ABSENT)
    return config


def _sets(values: Any, key: str, kind: str | None) -> bool:
    for name in key.split("."):
        if not isinstance(values, dict) or name not in values or values.get("kind", kind) != kind:
            return False
        values = values[name]
    return True


def _shipped(cls: type) -> dict[str, dict[str, Any]]:
    """What the shipped configs of this class set, by name."""
    found = {}
    for file in sorted(SHIPPED.glob("*/*.yaml")):
        values = yaml.safe_load(read_text(file))
        try:
            check_keys(cls, values, str(file))
        except InputError:  # of another class
            continue
        found[f"{file.parent.name}/{file.stem}"] = values
    return found


def _plain(value: Any) -> str:
    """As YAML would have it, in one line."""
    if dataclasses.is_dataclass(value):
        value = dataclasses.asdict(value)
    value = list(value) if isinstance(value, tuple) else value
    text = yaml.safe_dump(value, default_flow_style=True, width=10**6, allow_unicode=True)
    return text.removesuffix("\n").removesuffix("\n...")


def type_name(hint: Any) -> str:
    """A type in plain English, its bounds included."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        bounds = [
            f"{words} {getattr(bound, attribute)}"
            for each in arguments[1:]
            for bound in getattr(each, "metadata", ())
            for attribute, words in BOUNDS.items()
            if hasattr(bound, attribute)
        ]
        return ", ".join([type_name(arguments[0]), *bounds])
    if origin in (typing.Union, types.UnionType):
        return " or ".join(map(type_name, arguments))
    if origin is typing.Literal:
        return " | ".join(map(str, arguments))
    if origin is tuple:
        return f"list of {type_name(arguments[0])}"
    return NAMES[origin or hint]
