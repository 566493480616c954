"""The command `data`."""

from __future__ import annotations

import argparse
from pathlib import Path

from cdd_icm.cli.arguments import positive
from cdd_icm.console import print_error, say
from cdd_icm.errors import InputError


def add_commands(commands: argparse._SubParsersAction) -> None:
    """Adds the command `data` with its actions."""
    data = commands.add_parser("data", help="check, preview or convert a data set")
    actions = data.add_subparsers(required=True, metavar="ACTION")

    info = actions.add_parser("info", help="count dialogs, turns and objects, and check every file")
    info.add_argument("path")
    info.set_defaults(run=_info)

    preview = actions.add_parser("preview", help="save a sheet of film strips of some dialogs")
    preview.add_argument("path")
    preview.add_argument("--split")
    preview.add_argument("-n", type=positive, default=8, help="number of dialogs (default: %(default)s)")
    preview.add_argument("--out", type=Path, default=Path("preview.png"), help="default: %(default)s")
    preview.set_defaults(run=_preview)

    convert = actions.add_parser("convert", help="convert to WebDataset shards")
    convert.add_argument("path")
    convert.add_argument("out", type=Path, help="a new folder")
    convert.add_argument("--split")
    convert.add_argument("--dialogs-per-shard", type=positive, default=500, help="default: %(default)s")
    convert.set_defaults(run=_convert)


def _info(arguments: argparse.Namespace) -> int:
    from cdd_icm.data.check import info

    result = info(arguments.path)
    say(result)
    for fault in result.faults:
        print_error("cdd-icm", fault)
    return 2 if result.faults else 0


def _preview(arguments: argparse.Namespace) -> None:
    from PIL import Image

    from cdd_icm.data.check import preview
    from cdd_icm.io import replacing

    suffix = arguments.out.suffix.lower()
    if Image.registered_extensions().get(suffix) not in Image.SAVE:
        raise InputError(f"--out {arguments.out}: {suffix!r} is not an image format such as .png")
    sheet = preview(arguments.path, arguments.n, arguments.split)
    with replacing(arguments.out) as path:
        try:
            sheet.save(path)
        except ValueError as error:  # such as a sheet too large for WebP
            raise InputError(f"--out {arguments.out}: can't be written ({error})") from error
    say(arguments.out)


def _convert(arguments: argparse.Namespace) -> None:
    from cdd_icm.data import load_dialogs
    from cdd_icm.data.readers.shards import convert

    dialogs = load_dialogs(arguments.path, split=arguments.split)
    for shard in convert(dialogs, arguments.out, arguments.dialogs_per_shard):
        say(shard)
