"""MkDocs hooks: the site has the pages where the repository has them, so that every link works in both.

Beside them the site gets what they link to (pictures, sources, reports), a page for each notebook, and the
reference: the public names of both packages, and the help of every command.
"""

from __future__ import annotations

import argparse
import ast
import os
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import nbformat
from mkdocs.structure.files import File, Files
from nbconvert import MarkdownExporter

from cdd_icm.text import read_text

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("cdd_icm", "retrieval")
OUTSIDE = ("README.md", "CONTRIBUTING.md", "data/README.md", "data/plain_speech/README.md")
LINK = re.compile(r"\]\(([^)\s#]+)(#[^)]*)?\)")


def pages() -> list[str]:
    """The Markdown pages and notebooks of the site, by their paths in the repository."""
    patterns = ("docs/*.md", "docs/tutorials/*", "data/pretrained/*/README.md")
    found = [file for pattern in patterns for file in ROOT.glob(pattern)]
    found = [file.relative_to(ROOT).as_posix() for file in found if file.suffix in (".md", ".ipynb")]
    return [*(page for page in OUTSIDE if (ROOT / page).exists()), *sorted(found)]


def written() -> dict[str, str]:
    """The pages that have no file, by name: the reference."""
    return {
        **{f"api/{package}.md": _reference(package) for package in PACKAGES},
        "api/commands.md": "".join(_commands()),
    }


def on_config(config):
    """Takes the pages that don't exist out of the navigation, and puts those that it lacks at its end."""
    known = {*pages(), *written()}
    config.nav, named = _existing(config.nav, known)
    more = [page for page in pages() if page not in named]
    if more:
        config.nav.append({"More": [_as_page(page) for page in more]})
    config.watch += [str(ROOT / name) for name in ("docs", "data", "README.md", "CONTRIBUTING.md", *PACKAGES)]
    return config


def on_files(files: Files, config) -> Files:
    """Replaces what lies in the site's folder, which is empty, by the pages and all that they link to."""
    kept = Files([file for file in files if not file.is_documentation_page()])
    texts = written()
    linked: set[str] = set()
    for page in pages():
        if page.endswith(".ipynb"):
            text, pictures = _notebook(ROOT / page)
            texts[_as_page(page)] = text
            for name, content in pictures.items():
                kept.append(File.generated(config, f"{Path(page).parent.as_posix()}/{name}", content=content))
            linked.add(page)
        else:
            text = read_text(ROOT / page)
            texts[page] = text
        linked |= set(_linked(page, text))
    for page, text in texts.items():
        kept.append(File.generated(config, page, content=_with_pages(text)))
    for name in sorted(linked - texts.keys()):
        if (ROOT / name).is_file():
            kept.append(File.generated(config, name, abs_src_path=str(ROOT / name)))
    return kept


def _as_page(page: str) -> str:
    return page.removesuffix(".ipynb") + ".md" if page.endswith(".ipynb") else page


def _with_pages(text: str) -> str:
    """A text whose links to notebooks lead to their pages."""
    return re.sub(r"(\]\([^)\s]*)\.ipynb\)", r"\1.md)", text)


def _existing(nav: list, known: set[str]) -> tuple[list, set[str]]:
    """The part of a navigation whose pages are known, and the pages in it."""
    kept, named = [], set()
    for entry in nav:
        [(title, value)] = entry.items()
        if isinstance(value, list):
            value, inner = _existing(value, known)
            named |= inner
        elif value in known:
            named.add(value)
            value = _as_page(value)
        else:
            continue
        if value:
            kept.append({title: value})
    return kept, named


def _linked(page: str, text: str) -> Iterator[str]:
    """The files of the repository that a page links to, by their paths in it."""
    for link, _ in LINK.findall(text):
        if "://" not in link:
            target = (ROOT / page).parent / unquote(link)
            if target.resolve().is_relative_to(ROOT):
                yield target.resolve().relative_to(ROOT).as_posix()


def _notebook(file: Path) -> tuple[str, dict[str, bytes]]:
    """A notebook as Markdown, and its pictures by name."""
    notebook = nbformat.reads(read_text(file), as_version=4)
    text, resources = MarkdownExporter().from_notebook_node(
        notebook, resources={"unique_key": file.stem, "output_files_dir": f"{file.stem}_files"}
    )
    note = f"\n[This page as a notebook]({file.name}?)\n"
    return text + note, resources["outputs"]


def _reference(package: str) -> str:
    """The reference of a package: all names that its `__init__` exports, from where each is defined."""
    tree = ast.parse(read_text(ROOT / package / "__init__.py"))
    homes = {
        alias.name: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith(package)
        for alias in node.names
    }
    [names] = [
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
    ]
    head = f"# {package}\n\n{ast.get_docstring(tree)}\n\n`from {package} import {', '.join(names)}`\n\n"
    return head + "".join(f"::: {_definition(homes[name], name)}\n\n" for name in names)


def _definition(module: str, name: str) -> str:
    """The full name of what `module` exports as `name`, from the module that defines it."""
    file = ROOT / module.replace(".", "/")
    file = file / "__init__.py" if file.is_dir() else file.with_suffix(".py")
    for node in ast.parse(read_text(file)).body:
        if isinstance(node, ast.ImportFrom) and any(alias.name == name for alias in node.names):
            return _definition(node.module, name)
    return f"{module}.{name}"


def _commands() -> Iterator[str]:
    """A page with the help of every command of both programs."""
    import cdd_icm.cli
    import retrieval.cli

    os.environ["COLUMNS"] = "110"  # as wide as argparse writes
    yield "# Commands\n\n"
    for program in (cdd_icm.cli, retrieval.cli):
        yield from _help(program._parser())


def _help(parser: argparse.ArgumentParser, level: int = 2) -> Iterator[str]:
    yield f"{'#' * level} {parser.prog}\n\n```text\n{parser.format_help()}```\n\n"
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for each in action.choices.values():
                yield from _help(each, level + 1)
