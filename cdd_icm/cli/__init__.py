"""The command line. Each module adds the parsers of its commands and names the function that runs each."""

from __future__ import annotations

import os
from collections.abc import Sequence

import psutil

from cdd_icm.cli import data, draw, evaluate, push, studio, train
from cdd_icm.cli.arguments import positive, seed_number
from cdd_icm.console import Parser, run

ASLEEP = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0", "KMP_BLOCKTIME": "0"}
"""Torch's threads sleep while they wait for each other: best where other programs keep the CPU busy, as
threads that spin then make a turn take several times as long."""

BRIEFLY = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "10000", "KMP_BLOCKTIME": "1"}
"""They spin for a moment before they sleep: best on a quiet machine, where always to sleep costs a fifth."""

BUSY = 25.0
"""Percent of the CPU that other programs use on a busy machine."""


def waiting() -> dict[str, str]:
    """How torch's threads are to wait for each other, by how busy the machine is: environment variables that
    torch's OpenMP reads once, when torch is imported."""
    return ASLEEP if psutil.cpu_percent(interval=0.1) > BUSY else BRIEFLY


# no module above this one imports torch
if not ASLEEP.keys() & os.environ.keys():
    os.environ.update(waiting())

__all__ = ["main", "positive", "seed_number"]


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command of `argv`, see `console.run`."""
    return run(_parser(), argv)


def _parser() -> Parser:
    parser = Parser(prog="cdd-icm", description="Draw pictures by conversation.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for group in (train, draw, studio, evaluate, data, push):
        group.add_commands(commands)
    return parser
