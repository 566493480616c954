"""The one place where a system of composed retrieval is named. A class is imported when it is asked for."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Collection, Mapping
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

from cdd_icm.config import from_dict
from cdd_icm.errors import InputError

if TYPE_CHECKING:
    from retrieval.systems.base import System

SYSTEMS = {
    "combiner": "retrieval.systems.combiner:Combiner",
    "fusion": "retrieval.systems.fusion:Fusion",
    "image": "retrieval.systems.pooled:ImageOnly",
    "matching": "retrieval.systems.matching:Matching",
    "multi-vector": "retrieval.systems.multivector:MultiVector",
    "patch-projection": "retrieval.systems.patches:ProjectedPatches",
    "sum": "retrieval.systems.pooled:Sum",
    "text": "retrieval.systems.pooled:TextOnly",
    "tirg": "retrieval.systems.tirg:TIRG",
}
"""What a config or a model's folder may name: `module:class`."""

OF_PIPELINE = "matching"
"""What the folder of a generator is, taken as a retrieval model."""


def find(name: str, key: str = "composer", among: Collection[str] | None = None) -> type[System]:
    """The system of that name, given as the setting `key`; of all or only of those `among` them.

    Raises:
        InputError: there is none; the message names the nearest.
    """
    known = sorted(SYSTEMS if among is None else among)
    if name not in known:
        near = difflib.get_close_matches(str(name), known, n=1, cutoff=0.0)[0]
        raise InputError(f"{key} is {name!r}, expected one of {', '.join(known)}; the nearest is {near}")
    return resolve_name(SYSTEMS[name])


def parse_options(system: type[System], options: Mapping[str, Any], key: str = "options") -> Any:
    """The settings under `key` as the system's own section.

    Raises:
        InputError: an unknown option, naming the nearest, or a value of another type or out of its range.
    """
    if options and not dataclasses.fields(system.Options):
        raise InputError(f"{key} is {dict(options)!r}, expected none for {system.__name__}")
    return from_dict(system.Options, dict(options), system.__name__, f"{key}.")


def build(name: str, keywords: Mapping[str, Any]) -> System:
    """A system with new weights; `keywords` are those of its class (see `System.keywords`)."""
    return find(name)(**keywords)
