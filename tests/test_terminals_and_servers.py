"""Nothing that is printed fails, and a server that does not answer is given up."""

import contextlib
import io
import socket
import sys
from pathlib import Path

import pytest

from cdd_icm import cli
from cdd_icm.console import exit_status, say
from cdd_icm.errors import InputError
from cdd_icm.progress import Progress
from cdd_icm.sources import open_stream
from retrieval import cli as retrieval_cli
from tests.cdd_icm.conftest import tiny_pipeline  # noqa: F401
from tests.retrieval.conftest import make_model  # noqa: F401

ROOT = Path(__file__).parents[1]
THEIRS = ROOT / "reports" / "retrieval_iclevr_test.json"
TINY = str(ROOT / "configs/generate/tiny.yaml")


@pytest.fixture
def silent():
    """The address of a server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"https://127.0.0.1:{server.getsockname()[1]}/x.tar"


def test_a_silent_server_is_given_up_in_one_line(silent, monkeypatch, capsys):
    monkeypatch.setenv("CDD_ICM_ANSWER_SECONDS", "0.3")
    monkeypatch.setattr("cdd_icm.remote.TELL_SECONDS", 0.2)
    with pytest.raises(InputError) as refused:
        open_stream(silent)
    assert str(refused.value) == f"{silent}: no answer for 0.3 s (CDD_ICM_ANSWER_SECONDS sets the limit)"
    assert capsys.readouterr().err == f"{silent}: no answer for 0.2 of 0.3 s\n"


def test_training_from_a_silent_server_is_one_line(silent, monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("CDD_ICM_ANSWER_SECONDS", "0.3")
    settings = [f"data.path={silent}", f"output_dir={tmp_path}/run"]
    assert cli.main(["train", TINY, *settings]) == 2
    assert f"cdd-icm: {silent}: no answer for 0.3 s" in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize("seconds", ["soon", "0", "-1", "nan", "1e9"])
def test_a_limit_is_a_number_of_seconds(monkeypatch, seconds):
    monkeypatch.setenv("CDD_ICM_ANSWER_SECONDS", seconds)
    with pytest.raises(InputError, match=f"CDD_ICM_ANSWER_SECONDS is '{seconds}', expected seconds over 0"):
        open_stream("https://127.0.0.1:1/x.tar")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_whatever_is_printed_is_shown(encoding, tmp_path, monkeypatch):
    terminal = [io.TextIOWrapper(io.BytesIO(), encoding=encoding, write_through=True) for _ in range(2)]
    monkeypatch.setattr(sys, "stdout", terminal[0])
    monkeypatch.setattr(sys, "stderr", terminal[1])
    monkeypatch.chdir(tmp_path)
    (tmp_path / "絵.yaml").write_text("x: 絵")
    assert cli.main(["train", "絵.yaml"]) == 2
    with contextlib.suppress(SystemExit):
        cli.main(["絵"])
    with contextlib.suppress(SystemExit):
        cli.main(["train", "--help"])
    assert retrieval_cli.main(["compare", str(THEIRS), str(THEIRS)]) == 0  # has a plus-minus sign
    Progress.write("絵")
    for _ in Progress(range(2), desc="絵", file=sys.stderr, delay=0):
        pass
    say("絵", file=sys.stderr)
    print("絵")
    out, error = (stream.buffer.getvalue().decode(encoding) for stream in terminal)
    assert "cdd-icm: \\u7d75.yaml: unknown key x" in error
    assert "\\u7d75" in out and "usage: cdd-icm train" in out


def test_an_unknown_argument_can_not_steer_the_terminal(capsys):
    with pytest.raises(SystemExit):
        cli.main(["compare", "a", "--\x1b[31m"])
    assert "\\x1b[31m" in capsys.readouterr().err


def test_a_full_disk_under_the_output(monkeypatch, capsys):
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    with open("/dev/full", "w", encoding="utf-8") as full:
        monkeypatch.setattr(sys, "stdout", full)
        assert exit_status("cdd-icm", lambda: say("a")) == 2
        monkeypatch.undo()
        with contextlib.suppress(OSError):
            full.close()
    error = capsys.readouterr().err
    assert error.startswith("cdd-icm: ") and "No space left on device" in error and error.count("\n") == 1
