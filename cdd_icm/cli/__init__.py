"""The command line. Each module adds the parsers of its commands and names the function that runs each."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from cdd_icm.cli import data, draw, evaluate, train
from cdd_icm.cli.arguments import positive, seed_number
from cdd_icm.console import exit_status

__all__ = ["main", "positive", "seed_number"]


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command of `argv` (None: the process's own arguments) and returns the exit status, see
    `console.exit_status`."""
    parser = argparse.ArgumentParser(prog="cdd-icm", description="Draw pictures by conversation.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for group in (train, draw, evaluate, data):
        group.add_commands(commands)
    arguments = parser.parse_args(argv)
    return exit_status("cdd-icm", lambda: arguments.run(arguments))
