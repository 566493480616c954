"""SIGTERM, as clusters send it before they kill, and Ctrl-C: the current piece of work is kept, one line says
where it stopped, and the exit status is 143 or 130."""

import importlib
import os
import re
import signal
from pathlib import Path

import pytest

from cdd_icm import DrawingSession, cli
from cdd_icm.console import exit_status
from cdd_icm.errors import InputError
from cdd_icm.io import replacing
from cdd_icm.sampling import dialogs as drawing
from retrieval import cli as retrieval_cli
from retrieval.model import RetrievalModel
from tests.cdd_icm.conftest import tiny_folder, tiny_pipeline  # noqa: F401
from tests.retrieval.conftest import make_model  # noqa: F401

ROOT = Path(__file__).parents[1]
SAMPLE = ROOT / "data" / "iclevr_sample"
DETECTOR = ROOT / "data" / "pretrained" / "detector_iclevr"
CPU = ["--device", "cpu", "--dtype", "fp32"]

STATUS = {signal.SIGTERM: 143, signal.SIGINT: 130}
both = pytest.mark.parametrize("number", STATUS)


def signal_once(monkeypatch, owner, name, number):
    """The signal arrives during the first call of a function."""
    function = getattr(owner, name)

    def once(*given, **options):
        monkeypatch.setattr(owner, name, function)
        os.kill(os.getpid(), number)
        return function(*given, **options)

    monkeypatch.setattr(owner, name, once)


def stopped(program, arguments, number, capsys):
    """What a command says that the signal ends."""
    before = [signal.getsignal(each) for each in STATUS]
    assert program.main([str(part) for part in arguments]) == STATUS[number]
    assert [signal.getsignal(each) for each in STATUS] == before
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "stopping after this step; run the same command again to resume"
    return said[-1]


@pytest.mark.slow
@both
def test_generate(tiny_folder, tmp_path, monkeypatch, capsys, number):  # noqa: F811
    generate = ["generate", "--model", tiny_folder, "--say", "a|b|c", "--out", tmp_path / "out", *CPU]
    signal_once(monkeypatch, DrawingSession, "say", number)
    line = f"cdd-icm: {tmp_path / 'out'}: stopped after turn 1 of 3; run the same command again to resume"
    assert stopped(cli, generate, number, capsys) == line
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["turn_1.png"]


@pytest.mark.slow
@both
def test_generate_a_split(tiny_folder, tmp_path, monkeypatch, capsys, number):  # noqa: F811
    generate = ["generate", "--model", tiny_folder, "--data", SAMPLE, "--out", tmp_path / "out", *CPU]
    generate += ["--batch-size", "1"]
    signal_once(monkeypatch, drawing, "generate_dialogs", number)
    assert "out: stopped after 1 of 3 missing dialogs; run the same" in stopped(cli, generate, number, capsys)
    assert len(list((tmp_path / "out").glob("*/instructions.txt"))) == 1
    assert cli.main([str(part) for part in generate]) == 0
    assert len(list((tmp_path / "out").glob("*/instructions.txt"))) == 3


@pytest.mark.slow
def test_evaluate(tiny_folder, tmp_path, monkeypatch, capsys):  # noqa: F811
    evaluate = ["evaluate", "--model", tiny_folder, "--data", SAMPLE, "--report", tmp_path / "report.json"]
    evaluate += ["--detector", DETECTOR, "--limit", "2", "--batch-size", "1", *CPU]
    module = importlib.import_module("cdd_icm.evaluation.evaluate")
    signal_once(monkeypatch, module, "generate_dialogs", signal.SIGTERM)
    line = stopped(cli, evaluate, signal.SIGTERM, capsys)
    assert re.search(r"report\.pictures: stopped after 1 of 2 missing dialogs", line)
    assert not (tmp_path / "report.json").exists()


@pytest.mark.slow
@both
def test_index(make_model, tmp_path, monkeypatch, capsys, number):  # noqa: F811
    make_model().save_pretrained(tmp_path / "model")
    index = ["index", SAMPLE / "images", "--store", tmp_path / "mine.db", "--model", tmp_path / "model"]
    index += ["--batch-size", "2", "--device", "cpu"]
    encode = RetrievalModel.encode_gallery
    calls = []

    def signalled(self, pictures):
        calls.append(len(pictures))
        if len(calls) == 1:
            os.kill(os.getpid(), number)
        return encode(self, pictures)

    monkeypatch.setattr(RetrievalModel, "encode_gallery", signalled)
    line = stopped(retrieval_cli, index, number, capsys)
    assert line.startswith(f"cdd-retrieval: {SAMPLE / 'images'}: stopped before the end; run the same")
    assert retrieval_cli.main([str(part) for part in index]) == 0
    assert re.search(r"\d\d added, 0 updated, 2 unchanged", capsys.readouterr().out)


@both
def test_what_has_no_steps_ends_at_once_and_leaves_nothing(tmp_path, capsys, number):
    def work():
        with replacing(tmp_path / "a.txt") as path:
            path.write_text("half")
            os.kill(os.getpid(), number)

    assert exit_status("program", work) == STATUS[number]
    assert capsys.readouterr().err == "program: stopped\n" and list(tmp_path.iterdir()) == []
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


@both
@pytest.mark.parametrize("error", [ValueError, InputError, OSError])
def test_what_a_library_makes_of_a_signal_is_no_error_of_its_own(number, error, capsys):
    """Found by the soak test: torch and diffusers catch everything while they load."""

    def command():
        try:
            os.kill(os.getpid(), number)
            signal.pause()
        except BaseException:
            raise error("weights: not found") from None

    assert exit_status("program", command) == STATUS[number]
    assert capsys.readouterr().err == "program: stopped\n"


def test_a_program_keeps_its_own_handler(tmp_path):
    received = []
    before = signal.signal(signal.SIGTERM, lambda *_: received.append("own"))
    try:
        assert exit_status("program", lambda: os.kill(os.getpid(), signal.SIGTERM)) == 0
    finally:
        signal.signal(signal.SIGTERM, before)
    assert received == ["own"]
