"""Plain values -> dataclass, strictly, and back: the checks are pydantic's, each error is one line."""

from __future__ import annotations

import dataclasses
import difflib
import functools
import json
import types
import typing
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from cdd_icm.errors import InputError
from cdd_icm.text import check_texts

PLAIN = (str, int, float, bool, type(None))
"""What the values of YAML and of JSON have in common, but for lists and sections."""


def from_dict(cls: type, values: dict[str, Any], source: str = "config", prefix: str = "") -> Any:
    """Builds the dataclass `cls` from plain values.

    Raises:
        InputError: an unknown key (the nearest known one is named), a missing one, a wrong type, or a value
            out of range; the message begins with `source` and names key (after `prefix`) and value.
    """
    check_keys(cls, values, source, prefix)
    check_texts(values, f"{source}: {prefix.rstrip('.')}" if prefix else source)
    try:
        # as JSON, in which strict means that text is no number, but a list may become a tuple
        return _adapter(cls).validate_json(json.dumps(values), strict=True)
    except ValidationError as error:
        raise InputError(f"{source}: {error_line(cls, error, prefix)}") from None


@functools.lru_cache
def _adapter(cls: type) -> TypeAdapter:
    return TypeAdapter(cls)


def fields(cls: type) -> dict[str, Any]:
    """The type of each key of the dataclass `cls`."""
    hints = typing.get_type_hints(cls, include_extras=True)
    return {f.name: hints[f.name] for f in dataclasses.fields(cls)}


def sections(hint: Any) -> tuple[type, ...]:
    """The dataclasses that a type admits: one, several kinds, or none where it is no section."""
    if dataclasses.is_dataclass(hint):
        return (hint,)
    origin = typing.get_origin(hint)
    if origin is typing.Annotated:
        return sections(typing.get_args(hint)[0])
    if origin in (typing.Union, types.UnionType):
        return tuple(each for option in typing.get_args(hint) for each in sections(option))
    return ()


def chosen(kinds: tuple[type, ...], value: Any) -> type:
    """The dataclass of `kinds` that a section's value is of: by its `kind`, else the first."""
    kind = value.get("kind") if isinstance(value, dict) else getattr(value, "kind", None)
    return next((cls for cls in kinds if kind == getattr(cls, "kind", None)), kinds[0])


def check_keys(cls: type, values: Any, source: str, prefix: str = "") -> None:
    """Raises InputError where a section is none, or has an unknown key."""
    if not isinstance(values, dict):
        raise InputError(f"{source}: {prefix.rstrip('.') or 'config'} is {values!r}, expected a section")
    known = fields(cls)
    for key, value in values.items():
        if key not in known:
            near = _nearest(str(key), known)
            raise InputError(f"{source}: unknown key {prefix}{key}; the nearest is {prefix}{near}")
        if not _is_plain(value):
            raise InputError(f"{source}: {prefix}{key} is {value!r}, expected text, a number or a list")
        items = {f"{prefix}{key}.": (value, known[key])}
        if isinstance(value, list | tuple) and (element := _element(known[key])):
            items = {f"{prefix}{key}[{i}].": (each, element) for i, each in enumerate(value)}
        for place, (each, hint) in items.items():
            kinds = sections(hint)
            if kinds and isinstance(each, dict) and (len(kinds) == 1 or each.get("kind") in _kinds(kinds)):
                check_keys(chosen(kinds, each), each, source, place)


def _is_plain(value: Any) -> bool:
    """Whether JSON has such values: YAML also makes dates and sets, at any depth."""
    if isinstance(value, dict):
        return all(isinstance(key, PLAIN) and _is_plain(each) for key, each in value.items())
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    return isinstance(value, PLAIN)


def _kinds(kinds: tuple[type, ...]) -> list[str]:
    return [getattr(cls, "kind", None) for cls in kinds]


def _element(hint: Any) -> Any:
    """The type of a list's entries, or None where a type admits no list."""
    options = (hint, *typing.get_args(hint))
    return next((typing.get_args(each)[0] for each in options if typing.get_origin(each) is tuple), None)


def _nearest(key: str, known: dict[str, Any]) -> str:
    """The known key most like `key`: of the section itself, or of a section inside it."""
    names = {name: name for name in known}
    for name, hint in known.items():
        for cls in sections(hint):
            names = {**{f.name: f"{name}.{f.name}" for f in dataclasses.fields(cls)}, **names}
    return names[difflib.get_close_matches(key, names, n=1, cutoff=0.0)[0]]


