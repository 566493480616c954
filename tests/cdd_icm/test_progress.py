"""What stands in a log and in a terminal while long work goes on, by a clock that the test moves."""

import io
import re
import subprocess
import sys
from pathlib import Path

import pytest

from cdd_icm.progress import INTERVAL, Progress


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr("tqdm.std.time", clock)
    return clock


def test_fast_work_leaves_nothing_in_a_log(clock):
    log = io.StringIO()
    for _ in Progress(range(1000), "decoding", unit="pictures", file=log):
        clock.now += 0.005
    assert log.getvalue() == ""


def test_slow_work_prints_a_line_every_interval_and_one_at_its_end(clock):
    log = io.StringIO()
    with Progress(total=100, desc="decoding", unit="pictures", file=log) as bar:
        for _ in range(100):
            clock.now += INTERVAL / 20  # 50 s in all
            bar.update()
    lines = log.getvalue().splitlines()
    assert [int(re.search(r"(\d+) of 100", line)[1]) for line in lines] == [20, 40, 60, 80, 100, 100]
    assert lines[0] == "decoding: 20 of 100 pictures, 00:10 elapsed, 00:40 left"
    assert "\r" not in log.getvalue() and "\x1b" not in log.getvalue()


def test_iterating_prints_the_same_lines_as_updating(clock):
    log = io.StringIO()
    for _ in Progress(range(100), "decoding", unit="pictures", file=log):
        clock.now += INTERVAL / 20
    assert [line.partition(",")[0] for line in log.getvalue().splitlines()] == [
        f"decoding: {n} of 100 pictures" for n in (20, 40, 60, 80, 100, 100)
    ]


def test_figures_and_messages_make_no_line_of_their_own(clock):
    log = io.StringIO()
    with Progress(total=100, unit="images", file=log) as bar:
        for step in range(100):
            clock.now += INTERVAL / 40  # 25 s in all
            bar.set_postfix(loss=step)
            bar.write(f"step {step}", file=log)
            bar.update()
    lines = [line for line in log.getvalue().splitlines() if not line.startswith("step")]
    assert [line.partition(",")[0] for line in lines] == [f"{n} of 100 images" for n in (39, 79, 100)]
    assert lines[0].endswith("loss=39")
    assert log.getvalue().count("step") == 100


def test_a_terminal_has_a_bar_as_ever(clock):
    terminal = Terminal()
    for _ in Progress(range(20), "decoding", file=terminal, ascii=True, ncols=60):
        clock.now += 1
    assert terminal.getvalue().count("\r") > 10 and "100%|###" in terminal.getvalue()


def test_a_switched_off_bar_prints_nothing(clock):
    log, terminal = io.StringIO(), Terminal()
    for file in (log, terminal):
        for _ in Progress(range(20), file=file, disable=True):
            clock.now += 100
        assert file.getvalue() == ""


def test_piped_standard_error_stays_empty():
    code = "from cdd_icm.progress import Progress\nfor _ in Progress(range(1000)): pass"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stderr == ""


def test_the_pipelines_own_bar_is_one(tiny_pipeline, clock, capsys):
    before = tiny_pipeline._progress_bar_config
    tiny_pipeline.set_progress_bar_config(desc="denoising")
    try:
        with tiny_pipeline.progress_bar(total=3) as bar:
            assert isinstance(bar, Progress)
            for _ in range(3):
                clock.now += INTERVAL
                bar.update()
    finally:
        tiny_pipeline.set_progress_bar_config(**before)
    assert capsys.readouterr().err.splitlines()[0].startswith("denoising: 1 of 3 it")


def test_no_other_bar_is_used():
    root = Path(__file__).parents[2]
    for folder in ("cdd_icm", "retrieval", "scripts"):
        for file in (root / folder).rglob("*.py"):
            if file.name != "progress.py":
                assert "import tqdm" not in file.read_text(), file
