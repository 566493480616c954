"""The command line. Each module adds the parsers of its commands and names the function that runs each."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from cdd_icm.cli import data, draw, evaluate, train
from cdd_icm.cli.arguments import positive, seed_number
from cdd_icm.console import complain, say
from cdd_icm.errors import InputError, of_disk

__all__ = ["main", "positive", "seed_number"]


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command of `argv` (None: the process's own arguments) and returns the exit status.

    Invalid input and disk errors print one line on stderr and return 2; a loss that is not finite prints one
    line and returns 1; Ctrl-C returns 130; a closed output pipe returns 141.
    """
    parser = argparse.ArgumentParser(prog="cdd-icm", description="Draw pictures by conversation.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for group in (train, draw, evaluate, data):
        group.add_commands(commands)
    arguments = parser.parse_args(argv)
    try:
        status = arguments.run(arguments) or 0
        sys.stdout.flush()
        return status
    except InputError as error:
        complain("cdd-icm", error)
        return 2
    except BrokenPipeError:  # such as `| head`; flushing the rest at exit would fail again
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as error:  # from checking a path: no permission, name too long
        complain("cdd-icm", of_disk(error))
        return 2
    except FloatingPointError as error:
        complain("cdd-icm", error)
        return 1
    except KeyboardInterrupt:
        say("cdd-icm: stopped", file=sys.stderr)
        return 130
