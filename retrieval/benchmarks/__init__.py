"""Benchmarks of composed image retrieval: one reader a file, all of them giving a `Benchmark`."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Mapping
from pathlib import Path

from cdd_icm.errors import InputError
from cdd_icm.sources import local_path
from retrieval.benchmarks import (
    circo,
    cirr,
    dialogs,
    fashioniq,
    fine_cirr,
    fine_fashioniq,
    genecis,
    lasco,
    shoes,
    triplets,
)
from retrieval.benchmarks.benchmark import Benchmark, Place, Query

__all__ = ["READERS", "Benchmark", "Place", "Query", "read_benchmark"]

READERS = {
    "circo": circo.read,
    "cirr": cirr.read,
    "dialogs": dialogs.read,
    "fashioniq": fashioniq.read,
    "fine-cirr": fine_cirr.read,
    "fine-fashioniq": fine_fashioniq.read,
    "genecis": genecis.read,
    "lasco": lasco.read,
    "shoes": shoes.read,
    "triplets": triplets.read,
}


def read_benchmark(name: str, path: str | Path, options: Mapping[str, object] | None = None) -> Benchmark:
    """The benchmark of that name, its annotations at `path`; `options` are the keywords of its reader.

    Raises:
        InputError: an unknown name or option, naming the nearest known one, or what the reader raises.
    """
    if name not in READERS:
        raise InputError(f"unknown benchmark {name!r}: {_nearest(name, READERS)}")
    options = dict(options or {})
    known = dict(list(inspect.signature(READERS[name]).parameters.items())[1:])
    for option, value in options.items():
        if option not in known:
            raise InputError(f"unknown option {option!r} of benchmark {name}: {_nearest(option, known)}")
        _check_type(f"{name}: {option}", value, known[option].default)
    return READERS[name](local_path(path), **options)


def _check_type(option: str, value: object, default: object) -> None:
    """An option has the type of its default, which is a bool, a string, None (a string too) or names."""
    if isinstance(default, bool):
        fits, wanted = isinstance(value, bool), "true or false"
    elif isinstance(default, tuple):
        fits = isinstance(value, list | tuple) and all(isinstance(name, str) for name in value)
        wanted = "a list of names"
    else:
        fits, wanted = isinstance(value, str), "a name"
    if not fits:
        raise InputError(f"{option}={value!r}: must be {wanted}")


def _nearest(name: str, known) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
