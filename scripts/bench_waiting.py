"""Seconds of a drawn turn by how torch's threads wait for each other, quiet and beside a busy program a core.

    python scripts/bench_waiting.py --model data/pretrained/iclevr

Each way of waiting has a process of its own, and they draw in turn; figures are ratios to what OpenMP does by
itself. On a machine that is not quiet otherwise, only the ratios mean something.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmark import interleaved, machine, ratio, write

from cdd_icm.cli import ASLEEP, BRIEFLY, positive, waiting
from cdd_icm.console import Parser, run, say
from cdd_icm.device import find_device

REPORT = Path("reports/bench_waiting.json")
OWN = "OpenMP's own"
WAYS = {
    OWN: {},
    "asleep": ASLEEP,
    "briefly": BRIEFLY,
    "OMP_WAIT_POLICY=PASSIVE": {"OMP_WAIT_POLICY": "PASSIVE"},
    "one thread": {"OMP_NUM_THREADS": "1"},
}
COMMANDS = "commands"
"""What a command that is started now chooses."""
BUSY = "while True: pass"
DRAW = """
import sys, time
from cdd_icm.sampling.loading import load_pipeline
from cdd_icm.sampling.session import DrawingSession
pipeline = load_pipeline(sys.argv[1], "cpu")
pipeline.set_progress_bar_config(disable=True)
for _ in sys.stdin:
    session = DrawingSession(pipeline)
    start = time.perf_counter()
    session.say("Add a blue cube at the center")
    sys.stdout.write(f"{time.perf_counter() - start}\\n")
    sys.stdout.flush()
"""


class Drawing:
    """A process that draws a turn at each call, which returns the seconds."""

    def __init__(self, model: Path, way: dict[str, str]):
        environment = {name: value for name, value in os.environ.items() if name not in ASLEEP}
        self.process = subprocess.Popen(
            [sys.executable, "-c", DRAW, str(model)],
            **{"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True},
            env=environment | way,
        )

    def __call__(self) -> float:
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


@contextmanager
def busy(number: int) -> Iterator[None]:
    """Runs busy processes during the block."""
    processes = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(number)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def main(arguments: Sequence[str] | None = None) -> int:
    parser = Parser(prog="bench_waiting", description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True, metavar="DIR")
    parser.add_argument("--rounds", type=positive, default=10, help="default: %(default)s")
    parser.add_argument("--report", type=Path, default=REPORT, help="default: %(default)s")
    parser.set_defaults(run=_bench)
    return run(parser, arguments)


def _bench(a: argparse.Namespace) -> None:
    report = {"model": a.model.name, **machine(find_device("cpu")), "rounds": a.rounds}
    for name, number in (("quiet", 0), ("busy", os.cpu_count() or 1)):
        with busy(number), ExitStack() as stack:
            ways = {**WAYS, COMMANDS: waiting()}
            drawings = {way: Drawing(a.model, variables) for way, variables in ways.items()}
            for drawing in drawings.values():
                stack.callback(drawing.close)
            times = interleaved(drawings, a.rounds)
        ratios = {way: ratio(times, way, OWN) for way in ways}
        report[name] = {"chosen": ways[COMMANDS], "seconds": times, "ratios": ratios}
        say(f"{name}: {', '.join(f'{way} {value:.3f}' for way, value in ratios.items())}")
    write(a.report, report)


if __name__ == "__main__":
    sys.exit(main())
