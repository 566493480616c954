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
    for add in (_data, _train_detector, _evaluate, _compare):
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


def _train_detector(commands: argparse._SubParsersAction) -> None:
    train = commands.add_parser("train-detector", help="train the detector that reads pictures back")
    train.add_argument("config", type=Path)
    train.add_argument("overrides", nargs="*", metavar="key=value")
    train.set_defaults(run=_train_detector_run)


def _train_detector_run(arguments: argparse.Namespace) -> None:
    from cdd_icm.config import load_config
    from cdd_icm.evaluation.train_detector import DetectorConfig, train_detector

    config = load_config(arguments.config, arguments.overrides, DetectorConfig)
    report = train_detector(config)
    error = ", ".join(f"{value:.3g}" for value in report["validation"]["coordinate_error"])
    print(f"{config.output_dir}: F1 {report['validation']['f1']:.2f}, mean coordinate error {error}")


def _evaluate(commands: argparse._SubParsersAction) -> None:
    evaluate = commands.add_parser("evaluate", help="draw a split with a model and measure it")
    evaluate.add_argument("--model", type=Path, required=True, help="a pipeline folder")
    evaluate.add_argument("--data", type=Path, required=True)
    evaluate.add_argument("--split", default="test", help="default: %(default)s")
    evaluate.add_argument("--limit", type=_positive, help="only the first so many dialogs")
    evaluate.add_argument(
        "--report",
        type=Path,
        required=True,
        metavar="FILE.json",
        help="table, plot and film strips beside it",
    )
    evaluate.add_argument("--detector", type=Path, help="default: the shipped one for the data's classes")
    evaluate.add_argument("--inception", type=Path, help="Inception weights (safetensors) for FID and KID")
    evaluate.add_argument("--teacher-forced", action="store_true", help="each turn on the true reference")
    evaluate.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    evaluate.add_argument("--batch-size", type=_positive, default=16, help="dialogs, default: %(default)s")
    evaluate.add_argument("sampling", nargs="*", metavar="key=value", help="in place of the model's settings")
    evaluate.set_defaults(run=_evaluate_run)


def _evaluate_run(arguments: argparse.Namespace) -> None:
    import yaml

    from cdd_icm.evaluation import evaluate_model
    from cdd_icm.evaluation.report import markdown

    options = {name: value for name, value in vars(arguments).items() if name != "run"}
    if arguments.report.suffix != ".json":
        raise InputError(f"--report {arguments.report}: the name must end in .json")
    for text in arguments.sampling:
        if "=" not in text:
            raise InputError(f"{text!r}: expected key=value")
    options["sampling"] = {
        key: yaml.safe_load(value) for key, _, value in (text.partition("=") for text in arguments.sampling)
    }
    report = evaluate_model(**options)
    if report is not None:  # only the main process has one
        print(markdown(report))


def _compare(commands: argparse._SubParsersAction) -> None:
    compare = commands.add_parser("compare", help="put reports of evaluate side by side")
    compare.add_argument("reports", type=Path, nargs="+", metavar="FILE.json")
    compare.set_defaults(run=_compare_run)


def _compare_run(arguments: argparse.Namespace) -> None:
    from cdd_icm.evaluation.report import compare

    print(compare(arguments.reports))


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not over 0")
    return number
