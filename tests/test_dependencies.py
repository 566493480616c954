"""pyproject.toml declares what the sources import, and nothing that they do not need."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

NOT_IMPORTED = {
    "tensorboard",  # accelerate's, where `training.tracker` names it
    "pytest-xdist",  # `make test-fast` runs on two workers
    "ruff",
    "cdd-icm",  # its own extras
}


OF_EXTRAS = {"bpy", "mathutils"}
"""Modules of the extra `render`, which has a Python and a numpy of its own."""


def declared(requirements: list[str]) -> set[str]:
    return {_plain(re.match(r"[\w.-]+", requirement)[0]) for requirement in requirements}


def imported(folders: tuple[str, ...]) -> set[str]:
    """The distributions that the Python files in `folders` import."""
    own = {path.stem for folder in folders for path in (ROOT / folder).rglob("*.py")}
    own |= {"cdd_icm", "retrieval", "tests", "scripts", "render", *OF_EXTRAS} | {
        path.stem for path in (ROOT / "scripts").glob("*.py")
    }
    names = set()
    for folder in folders:
        for file in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    names |= {alias.name.partition(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    names.add(node.module.partition(".")[0])
    found = packages_distributions()
    return {_plain(found[name][0]) for name in names - own - sys.stdlib_module_names}


def _plain(name: str) -> str:
    return re.sub("[-_.]+", "-", name).lower()


@pytest.mark.slow
def test_the_sources_import_what_is_declared_and_all_of_it():
    pytest.importorskip("gradio", reason="the extra `studio` is not installed")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    needed = declared(project["dependencies"]) | declared(extras["studio"])
    assert imported(("cdd_icm", "retrieval", "scripts")) == needed - NOT_IMPORTED
    assert imported(("tests",)) - needed == declared(extras["test"]) - NOT_IMPORTED


def test_only_the_studio_needs_its_extra():
    extra = declared(
        tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["studio"]
    )
    others = [file for file in (ROOT / "cdd_icm").iterdir() if file.name not in ("studio", "cli")]
    others.append(ROOT / "retrieval")
    assert imported(tuple(str(file.relative_to(ROOT)) for file in others if file.is_dir())) & extra == {
        "pillow"
    }
