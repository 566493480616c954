"""The command line: one function a command, which adds its parser and names the function to run."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from cdd_icm.errors import InputError


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command of `argv` (None: the process's own arguments) and returns the exit status.

    Input that cannot be used is one line on stderr and status 2.
    """
    parser = argparse.ArgumentParser(prog="cdd-icm", description="Draws by conversation.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for add in (_data,):
        add(commands)
    arguments = parser.parse_args(argv)
    try:
        return arguments.run(arguments) or 0
    except InputError as error:
        print(f"cdd-icm: {error}", file=sys.stderr)
        return 2


def _data(commands: argparse._SubParsersAction) -> None:
    data = commands.add_parser("data", help="look at a data set, or turn it into shards")
    actions = data.add_subparsers(required=True, metavar="ACTION")

    info = actions.add_parser("info", help="count what is in it and check every file")
    info.add_argument("path", type=Path)
    info.set_defaults(run=_data_info)

    preview = actions.add_parser("preview", help="draw a sheet of its dialogs")
    preview.add_argument("path", type=Path)
    preview.add_argument("--split")
    preview.add_argument("-n", type=_positive, default=8, help="dialogs (default: %(default)s)")
    preview.add_argument("--out", type=Path, default=Path("preview.png"), help="default: %(default)s")
    preview.set_defaults(run=_data_preview)

    convert = actions.add_parser("convert", help="write it as WebDataset shards")
    convert.add_argument("path", type=Path)
    convert.add_argument("out", type=Path, help="a new folder")
    convert.add_argument("--split")
    convert.add_argument("--dialogs-per-shard", type=_positive, default=500, help="default: %(default)s")
    convert.set_defaults(run=_data_convert)


def _data_info(arguments: argparse.Namespace) -> int:
    from cdd_icm.data.check import info

    found = info(arguments.path)
    print(found)
    for fault in found.faults:
        print(f"cdd-icm: {fault}", file=sys.stderr)
    return 2 if found.faults else 0


def _data_preview(arguments: argparse.Namespace) -> None:
    from cdd_icm.data.check import preview

    preview(arguments.path, arguments.n, arguments.split).save(arguments.out)
    print(arguments.out)


def _data_convert(arguments: argparse.Namespace) -> None:
    from cdd_icm.data import load_dialogs
    from cdd_icm.data.shards import convert

    dialogs = load_dialogs(arguments.path, split=arguments.split)
    for shard in convert(dialogs, arguments.out, arguments.dialogs_per_shard):
        print(shard)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not over 0")
    return number