EXPECTED = {
    "bool_type": "true or false",
    "dataclass_type": "a section",
    "dict_type": "a section",
    "finite_number": "a finite number",
    "float_parsing": "a number",
    "float_type": "a number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "list_type": "a list",
    "string_type": "text",
    "tuple_type": "a list",
    "too_short": "at least {min_length} entries",
    "too_long": "at most {max_length} entries",
    "greater_than": "a number over {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "less than {lt}",
    "less_than_equal": "at most {le}",
    "multiple_of": "a multiple of {multiple_of}",
}
"""What to say of pydantic's types of error."""


def error_line(cls: type, error: ValidationError, prefix: str = "") -> str:
    """The first error of the key that is wrong, in one line; a type with several options names each."""
    errors = error.errors(include_url=False)
    first = errors[0]
    key = _key(cls, first["loc"])
    if first["type"] == "value_error":  # of a check of our own, which names its key
        return f"{prefix}{key}{'.' * bool(key)}{first['ctx']['error']}"
    if first["type"] == "missing":
        return f"{prefix}{key} is missing"
    if first["type"] == "union_tag_not_found":
        return f"{prefix}{key}.kind is missing"
    wanted = dict.fromkeys(_expected(each) for each in errors if _key(cls, each["loc"]) == key)
    value = first["ctx"].get("tag") if first["type"] == "union_tag_invalid" else first["input"]
    key += ".kind" * (first["type"] == "union_tag_invalid")
    return f"{prefix}{key} is {value!r}, expected {' or '.join(wanted)}"


def _key(cls: type, place: tuple[str | int, ...]) -> str:
    """A key such as "unet.widths[0]"; pydantic's place also names the option of a type."""
    key, hint = "", cls
    for part in place:
        known = {name: each for kind in sections(hint) for name, each in fields(kind).items()}
        if isinstance(part, int):
            key, hint = f"{key}[{part}]", _element(hint) or hint
        elif part in known:
            key, hint = f"{key}.{part}".lstrip("."), known[part]
        elif typing.get_origin(hint) is dict:
            key, hint = f"{key}.{part}", typing.get_args(hint)[1]
    return key


def _expected(error: dict[str, Any]) -> str:
    context = error.get("ctx", {})
    if error["type"] in ("literal_error", "union_tag_invalid"):
        options = context.get("expected") or context["expected_tags"]
        options = [option.strip("' ") for option in options.replace(" or ", ", ").split(",")]
        given = context.get("tag", error["input"])
        near = difflib.get_close_matches(str(given), options, n=1, cutoff=0.0)[0]
        return f"{', '.join(options[:-1])} or {options[-1]}; the nearest is {near}"
    known = EXPECTED.get(error["type"])
    return known.format(**context) if known else error["msg"]


def form_fault(form: Any, value: Any) -> str | None:
    """What is wrong with plain values that should have the form of a type, such as a TypedDict, in one line;
    None if nothing is."""
    try:
        _adapter(form).validate_python(value, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"])
        place = place.lstrip(".") or "it"
        if first["type"] == "missing":
            return f"{place} is missing"
        if first["type"] == "value_error":
            return f"{place} {first['ctx']['error']}"
        return f"{place} is {first['input']!r:.60}, expected {_expected(first)}"
    return None


def differing_keys(a: Any, b: Any, prefix: str = "") -> list[str]:
    """The keys, such as "training.batch_size", in which two configs of one class differ."""
    found = []
    for name in (f.name for f in dataclasses.fields(a)):
        mine, other = getattr(a, name), getattr(b, name)
        if dataclasses.is_dataclass(mine) and type(mine) is type(other):
            found += differing_keys(mine, other, f"{prefix}{name}.")
        elif mine != other:
            found.append(f"{prefix}{name}")
    return found


def to_dict(config: Any) -> dict[str, Any]:
    """Plain lists and dicts that YAML can write and `from_dict` reads back."""
    return to_plain(dataclasses.asdict(config))


def to_plain(value: Any) -> Any:
    """The same with lists in place of tuples, as YAML and JSON give them back."""
    if isinstance(value, dict):
        return {k: to_plain(v) for k, v in value.items()}
    return [to_plain(v) for v in value] if isinstance(value, list | tuple) else value


def without_places(config: Any) -> dict[str, Any]:
    """`to_dict` without this machine's folders: what another one needs to repeat the run."""
    settings = to_dict(config)
    del settings["output_dir"]
    settings["data"].pop("cache_dir", None)
    for part, key in ((settings["data"], "path"), (settings["data"], "images"), (settings, "init")):
        if part.get(key):
            part[key] = Path(part[key]).name
    return settings
