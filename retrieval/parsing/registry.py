"""The parsers by name, and the cache of what they give."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

from cdd_icm.errors import InputError
from cdd_icm.hashing import content_digest
from cdd_icm.io import parse_json, replacing
from cdd_icm.lock import held
from cdd_icm.text import read_text
from retrieval.parsing.base import Parser, SceneGraph
from retrieval.parsing.rules import RuleParser


def _later(name: str) -> Callable[..., Parser]:
    """A function of `retrieval.parsing.language`, which is imported when it is called."""
    return lambda **options: resolve_name(f"retrieval.parsing.language:{name}")(**options)


PARSERS: Mapping[str, Callable[..., Parser]] = {
    "rules": RuleParser,
    "endpoint": _later("endpoint_parser"),
    "transformers": _later("transformers_parser"),
}


def make_parser(name: str, options: Mapping[str, Any] | None = None) -> Parser:
    """The parser `name` with its options. Option `cache` of any of them is the file of a `CachedParser`.

    Raises:
        InputError: no such parser or option, or one that can't be used here.
    """
    if name not in PARSERS:
        raise InputError(f"parser is {name!r}, expected one of {', '.join(PARSERS)}")
    own = dict(options or {})
    cache = own.pop("cache", None)
    try:
        parser = PARSERS[name](**own)
        return CachedParser(parser, Path(cache)) if cache else parser
    except TypeError as error:
        raise InputError(f"parser: {name} with {dict(options or {})}: {error}") from error


EVERY = 64
"""Texts that are parsed between two writes of the cache."""


class CachedParser:
    """A parser whose graphs are kept in a JSON Lines file, a line a text; only new texts are parsed. The
    file is written every `EVERY` texts, so that a stopped run loses little; texts without a graph are asked
    for again.

    Raises, when it is made:
        InputError: a line of the file is damaged.
    """

    def __init__(self, parser: Parser, file: Path):
        self.parser, self.name, self.file = parser, parser.name, file
        self.known: dict[str, SceneGraph] = {}
        if file.exists():
            for number, line in enumerate(read_text(file).splitlines(), 1):
                where = f"{file}:{number}"
                row = parse_json(line, where)
                if not isinstance(row, dict) or not isinstance(row.get("key"), str):
                    raise InputError(f"{where}: key is missing")
                self.known[row["key"]] = SceneGraph.from_json(row.get("graph"), where)

    def __call__(self, texts: Sequence[str]) -> list[SceneGraph | None]:
        keys = [content_digest(f"{self.name}\n{text}") for text in texts]
        new = {key: text for key, text in zip(keys, texts, strict=True) if key not in self.known}
        missing = list(new)
        for start in range(0, len(missing), EVERY):
            some = missing[start : start + EVERY]
            graphs = self.parser([new[key] for key in some])
            self.known |= {key: graph for key, graph in zip(some, graphs, strict=True) if graph is not None}
            self.file.parent.mkdir(parents=True, exist_ok=True)
            with held(self.file.with_suffix(".lock")), replacing(self.file) as path:
                lines = [
                    json.dumps({"key": key, "graph": graph.to_json()}) for key, graph in self.known.items()
                ]
                path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return [self.known.get(key) for key in keys]
