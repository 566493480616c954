"""The commands `evaluate`, `compare` and `sentences`."""

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
        "--wordings-of",
        type=Path,
        metavar="DATA",
        help="score edits also by whether the training texts of DATA have all words of a turn",
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

    sentences = commands.add_parser(
        "sentences", help="replay sentences in plain speech and judge what is drawn"
    )
    sentences.add_argument(
        "file", type=Path, metavar="FILE.jsonl", help="such as data/plain_speech/blocks.jsonl"
    )
    sentences.add_argument("--model", type=Path, required=True, metavar="DIR", help="a pipeline folder")
    sentences.add_argument(
        "--detector", type=Path, metavar="DIR", help="default: the shipped one for the classes in FILE.jsonl"
    )
    sentences.add_argument("--seed", type=seed_number, default=0, help="default: %(default)s")
    sentences.add_argument("--report", type=Path, required=True, metavar="FILE.json")
    add_device(sentences)
    sentences.set_defaults(run=_sentences)


def _evaluate(arguments: argparse.Namespace) -> None:
    from cdd_icm.config import parse_override
    from cdd_icm.evaluation import evaluate_model
    from cdd_icm.evaluation.report import markdown

    options = {name: value for name, value in vars(arguments).items() if name != "run"}
    _check_suffix(arguments.report)
    options["sampling"] = dict(map(parse_override, arguments.sampling))
    report = evaluate_model(**options)
    if report is not None:  # only the main process has one
        say(markdown(report))


def _compare(arguments: argparse.Namespace) -> None:
    from cdd_icm.evaluation.report import compare

    say(compare(arguments.reports))


def _sentences(arguments: argparse.Namespace) -> None:
    from diffusers.utils import logging

    from cdd_icm.evaluation.replay import markdown, replay_sentences

    logging.disable_progress_bar()  # diffusers' own, while it loads
    _check_suffix(arguments.report)
    options = {name: value for name, value in vars(arguments).items() if name != "run"}
    say(markdown(replay_sentences(**options)))


def _check_suffix(report: Path) -> None:
    if report.suffix != ".json":
        raise InputError(f"--report {report}: the name must end in .json")
