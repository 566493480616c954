"""The commands `evaluate` and `compare`."""

from __future__ import annotations

import argparse
from pathlib import Path

from cdd_icm.cli.arguments import add_device, add_preset, positive, seed_number
from cdd_icm.console import say
from cdd_icm.errors import InputError


def add_commands(commands: argparse._SubParsersAction) -> None:
    """Adds the commands of this module."""
    evaluate = commands.add_parser("evaluate", help="draw a split with a model and score the pictures")
    evaluate.add_argument("--model", type=Path, required=True, help="a pipeline folder")
    evaluate.add_argument("--data", type=Path, required=True)
    evaluate.add_argument("--split", default="test", help="default: %(default)s")
    evaluate.add_argument("--limit", type=positive, help="evaluate only the first N dialogs")
    evaluate.add_argument(
        "--report",
        type=Path,
        required=True,
        metavar="FILE.json",
        help="a table, a plot and film strips are written beside it",
    )
    evaluate.add_argument("--detector", type=Path, help="default: the shipped one for the data's classes")
    evaluate.add_argument(
        "--inception",
        metavar="FILE",
        help="Inception weights (safetensors) for FID and KID, or hf://OWNER/REPOSITORY/FILE on the hub",
    )
    evaluate.add_argument(
        "--teacher-forced", action="store_true", help="start each turn from the true picture"
    )
    evaluate.add_argument("--seed", type=seed_number, default=0, help="default: %(default)s")
    evaluate.add_argument(
        "--batch-size", type=positive, default=16, help="dialogs at once (default: %(default)s)"
    )
    add_device(evaluate)
    add_preset(evaluate)
    evaluate.add_argument(
        "sampling", nargs="*", metavar="key=value", help="override the model's sampling settings"
    )
    evaluate.set_defaults(run=_evaluate)

    compare = commands.add_parser("compare", help="compare reports side by side")
    compare.add_argument("reports", type=Path, nargs="+", metavar="FILE.json")
    compare.set_defaults(run=_compare)


def _evaluate(arguments: argparse.Namespace) -> None:
    from cdd_icm.config import parse_override
    from cdd_icm.evaluation import evaluate_model
    from cdd_icm.evaluation.report import markdown

    options = {name: value for name, value in vars(arguments).items() if name != "run"}
    if arguments.report.suffix != ".json":
        raise InputError(f"--report {arguments.report}: the name must end in .json")
    options["sampling"] = dict(map(parse_override, arguments.sampling))
    report = evaluate_model(**options)
    if report is not None:  # only the main process has one
        say(markdown(report))


def _compare(arguments: argparse.Namespace) -> None:
    from cdd_icm.evaluation.report import compare

    say(compare(arguments.reports))
