"""The words of a dialog, from a grammar file in YAML; `grammar.yaml` is that of the re-rendered i-CLEVR."""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cdd_icm.config import parse_yaml
from cdd_icm.errors import InputError
from cdd_icm.limits import CONFIG
from cdd_icm.text import check_text, read_text
from render.world import COLORS, SHAPES, Camera, Object

DEFAULT = Path(__file__).with_name("grammar.yaml")
UNMENTIONED = 0.35
"""A smaller difference along an axis is not mentioned."""
WITHOUT_IT = 0.2
"""How often, from the third turn on, both relations are to named objects, none to the object added last."""

SIDES = ("behind", "front", "left", "right")
RELATIONS = (*SIDES, "behind left", "behind right", "front left", "front right")
FIELDS = {
    "object": {"color", "shape"},
    "it": set(),
    "named": {"object"},
    "first": {"new"},
    "one": {"new", "first"},
    "two": {"new", "first", "second"},
}
"""The placeholders that each wording must have."""


@dataclass(frozen=True)
class Grammar:
    """Wordings, each a list of at least one."""

    templates: dict[str, list[str]]
    """By the names in `FIELDS`."""
    relations: dict[str, list[str]]
    colors: dict[str, list[str]]
    shapes: dict[str, list[str]]

    def instruction(self, objects: Sequence[Object], camera: Camera, rng: np.random.Generator) -> str | None:
        """The text that asks for the last of the objects, or None if too few others are at a side of it."""
        *others, new = objects
        words = {"new": self._object(new, rng)}
        if not others:
            return self._say("first", rng, **words)
        apart = [each for each in others if relation(new, each, camera)]
        if len(apart) < min(2, len(others)):
            return None
        last = others[-1]
        without_it = len(others) > 2 and rng.random() < WITHOUT_IT
        if last not in apart or (without_it and len(apart) > 2):
            apart = [each for each in apart if each is not last]
            chosen = [apart[i] for i in rng.permutation(len(apart))[:2]]
        else:
            named = [each for each in apart if each is not last]
            chosen = [last, *(named[i] for i in rng.permutation(len(named))[:1])]
        if len(chosen) < min(2, len(others)):
            return None
        for place, each in zip(("first", "second"), chosen, strict=False):
            of = (
                self._say("it", rng)
                if each is last
                else self._say("named", rng, object=self._object(each, rng))
            )
            words[place] = self._choose(self.relations[relation(new, each, camera)], rng).format(of=of)
        return self._say("one" if len(chosen) == 1 else "two", rng, **words)

    def _object(self, each: Object, rng: np.random.Generator) -> str:
        color, shape = (
            self._choose(self.colors[each.color], rng),
            self._choose(self.shapes[each.shape], rng),
        )
        return self._say("object", rng, color=color, shape=shape)

    def _say(self, name: str, rng: np.random.Generator, **words: str) -> str:
        return self._choose(self.templates[name], rng).format(**words)

    @staticmethod
    def _choose(wordings: list[str], rng: np.random.Generator) -> str:
        return wordings[rng.integers(len(wordings))] if len(wordings) > 1 else wordings[0]


def relation(new: Object, other: Object, camera: Camera) -> str:
    """Where `new` is, seen from `other`: one of `RELATIONS`, or "" if no difference is mentioned."""
    moved = np.array([new.x - other.x, new.y - other.y, 0.0])
    along = {name: float(moved @ direction) for name, direction in camera.directions.items()}
    return " ".join(name for name in SIDES if along[name] >= UNMENTIONED)


def read_grammar(file: Path) -> Grammar:
    """The grammar in a YAML file.

    Raises:
        InputError: the file is missing or not YAML, a key is missing or unknown, or a wording is no text, has
            several lines, or lacks a placeholder or has another one; the message names the key.
    """
    values = parse_yaml(read_text(file, CONFIG), f"{file}: not YAML")
    groups = {"relations": RELATIONS, "colors": tuple(COLORS), "shapes": SHAPES}
    _check_keys(values, (*FIELDS, *groups), f"{file}:")
    for group, names in groups.items():
        _check_keys(values[group], names, f"{file}: {group}:")
    templates = {name: _wordings(values[name], FIELDS[name], f"{file}: {name}") for name in FIELDS}
    parts = {
        group: {
            name: _wordings(values[group][name], placeholders, f"{file}: {group}: {name}") for name in names
        }
        for (group, names), placeholders in zip(groups.items(), ({"of"}, set(), set()), strict=True)
    }
    return Grammar(templates, **parts)


def _check_keys(values: Any, names: Sequence[str], where: str) -> None:
    if not isinstance(values, dict):
        raise InputError(f"{where} {type(values).__name__}, expected a mapping of keys")
    for name in names:
        if name not in values:
            raise InputError(f"{where} {name} is missing")
    for name in values:
        if name not in names:
            raise InputError(f"{where} {name!r} is unknown, expected {', '.join(names)}")


def _wordings(values: Any, placeholders: set[str], where: str) -> list[str]:
    if not (isinstance(values, list) and values and all(isinstance(each, str) for each in values)):
        raise InputError(f"{where} is {values!r:.80}, expected a list of texts")
    for text in values:
        check_text(text, where)
        try:
            pieces = list(string.Formatter().parse(text))
        except ValueError as error:
            raise InputError(f"{where}: {text!r} is no wording ({error})") from None
        found = [name for _, name, *_ in pieces if name is not None]
        plain = all(not spec and not conversion for _, _, spec, conversion in pieces)
        if set(found) != placeholders or not plain:
            expected = " and ".join(f"{{{name}}}" for name in sorted(placeholders)) or "no placeholder"
            raise InputError(f"{where}: {text!r}, expected a wording with {expected}")
        if not text.strip() or len(text.splitlines()) > 1:
            raise InputError(f"{where}: {text!r}, expected a text of one line")
    return values
