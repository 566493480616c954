"""Benchmarks of composed image retrieval: each file has a reader that returns a `Benchmark`."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Mapping
from pathlib import Path
from pkgutil import resolve_name

from cdd_icm.errors import InputError
from cdd_icm.sources import local_path
from retrieval.benchmarks.base import Benchmark, Location, Query

__all__ = ["READERS", "Benchmark", "Location", "Query", "read_benchmark"]

READERS = {
    "circo": "retrieval.benchmarks.circo:read",
    "cirr": "retrieval.benchmarks.cirr:read",
    "dialogs": "retrieval.benchmarks.dialogs:read",
    "fashioniq": "retrieval.benchmarks.fashioniq:read",
    "fine-cirr": "retrieval.benchmarks.fine_cirr:read",
    "fine-fashioniq": "retrieval.benchmarks.fine_fashioniq:read",
    "genecis": "retrieval.benchmarks.genecis:read",
    "lasco": "retrieval.benchmarks.lasco:read",
    "shoes": "retrieval.benchmarks.shoes:read",
    "triplets": "retrieval.benchmarks.triplets:read",
}
"""The reader of each benchmark, `module:function`; its first parameter is the path of the annotations."""


def read_benchmark(name: str, path: str | Path, options: Mapping[str, object] | None = None) -> Benchmark:
    """Reads the benchmark `name` from its annotations at `path`; `options` are keyword arguments of its
    reader.

    Raises:
        InputError: an unknown name or option (the message names the nearest known one), or what the reader
            raises.
    """
    if name not in READERS:
        raise InputError(f"unknown benchmark {name!r}: {_nearest(name, READERS)}")
    options = dict(options or {})
    read = resolve_name(READERS[name])
    known = dict(list(inspect.signature(read).parameters.items())[1:])
    for option, value in options.items():
        if option not in known:
            raise InputError(f"unknown option {option!r} of benchmark {name}: {_nearest(option, known)}")
        _check_type(f"{name}: {option}", value, known[option].default)
    return read(local_path(path), **options)


def _check_type(option: str, value: object, default: object) -> None:
    """Raises InputError unless the value has the type of the default: a bool, a tuple of names, or a string,
    whose default may be None."""
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
