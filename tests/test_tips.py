"""What docs/tips.md says can be looked up: the messages that it quotes are in the code, and the config keys
and options exist."""

import re
from pathlib import Path

import pytest

import cdd_icm.cli
import retrieval.cli
from cdd_icm.config import Config
from cdd_icm.config.describe import describe
from cdd_icm.train.generator import MUTABLE_KEYS

ROOT = Path(__file__).parents[1]
TIPS = (ROOT / "docs" / "tips.md").read_text(encoding="utf-8")
SOURCES = " ".join(
    re.sub(r'"\s+f?"', "", file.read_text(encoding="utf-8"))
    for package in ("cdd_icm", "retrieval")
    for file in (ROOT / package).rglob("*.py")
)
QUOTED = sorted({text.removesuffix(" ...") for text in re.findall(r'"([^"\n]+)"', TIPS.replace("\n", " "))})
OUR_WORDS = {"It", "a hat", "against the annotation"}
"""In quotation marks without being a message."""
FILLED_IN = {"the loss is nan at sample": "the loss is {value} at sample"}


@pytest.mark.parametrize("quoted", [text for text in QUOTED if text not in OUR_WORDS])
def test_a_quoted_message_is_in_the_code(quoted):
    assert FILLED_IN.get(quoted, quoted) in SOURCES


def test_the_config_keys_exist():
    described = describe(Config)
    named = set(re.findall(r"\b((?:training|data|unet|plan|objective)\.[a-z_]+)\b", TIPS))
    assert len(named) > 8
    assert [key for key in named if f"{key} =" not in described] == []


def test_what_may_change_when_a_run_is_resumed_is_what_the_tips_say():
    [line] = re.findall(r"What may change: (.*?), and everything under `sampling`", TIPS.replace("\n", " "))
    told = set(re.findall(r"`([\w.]+)`", line))
    assert told == {f"{part}.{key}" for part in ("training", "data") for key in MUTABLE_KEYS[part]}


def test_the_options_exist():
    helps = "".join(_helps(cdd_icm.cli._parser())) + "".join(_helps(retrieval.cli._parser()))
    named = set(re.findall(r"(--[a-z-]+)", TIPS)) - {"--depth", "--use", "--fsdp"}
    assert [option for option in named if option not in helps] == []


def _helps(parser):
    yield parser.format_help()
    for action in parser._actions:
        for each in getattr(action, "choices", None) or {} if hasattr(action, "add_parser") else {}:
            yield from _helps(action.choices[each])
