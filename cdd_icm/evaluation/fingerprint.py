"""Short digests that tell whether two figures are of the same data, the same model and the same code."""

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
from cdd_icm.sampling.folder import TRAINING

SOURCES = Path(cdd_icm.__file__).parents[1]
"""The folder that the package `cdd_icm` lies in."""

ENTRY_POINTS = ("cdd_icm.sampling.loading", "cdd_icm.sampling.dialogs")
"""The modules by which a model is loaded and its pictures are drawn; what they import draws too."""

WEIGHTS, CONFIG = ".safetensors", ".json"
OTHER_MODEL_FILES = {".txt", ".png"}
"""Vocabularies that are no JSON, and the canvas."""

NO_EFFECT = {"_class_name", "_diffusers_version", "_name_or_path", "transformers_version"}
"""Keys of a config that say what wrote it, or where the code lies that reads it."""


def of_dialog(dialog: Dialog) -> str:
    """Changes with the id, any instruction and any pixel."""
    turns = [part for turn in dialog.turns for part in (turn.instruction, turn.picture.key)]
    return fingerprint([dialog.id, dialog.canvas.key, *turns])


def of_data(dialogs: Iterable[Dialog]) -> str:
    """Changes with every dialog, and with the annotation that models are also judged by."""
    return fingerprint(
        [part for dialog in dialogs for part in (of_dialog(dialog), repr([t.objects for t in dialog.turns]))]
    )


def of_code(sources: Path = SOURCES) -> str:
    """Of the modules of the package that draw, as `drawing_modules` finds them. It changes with any statement
    and with the name of any of these modules; comments, docstrings and formatting have no effect."""
    return fingerprint(
        [(name, _parsed(file.read_text(encoding="utf-8"))[1]) for name, file in drawing_modules(sources)]
    )


def drawing_modules(sources: Path = SOURCES) -> list[tuple[str, Path]]:
    """Names and files, in order, of `ENTRY_POINTS` and of all modules of the package that they import,
    directly or through another, wherever in a file the import stands.

    The package's own `__init__` is left out: it only names what is public, training included.
    """
    found: dict[str, Path] = {}
    todo = list(ENTRY_POINTS)
    while todo:
        name = todo.pop()
        file = _file_of(name, sources)
        if file is not None and name not in found and name != cdd_icm.__name__:
            found[name] = file
            todo += _parsed(file.read_text(encoding="utf-8"))[0]
            todo.append(name.rpartition(".")[0])  # importing a module runs its package's __init__
    return sorted(found.items())


def of_folder(folder: Path) -> str:
    """Of a model folder: its tensors, the settings in its JSON files, its vocabulary and its canvas.

    It changes with whatever changes the pictures. It does not change when the code moves or is renamed
    (class paths in `model_index.json`, `_class_name`), when the libraries' versions do, when the folder does
    (`_name_or_path`), or with what only tells of the model (README.md, `training.json`).

    Raises:
        InputError: there is no model in the folder, or a file of it can't be read.
    """
    files = sorted(file for file in folder.rglob("*") if file.is_file() and file.name != TRAINING)
    tensors: dict[str, dict[str, Tensor]] = defaultdict(dict)
    parts: dict[str, str] = {}
    for file in files:
        name = file.relative_to(folder).as_posix()
        if file.suffix == WEIGHTS:  # of one part; into how many files it is split has no effect
            tensors[file.parent.relative_to(folder).as_posix()] |= load_tensors(file)
        elif file.suffix == CONFIG:
            parts[name] = json.dumps(_settings(read_json(file)), sort_keys=True)
        elif file.suffix in OTHER_MODEL_FILES:
            parts[name] = content_digest(file.read_bytes())
    parts |= {f"{name}/*{WEIGHTS}": tensor_digest(sorted(some.items())) for name, some in tensors.items()}
    if not parts:
        raise InputError(f"{folder}: no model here (no weights, no config)")
    return fingerprint(sorted(parts.items()))


def _settings(config: dict[str, Any]) -> dict[str, Any]:
    """A config without what names our own code or the program that wrote it. Classes of other libraries, such
    as the scheduler's, stay."""
    return {
        key: cdd_icm.__name__ if _is_our_class(value) else value
        for key, value in config.items()
        if key not in NO_EFFECT
    }


def _is_our_class(value: object) -> bool:
    """Whether it is a [module, class] of this package, as diffusers writes them."""
    match value:
        case [str(module), str()]:
            return module.partition(".")[0] == cdd_icm.__name__
    return False


def _file_of(name: str, sources: Path) -> Path | None:
    """The file of a module of the package, or None where it is none."""
    if name.partition(".")[0] != cdd_icm.__name__:
        return None
    path = sources.joinpath(*name.split("."))
    return next((f for f in (path / "__init__.py", path.with_suffix(".py")) if f.is_file()), None)


@cache
def _parsed(text: str) -> tuple[tuple[str, ...], str]:
    """What a module imports, and its code without comments and docstrings. Of `from a import b` both a and
    a.b are told, as b may be a module."""
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
