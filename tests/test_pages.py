"""The pages' links, with their anchors, and the files and functions that they name exist, the walks through
the code go one way, and the examples for contributors are as short as promised."""

import ast
import json
import re
from pathlib import Path

import pytest

from tests.test_layers import layer

ROOT = Path(__file__).parents[1]
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("data/**/*.md")]
NOTEBOOKS = sorted(ROOT.glob("docs/tutorials/*.ipynb"))

SOURCES = ("cdd_icm", "retrieval", "scripts", "tests")


def prose(page):
    """A page without its blocks of code; of a notebook, its text."""
    text = page.read_text(encoding="utf-8")
    if page.suffix == ".ipynb":
        cells = json.loads(text)["cells"]
        text = "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    return re.sub(r"^( *)```.*?^\1```$", "", text, flags=re.DOTALL | re.MULTILINE)


def anchors(page):
    """The anchors of a page's headings, as GitHub and the site make them."""
    found = []
    for heading in re.findall(r"^#+ +(.+?) *$", prose(page), re.MULTILINE):
        heading = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        found.append(re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-"))
    return found


@pytest.mark.parametrize("page", [*PAGES, *NOTEBOOKS], ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files_and_headings(page):
    wrong = []
    for link in re.findall(r"\]\(<?([^)>\s]+)>?\)", prose(page)):
        file, _, anchor = link.partition("#")
        if "://" in file or file.startswith("mailto:"):
            continue
        target = page.parent / file if file else page
        missing = not target.exists() or ROOT not in target.resolve().parents
        if missing or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            wrong.append(link)
    assert wrong == []


def test_wrong_links_are_seen(tmp_path):
    (page := tmp_path / "page.md").write_text("# A [b](c.md): d's\n```\n# not a heading\n```\n## `e` f\n")
    assert anchors(page) == ["a-b-ds", "e-f"]


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
