"""A config file and its `key=value` overrides."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from cdd_icm.config.schema import Config
from cdd_icm.config.values import fields, from_dict, sections
from cdd_icm.errors import InputError
from cdd_icm.limits import CONFIG
from cdd_icm.number import RefusedNumber, checked_number
from cdd_icm.sources import local_path
from cdd_icm.text import read_text


def load_config(path: str | Path, overrides: list[str] | tuple[str, ...] = (), cls: type = Config) -> Any:
    """Reads a YAML file into the dataclass `cls` and applies overrides such as `training.batch_size=16`. One
    that changes the `kind` of a section, such as `plan.kind=none`, replaces the section: what the file says
    of it belongs to the former kind, and what is not given by another override is the new kind's default.

    Raises:
        InputError: the file is missing or not YAML, a key is unknown (the nearest known one is named), a
            value has the wrong type, or the combination is impossible.
    """
    values = parse_yaml(read_text(local_path(path), CONFIG), f"{path}: not YAML") or {}
    if not isinstance(values, dict):
        raise InputError(f"{path}: expected a mapping of keys, found {type(values).__name__}")
    parsed = [(override, *parse_override(override)) for override in overrides]
    for _, key, kind in parsed:
        section = key.removesuffix(".kind")
        several = section != key and len(sections(fields(cls).get(section))) > 1
        if several and isinstance(values.get(section), dict) and values[section].get("kind") != kind:
            values[section] = {"kind": kind}
    for override, key, value in parsed:
        node = values
        *parents, last = key.split(".")
        for parent in parents:
            node = node.setdefault(parent, {})
            if not isinstance(node, dict):
                raise InputError(f"{override!r}: {parent} is not a section")
        node[last] = value
    return from_dict(cls, values, source=str(path))


def parse_override(override: str) -> tuple[str, Any]:
    """Key and value of `key=value`, the value in YAML."""
    key, equals, text = override.partition("=")
    if not equals:
        raise InputError(f"{override!r}: expected key=value")
    return key, parse_yaml(text, f"{override!r}: the value is not YAML")


class _Loader(yaml.SafeLoader):
    """YAML in which no key comes twice: PyYAML by itself forgets the first. Numbers are those of
    `cdd_icm.number`. There are no aliases: ten lines of them can stand for a billion values."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node:
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()
            problem = f"the alias *{event.anchor}, expected the values themselves"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=event.start_mark)
        return super().compose_node(parent, index)

    def number(self, node: yaml.ScalarNode) -> float:
        construct = self.construct_yaml_int if node.tag.endswith(":int") else self.construct_yaml_float
        try:
            return checked_number(construct(node), node.value)
        except RefusedNumber as error:
            raise yaml.MarkedYAMLError(problem=str(error), problem_mark=node.start_mark) from None

    def compose_mapping_node(self, anchor: str | None) -> yaml.MappingNode:
        node, seen = super().compose_mapping_node(anchor), set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    problem = f"the key {key.value} comes twice"
                    raise yaml.MarkedYAMLError(problem=problem, problem_mark=key.start_mark)
                seen.add(key.value)
        return node


for _kind in ("int", "float"):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_kind}", _Loader.number)


def parse_yaml(text: str, wrong: str) -> Any:
    """What a YAML text holds; where it is none, the InputError begins with `wrong` and names the line."""
    try:
        return yaml.load(text, _Loader)
    except yaml.MarkedYAMLError as error:
        raise InputError(f"{wrong} (line {error.problem_mark.line + 1}: {error.problem})") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # a date of month 31, endless brackets
        raise InputError(f"{wrong} ({str(error).splitlines()[0]})") from None
