"""The command `push`, also of `cdd-retrieval`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from cdd_icm.console import say

if TYPE_CHECKING:
    from cdd_icm.push import Kind


def add_commands(commands: argparse._SubParsersAction) -> None:
    """Adds the command `push`."""
    push = commands.add_parser("push", help="upload a model folder to the Hugging Face Hub")
    add_arguments(push)
    push.set_defaults(run=_push)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", type=Path, metavar="DIR", help="the model's folder")
    parser.add_argument("repo_id", metavar="OWNER/NAME", help="the repository; it is made if it is missing")
    parser.add_argument("--license", metavar="ID", help="such as apache-2.0, where the README.md has none")
    parser.add_argument("--private", action="store_true", default=None, help="make a private repository")
    parser.add_argument("--message", help="of the commit")
    parser.add_argument(
        "--dry-run", action="store_true", help="only show the files and the card; contacts nobody"
    )


def push(arguments: argparse.Namespace, kind: Kind) -> None:
    """Uploads the folder that `add_arguments`'s arguments name, a model of the given kind."""
    from cdd_icm.push import prepare, send

    upload = prepare(arguments.model, arguments.repo_id, kind, arguments.license)
    if arguments.dry_run:
        say(upload)
        say("dry run: nothing was sent")
    else:
        say(send(upload, arguments.private, arguments.message))


def _push(arguments: argparse.Namespace) -> None:
    from cdd_icm.sampling.push import PIPELINE

    push(arguments, PIPELINE)
