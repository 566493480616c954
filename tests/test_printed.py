"""Names from elsewhere are plain text at a terminal and in a page: what goes in, and what is shown."""

import io
import json
from pathlib import Path

import pytest

from cdd_icm import cli
from cdd_icm.console import print_error, printable, say
from cdd_icm.errors import InputError
from cdd_icm.markdown import escaped
from retrieval.evaluation import report as retrieval_report
from tests.retrieval.evaluation.test_report import report

ROOT = Path(__file__).parents[1]

PRINTED = {
    "\x1b[31mred\x1b[0m": "\\x1b[31mred\\x1b[0m",
    "\x1b]0;title\x07": "\\x1b]0;title\\x07",
    "a\rb": "a\\rb",
    "a\x08\x7f\x9b": "a\\x08\\x7f\\x9b",
    "\u202egnp.exe": "\\u202egnp.exe",
    "\ud800": "\\ud800",
    "a\tb\nc": "a\tb\nc",
    "grün 絵 👩‍🎨": "grün 絵 👩‍🎨",
}


@pytest.mark.parametrize(("text", "shown"), PRINTED.items())
def test_control_characters_are_escaped(text, shown, capsys):
    assert printable(text) == shown
    say(text)
    assert capsys.readouterr().out == f"{shown}\n"


def test_an_error_is_one_line(capsys):
    print_error("cdd-icm", InputError("a\nb\x1b[2J"))
    assert capsys.readouterr().err == "cdd-icm: a\\nb\\x1b[2J\n"


def test_what_the_terminal_can_not_show_is_escaped():
    ascii_only = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    say("grün", file=ascii_only, flush=True)
    assert ascii_only.buffer.getvalue() == b"gr\\xfcn\n"


MARKED = {
    "<script>alert(1)</script>": "&lt;script&gt;alert(1)&lt;/script&gt;",
    "a | b": "a &#124; b",
    "[x](javascript:y)": "&#91;x&#93;(javascript:y)",
    "a\n# b": "a\\n# b",
    "<!-- end of table t -->": "&lt;!-- end of table t --&gt;",
    "\x1b[1m": "\\x1b&#91;1m",
}


@pytest.mark.parametrize(("name", "shown"), MARKED.items())
def test_names_in_a_page_are_text(name, shown, tmp_path):
    assert escaped({name: [name, 1.0, None]}) == {shown: [shown, 1.0, None]}
    (tmp_path / "report.json").write_text(json.dumps(report(name, 10.0)))
    assert f"| {shown} |" in retrieval_report.compare([tmp_path / "report.json"])


def test_the_figures_of_the_shipped_reports_are_printed_as_before(capsys):
    assert cli.main(["compare", str(ROOT / "reports" / "iclevr_test.json")]) == 0
    assert "&" not in capsys.readouterr().out
