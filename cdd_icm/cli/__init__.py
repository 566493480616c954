"""The command line. Each module adds the parsers of its commands and names the function that runs each."""

from __future__ import annotations

import os
from collections.abc import Sequence

from cdd_icm.cli import data, draw, evaluate, studio, train
from cdd_icm.cli.arguments import positive, seed_number
from cdd_icm.console import Parser, run

WAITING = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0", "KMP_BLOCKTIME": "0"}
"""Makes torch's threads sleep while they wait for each other. Otherwise they spin, and if other programs keep
the CPU busy, a turn takes several times as long."""

# read when torch is imported: no module above this one imports it
if not WAITING.keys() & os.environ.keys():
    os.environ.update(WAITING)

__all__ = ["main", "positive", "seed_number"]


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command of `argv`, see `console.run`."""
    parser = Parser(prog="cdd-icm", description="Draw pictures by conversation.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for group in (train, draw, studio, evaluate, data):
        group.add_commands(commands)
    return run(parser, argv)
