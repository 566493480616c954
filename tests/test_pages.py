"""The pages' links lead somewhere, and the examples for contributors are as short as promised."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("data/**/*.md")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_to_files_lead_somewhere(page):
    links = re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text())
    files = [link for link in links if "://" not in link]
    assert [link for link in files if not (page.parent / link).exists()] == []


def test_the_examples_for_contributors_are_under_100_lines():
    rows = re.findall(r"\[\w+\.py\]\(([^)]+)\)", (ROOT / "CONTRIBUTING.md").read_text())
    assert len(rows) >= 3
    for path in rows:
        assert len((ROOT / path).read_text().splitlines()) < 100, path
