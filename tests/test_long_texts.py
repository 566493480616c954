"""A text that the model can't read to its end is told, once and in one line."""

import warnings
from pathlib import Path

import pytest
import torch

from cdd_icm import cli
from cdd_icm.errors import InputWarning
from cdd_icm.hub import load_tokenizer
from cdd_icm.model import tokenizer as tokenizer_module
from cdd_icm.model.prompt import compose_text
from cdd_icm.model.tokenizer import tokenize
from tests.cdd_icm.conftest import tiny_pipeline  # noqa: F401
from tests.retrieval.conftest import make_model  # noqa: F401

ROOT = Path(__file__).parents[1]


@pytest.fixture
def untold(monkeypatch):
    monkeypatch.setattr(tokenizer_module, "_warned", set())


@pytest.fixture(scope="module")
def words():
    return load_tokenizer(ROOT / "data/pretrained/iclevr/tokenizer")


MANY = " ".join(["please"] * 120)

CUT = {
    "the end": (f"{MANY} Add a blue cube", "text cut before 'please': more than the model's 52 tokens"),
    "an earlier one": (compose_text("a cube", [MANY], 1), "earlier instructions cut before 'please'"),
    "no space": ("x" * 400, "text cut before 'xxx"),
    "other letters": ("絵" * 100, "text cut before '絵絵"),
    "control characters": ("\x1b[31m " * 60, "text cut before '\\x1b[31m"),
}


@pytest.mark.parametrize(("text", "line"), CUT.values(), ids=CUT.keys())
def test_a_text_that_is_cut_is_told_once(words, untold, text, line):
    with pytest.warns(InputWarning) as told:
        tokenize(words, [text, "a cube", text])
        tokenize(words, [text])
    assert len(told) == 1 and str(told[0].message).startswith(line)


def test_the_history_is_cut_before_the_instruction(words, untold):
    instruction = "Add a red sphere behind it on the left"
    with pytest.warns(InputWarning):
        (ids, alone), _ = tokenize(words, [compose_text(instruction, [MANY], 1), instruction])
    length = int((alone != words.pad_token_id).sum()) - 1  # without the end token
    assert torch.equal(ids[:length], alone[:length])


def test_the_first_word_that_was_dropped_is_named(words, untold):
    kept = "Add a blue cube at the center and a red sphere and a green cylinder on the left of it " * 2
    for last in ("alpha omega", "omega alpha"):
        with pytest.warns(InputWarning) as told:
            tokenize(words, [f"{kept}{MANY[:100]} {last}"])
        assert "more than the model's 52 tokens" in str(told[0].message)


def test_only_the_first_texts_are_named(words, untold):
    with pytest.warns(InputWarning) as told:
        tokenize(words, [f"{MANY} {number}" for number in range(30)])
    assert len(told) == 11 and "more texts are too long" in str(told[-1].message)


def test_short_texts_are_not_told(words, untold):
    with warnings.catch_warnings(action="error"):
        tokenize(words, ["", "Add a blue cube at the center"])


def test_a_command_tells_it_in_one_line(tiny_pipeline, untold, tmp_path, capsys):  # noqa: F811
    tiny_pipeline.save_pretrained(tmp_path / "m")
    command = ["generate", "--model", str(tmp_path / "m"), "--out", str(tmp_path / "o"), "--device", "cpu"]
    assert cli.main([*command, "--say", MANY]) == 0
    line = "cdd-icm: text cut before 'please': more than the model's 24 tokens: 'please please"
    assert [each.startswith(line) for each in capsys.readouterr().err.splitlines()] == [True]
