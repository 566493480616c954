"""The retrieval systems by name: the only place that lists them. Classes are imported on first use."""

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
    "finecir": "retrieval.systems.finecir:FineCIR",
    "fusion": "retrieval.systems.fusion:Fusion",
    "image": "retrieval.systems.pooled:ImageOnly",
    "matching": "retrieval.systems.matching:Matching",
    "multi-vector": "retrieval.systems.multivector:MultiVector",
    "patch-projection": "retrieval.systems.patches:ProjectedPatches",
    "sum": "retrieval.systems.pooled:Sum",
    "text": "retrieval.systems.pooled:TextOnly",
    "tirg": "retrieval.systems.tirg:TIRG",
}
"""`module:class` of each, by the name that a config or a model's folder gives."""

PIPELINE_SYSTEM = "matching"
"""The system of a generator's pipeline folder when it is loaded as a retrieval model."""


def find(name: str, key: str = "composer", among: Collection[str] | None = None) -> type[System]:
    """The class of the system `name`.

    Args:
        key: the config key that gives the name, for messages. among: the names that are allowed, by default
            all.

    Raises:
        InputError: no such system; the message names the nearest.
    """
    known = sorted(SYSTEMS if among is None else among)
    if name not in known:
        near = difflib.get_close_matches(str(name), known, n=1, cutoff=0.0)[0]
        raise InputError(f"{key} is {name!r}, expected one of {', '.join(known)}; the nearest is {near}")
    return resolve_name(SYSTEMS[name])


def parse_options(system: type[System], options: Mapping[str, Any], key: str = "options") -> Any:
    """The settings under `key` as the system's own section.

    Raises:
        InputError: an unknown option (the message names the nearest), or a value of the wrong type or out of
            range.
    """
    if options and not dataclasses.fields(system.Options):
        raise InputError(f"{key} is {dict(options)!r}, expected none for {system.__name__}")
    return from_dict(system.Options, dict(options), system.__name__, f"{key}.")


def build(name: str, keywords: Mapping[str, Any]) -> System:
    """A system with new weights; `keywords` are its constructor's (see `System.keywords`)."""
    return find(name)(**keywords)
