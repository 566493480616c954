"""Files that appear whole or not at all, when the disk refuses."""

import resource
from pathlib import Path

import pytest

from cdd_icm.errors import InputError
from cdd_icm.hub import load_tokenizer
from cdd_icm.io import replacing

PRETRAINED = Path(__file__).parents[2] / "data" / "pretrained"


@pytest.fixture
def small_files():
    """No file may grow beyond a kilobyte."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_what_a_library_in_rust_is_refused_is_one_line(tmp_path, small_files):
    """Tokenizers raises a plain Exception then."""
    tokenizer = load_tokenizer(PRETRAINED / "iclevr" / "tokenizer")
    with pytest.raises(InputError) as raised, replacing(tmp_path / "tokenizer") as unfinished:
        tokenizer.save_pretrained(unfinished)
    line = f"{tmp_path / 'tokenizer'}: can't be written (File too large (os error 27))"
    assert str(raised.value) == line
    assert list(tmp_path.iterdir()) == []


def test_an_error_of_another_kind_stays_what_it_is(tmp_path):
    with pytest.raises(ZeroDivisionError), replacing(tmp_path / "x") as unfinished:
        unfinished.write_text("half")
        1 / 0  # noqa: B018
    assert list(tmp_path.iterdir()) == []


def test_a_line_about_a_file_within_is_told_once(tmp_path):
    line = "inner: can't be written (No space left on device (os error 28))"
    with pytest.raises(InputError) as raised, replacing(tmp_path / "outer"):
        raise InputError(line)
    assert str(raised.value) == line
