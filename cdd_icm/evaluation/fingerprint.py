"""Fingerprints of data, models and code, to see whether two results have these in common."""

from __future__ import annotations

import ast
import json
from collections import defaultdict
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from torch import Tensor

import cdd_icm
from cdd_icm.data import Dialog
from cdd_icm.errors import InputError
from cdd_icm.hashing import content_digest, fingerprint, tensor_digest
from cdd_icm.io import load_tensors, read_json
from cdd_icm.limits import read_local
from cdd_icm.sampling.folder import TRAINING
from cdd_icm.text import read_text

SOURCES = Path(cdd_icm.__file__).parents[1]
"""The folder that contains the package `cdd_icm`."""

ENTRY_POINTS = ("cdd_icm.sampling.loading", "cdd_icm.sampling.dialogs")
"""The modules that load a model and generate its pictures; the modules that they import count as well."""

WEIGHTS, CONFIG = ".safetensors", ".json"
OTHER_MODEL_FILES = {".txt", ".png"}
"""Vocabularies that are not JSON, and the canvas."""

NO_EFFECT = {"_class_name", "_diffusers_version", "_name_or_path", "transformers_version"}
"""Config keys that have no effect on pictures: names and versions of the code."""


def of_dialog(dialog: Dialog) -> str:
    """The fingerprint of a dialog: its id, instructions and pixels."""
    turns = [part for turn in dialog.turns for part in (turn.instruction, turn.picture.key)]
    return fingerprint([dialog.id, dialog.canvas.key, *turns])


def of_data(dialogs: Iterable[Dialog]) -> str:
    """The fingerprint of dialogs and their annotation."""
    return fingerprint(
        [part for dialog in dialogs for part in (of_dialog(dialog), repr([t.objects for t in dialog.turns]))]
    )


def of_code(sources: Path = SOURCES) -> str:
    """The fingerprint of the code of `drawing_modules`: their names and statements, without comments,
    docstrings and formatting."""
    return fingerprint([(name, _parsed(read_text(file))[1]) for name, file in drawing_modules(sources)])


def drawing_modules(sources: Path = SOURCES) -> list[tuple[str, Path]]:
    """Names and files, sorted, of `ENTRY_POINTS` and all modules of the package that they import, directly or
    indirectly, anywhere in a file.

    The package's own `__init__` is excluded: it only lists public names, including those for training.
    """
    modules: dict[str, Path] = {}
    todo = list(ENTRY_POINTS)
    while todo:
        name = todo.pop()
        file = _file_of(name, sources)
        if file is not None and name not in modules and name != cdd_icm.__name__:
            modules[name] = file
            todo += _parsed(read_text(file))[0]
            todo.append(name.rpartition(".")[0])  # importing a module runs its package's __init__
    return sorted(modules.items())


def of_folder(folder: Path) -> str:
    """The fingerprint of a model folder: its tensors, settings, vocabulary and canvas.

    It depends on everything that affects pictures, but not on the place of the code (class paths in
    `model_index.json`, `_class_name`), library versions, the folder's name (`_name_or_path`), or descriptions
    (README.md, `training.json`).

    Raises:
        InputError: the folder has no model, or a file can't be read.
    """
    files = sorted(file for file in folder.rglob("*") if file.is_file() and file.name != TRAINING)
    tensors: dict[str, dict[str, Tensor]] = defaultdict(dict)
    parts: dict[str, str] = {}
    for file in files:
        name = file.relative_to(folder).as_posix()
        if file.suffix == WEIGHTS:  # how a part is split into files has no effect
            tensors[file.parent.relative_to(folder).as_posix()] |= load_tensors(file)
        elif file.suffix == CONFIG:
            settings = _settings(read_json(file, foreign=True))
            if file.parent == folder:  # a digest of the tokenizer, whose own files count
                settings.pop("vocabulary", None)
            parts[name] = json.dumps(settings, sort_keys=True)
        elif file.suffix in OTHER_MODEL_FILES:
            parts[name] = content_digest(read_local(file))
    parts |= {f"{name}/*{WEIGHTS}": tensor_digest(sorted(part.items())) for name, part in tensors.items()}
    if not parts:
        raise InputError(f"{folder}: no model here (no weights, no config)")
    return fingerprint(sorted(parts.items()))


def _settings(config: dict[str, Any]) -> dict[str, Any]:
    """A config without keys of `NO_EFFECT` and class paths of this package. Classes of other libraries, such
    as the scheduler's, are kept."""
    return {
        key: cdd_icm.__name__ if _is_our_class(value) else value
        for key, value in config.items()
        if key not in NO_EFFECT
    }


def _is_our_class(value: object) -> bool:
    """Whether the value is [module, class] of this package, in diffusers' format."""
    match value:
        case [str(module), str()]:
            return module.partition(".")[0] == cdd_icm.__name__
    return False


def _file_of(name: str, sources: Path) -> Path | None:
    """The file of a module of the package, or None for other names."""
    if name.partition(".")[0] != cdd_icm.__name__:
        return None
    path = sources.joinpath(*name.split("."))
    return next((f for f in (path / "__init__.py", path.with_suffix(".py")) if f.is_file()), None)


@cache
def _parsed(text: str) -> tuple[tuple[str, ...], str]:
    """A module's imports, and its code without comments and docstrings. `from a import b` counts as both a
    and a.b, as b may be a module."""
    tree = ast.parse(text)
    imports: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imports += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            imports += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        if isinstance(body := getattr(node, "body", None), list):
            node.body = [statement for statement in body if not _is_docstring(statement)]
    return tuple(imports), ast.unparse(tree)


def _is_docstring(statement: ast.stmt) -> bool:
    match statement:
        case ast.Expr(ast.Constant(str())):
            return True
    return False
