"""The command `data`."""

from __future__ import annotations

import argparse
from pathlib import Path

from cdd_icm.cli.arguments import positive
from cdd_icm.console import complain, say
from cdd_icm.errors import InputError


def add_commands(commands: argparse._SubParsersAction) -> None:
    """Adds the command `data` with its actions."""
    data = commands.add_parser("data", help="look at a data set, or turn it into shards")
    actions = data.add_subparsers(required=True, metavar="ACTION")

    info = actions.add_parser("info", help="count what is in it and check every file")
    info.add_argument("path")
    info.set_defaults(run=_info)

    preview = actions.add_parser("preview", help="draw a sheet of its dialogs")
    preview.add_argument("path")
    preview.add_argument("--split")
    preview.add_argument("-n", type=positive, default=8, help="dialogs (default: %(default)s)")
    preview.add_argument("--out", type=Path, default=Path("preview.png"), help="default: %(default)s")
    preview.set_defaults(run=_preview)

    convert = actions.add_parser("convert", help="write it as WebDataset shards")
    convert.add_argument("path")
    convert.add_argument("out", type=Path, help="a new folder")
    convert.add_argument("--split")
    convert.add_argument("--dialogs-per-shard", type=positive, default=500, help="default: %(default)s")
    convert.set_defaults(run=_convert)


def _info(arguments: argparse.Namespace) -> int:
    from cdd_icm.data.check import info

    found = info(arguments.path)
    say(found)
    for fault in found.faults:
        complain("cdd-icm", fault)
    return 2 if found.faults else 0


def _preview(arguments: argparse.Namespace) -> None:
    from PIL import Image

    from cdd_icm.data.check import preview
    from cdd_icm.io import replacing

    suffix = arguments.out.suffix.lower()
    if Image.registered_extensions().get(suffix) not in Image.SAVE:
        raise InputError(f"--out {arguments.out}: {suffix!r} is no format of pictures, such as .png")
    sheet = preview(arguments.path, arguments.n, arguments.split)
    with replacing(arguments.out) as path:
        try:
            sheet.save(path)
        except ValueError as error:  # WebP, of a large sheet
            raise InputError(f"--out {arguments.out}: can't be written ({error})") from error
    say(arguments.out)


def _convert(arguments: argparse.Namespace) -> None:
    from cdd_icm.data import load_dialogs
    from cdd_icm.data.readers.shards import convert

    dialogs = load_dialogs(arguments.path, split=arguments.split)
    for shard in convert(dialogs, arguments.out, arguments.dialogs_per_shard):
        say(shard)
