"""The site of the docs is built without a warning and has every page, and the tutorials run."""

import json
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TUTORIALS = sorted((ROOT / "docs" / "tutorials").glob("*.ipynb"))

needs_docs = pytest.mark.skipif(
    None in [find_spec(name) for name in ("mkdocs", "material", "mkdocstrings", "nbclient", "ipykernel")],
    reason="the extra is not installed: pip install 'cdd-icm[docs]'",
)


def run(*command):
    environment = os.environ | {"PYTHONPATH": str(ROOT), "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(
        [sys.executable, *map(str, command)], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    run("-m", "mkdocs", "build", "--strict", "-f", ROOT / "docs" / "site" / "mkdocs.yml", "-d", folder)
    return folder


@needs_docs
@pytest.mark.slow
def test_every_page_is_on_the_site_and_in_its_navigation(site):
    pages = [*ROOT.glob("docs/*.md"), *TUTORIALS, *ROOT.glob("data/**/*.md"), ROOT / "CONTRIBUTING.md"]
    home = (site / "index.html").read_text(encoding="utf-8")
    for page in pages:
        place = page.relative_to(ROOT).with_suffix(".html")
        place = place.with_name("index.html") if page.name == "README.md" else place
        assert (site / place).is_file(), place
        assert f'href="{place.as_posix()}"' in home, f"{place} is not in the navigation"


@needs_docs
@pytest.mark.slow
def test_the_reference_has_the_public_names_and_the_commands(site):
    for package in ("cdd_icm", "retrieval"):
        text = (site / "api" / f"{package}.html").read_text(encoding="utf-8")
        initial = (ROOT / package / "__init__.py").read_text(encoding="utf-8")
        names = re.findall(r'"(\w+)"', re.search(r"__all__ = \[(.*?)\]", initial, re.DOTALL)[1])
        assert names and [name for name in names if f".{name}" not in text] == []
    commands = (site / "api" / "commands.html").read_text(encoding="utf-8")
    assert "cdd-icm generate" in commands and "cdd-retrieval search" in commands


@needs_docs
@pytest.mark.slow
def test_the_site_asks_no_other_server_for_its_pages(site):
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert re.findall(r'(?:src|<link[^>]* href)="(https?://[^"]+)"', text) == [], page.name
        assert 'class="mermaid"' not in text, "the theme loads a script for it from a network"


@needs_docs
@pytest.mark.slow
@pytest.mark.parametrize("tutorial", TUTORIALS, ids=lambda file: file.stem)
def test_a_tutorial_runs_in_its_smallest_form(tutorial):
    before = tutorial.read_bytes()
    run(ROOT / "docs" / "site" / "notebooks.py", "--smallest", tutorial.stem)
    assert tutorial.read_bytes() == before


@pytest.mark.parametrize("tutorial", TUTORIALS, ids=lambda file: file.stem)
def test_a_tutorial_has_been_executed_to_its_end(tutorial):
    cells = [c for c in json.loads(tutorial.read_text(encoding="utf-8"))["cells"] if c["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell["outputs"]]
    assert outputs and [o for o in outputs if o["output_type"] == "error" or o.get("name") == "stderr"] == []
    assert tutorial.stat().st_size < 500_000


def test_the_tutorials_name_no_path_of_a_machine():
    for tutorial in TUTORIALS:
        assert re.findall(r"/(?:tmp|home|root|work|usr)/\w+", tutorial.read_text(encoding="utf-8")) == []
