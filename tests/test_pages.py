"""The pages' links and the files and functions that they name exist, the walks through the code go one way,
and the examples for contributors are as short as promised."""

import ast
import re
from pathlib import Path

import pytest

from tests.test_layers import layer

ROOT = Path(__file__).parents[1]
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("data/**/*.md")]


SOURCES = ("cdd_icm", "retrieval", "scripts", "tests")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_to_files_lead_somewhere(page):
    links = re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text())
    files = [link for link in links if "://" not in link]
    assert [link for link in files if not (page.parent / link).exists()] == []


def test_the_examples_for_contributors_are_under_100_lines():
    rows = re.findall(r"^\| a .*\|(.*?)\|$", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE)
    examples = [path for row in rows for path in re.findall(r"\[\w+\.py\]\(([^)]+)\)", row)]
    assert len(rows) == 4 and len(examples) >= 4
    for path in examples:
        assert len((ROOT / path).read_text().splitlines()) < 100, path


ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text()
WALKS = {
    title: re.findall(r"^\d+\. `([\w/]+\.py)`: `([\w.]+)`", walk, re.MULTILINE)
    for title, walk in re.findall(r"^## (.+)\n((?:(?!## ).*\n?)*)", ARCHITECTURE, re.MULTILINE)
}


def defines(file, name):
    """Whether a module defines a function or class, given as `name` or `Class.method`."""
    body = ast.parse(file.read_text()).body
    for part in name.split("."):
        kinds = ast.FunctionDef | ast.ClassDef
        body = next((node.body for node in body if isinstance(node, kinds) and node.name == part), None)
        if body is None:
            return False
    return True


@pytest.mark.parametrize("title", WALKS)
def test_a_walk_names_existing_functions_and_never_goes_back(title):
    walk = WALKS[title]
    assert 5 <= len(walk) <= 12
    assert [station for station in walk if not defines(ROOT / station[0], station[1])] == []
    layers = [layer(file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")) for file, _ in walk]
    assert layers == sorted(layers)


def test_every_numbered_line_of_the_walks_is_a_station():
    assert len(WALKS) == 4
    lines = re.findall(r"^\d+\. .*", ARCHITECTURE, re.MULTILINE)
    assert len(lines) == sum(map(len, WALKS.values()))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_modules_that_a_page_names_exist(page):
    named = set(re.findall(r"`([\w/]+\.py)`", page.read_text()))
    every = [file.relative_to(ROOT).as_posix() for top in SOURCES for file in (ROOT / top).rglob("*.py")]
    named = {name for name in named if not name.endswith("NAME.py")}  # where a new one goes
    assert [name for name in named if not any(f"/{file}".endswith(f"/{name}") for file in every)] == []
