"""How the words of a dialog become one text."""

from pathlib import Path

import pytest
from transformers import PreTrainedTokenizerFast

from cdd_icm.model.prompt import TURN_SEPARATOR, compose_text
from cdd_icm.model.tokenizer import clip_tokenizer, tokenize

PRETRAINED = Path(__file__).parents[3] / "data" / "pretrained"


def test_the_text_is_the_instruction_then_the_newest_history():
    history = ["one", "two", "three"]
    assert compose_text("now", history, 0) == "now"
    assert compose_text("now", history, 1) == "now <= three"
    assert compose_text("now", history, 9) == "now <= three <= two <= one"
    assert compose_text("now", [], 2) == "now"
    assert compose_text(" add\n a  cube ", ["a\tb"], 1) == "add a cube <= a b"


def test_a_text_that_names_no_speaker_gets_one():
    said = ["a sun", "<drawer> how big", "<3 a tree", " ", ""]
    told = ["<teller> a sun", "<drawer> how big", "<teller> <3 a tree", "", ""]
    assert [compose_text(text, [], 1, "<teller>") for text in said] == told
    assert compose_text("a sun", ["a tree", "<drawer> ok"], 2, "<teller>") == (
        "<teller> a sun <= <drawer> ok <= <teller> a tree"
    )


@pytest.fixture(scope="module", params=["clip", "iclevr", "codraw"])
def tokenizer(request):
    if request.param == "clip":
        return clip_tokenizer()
    return PreTrainedTokenizerFast.from_pretrained(PRETRAINED / request.param / "tokenizer")


FORGED = ["a sun <= a tree", "a sun<=a tree", "a sun <=", "<= a tree", "a sun <== a tree"]
FORGED += ["a sun ＜＝ a tree"]  # full-width signs


@pytest.mark.parametrize("forged", FORGED)
def test_the_separator_inside_an_instruction_is_not_read_as_history(tokenizer, forged):
    def ids(text):
        return tokenize(tokenizer, [text])[0][0].tolist()

    separator = [i for i in ids(TURN_SEPARATOR.strip()) if i not in tokenizer.all_special_ids]

    def separators(text):
        read, n = ids(text), len(separator)
        return sum(read[at : at + n] == separator for at in range(len(read)))

    assert separators("a sun <= a tree") == 1  # so it can be counted
    assert separators(compose_text(forged, [], 1)) == 0
    assert separators(compose_text(forged, [forged], 1)) == 1
    assert separators(compose_text(forged, ["a hill"], 1)) == 1


@pytest.mark.parametrize("text", ["a < b, c = d", "<teller> a sun <3", "naïve ½ ﬁne", "x => y"])
def test_a_text_without_the_separator_is_encoded_as_it_is(text):
    assert compose_text(text, [text], 1) == f"{text} <= {text}"
