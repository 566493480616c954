"""The commands `train`, `train-detector` and `config`."""

from __future__ import annotations

import argparse
from pathlib import Path

from cdd_icm.console import say

KEYS = (
    "`cdd-icm config` lists every key with its default and meaning. Another plan.kind than the file's "
    "replaces its section plan: what is not given beside it is then that kind's default."
)


def add_commands(commands: argparse._SubParsersAction) -> None:
    """Adds the commands of this module."""
    train = commands.add_parser("train", help="train a model, or resume a stopped run", epilog=KEYS)
    train.add_argument(
        "config", type=Path, metavar="CONFIG", help="a YAML file, such as configs/generate/tiny.yaml"
    )
    train.add_argument("overrides", nargs="*", metavar="key=value", help="such as training.batch_size=16")
    train.add_argument("--dry-run", action="store_true", help="tell data, batch and memory, and do not train")
    train.set_defaults(run=_train)

    detector = commands.add_parser(
        "train-detector",
        help="train the detector that evaluation uses",
        epilog="`cdd-icm config --detector` lists every key with its default and meaning.",
    )
    detector.add_argument(
        "config", type=Path, metavar="CONFIG", help="a YAML file, such as configs/detect/iclevr.yaml"
    )
    detector.add_argument("overrides", nargs="*", metavar="key=value", help="such as training.batch_size=32")
    detector.set_defaults(run=_train_detector)

    config = commands.add_parser("config", help="list every key of a training config")
    config.add_argument("--detector", action="store_true", help="of `train-detector` instead of `train`")
    add_config_arguments(config)
    config.set_defaults(run=_config)


def add_config_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of a command that lists the keys of a config."""
    parser.add_argument(
        "config", type=Path, nargs="?", metavar="CONFIG", help="a YAML file whose values are shown"
    )
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="values that replace the file's")


def _train(arguments: argparse.Namespace) -> None:
    from cdd_icm.config import load_config

    config = load_config(arguments.config, arguments.overrides)

    from cdd_icm.train.generator import dry_run, train  # slow to import, so after the config is checked

    say(dry_run(config) if arguments.dry_run else train(config))


def _train_detector(arguments: argparse.Namespace) -> None:
    from cdd_icm.config import load_config
    from cdd_icm.evaluation.train_detector import DetectorConfig, train_detector

    config = load_config(arguments.config, arguments.overrides, DetectorConfig)
    report = train_detector(config)
    error = ", ".join(f"{value:.3g}" for value in report["validation"]["coordinate_error"])
    say(f"{config.output_dir}: F1 {report['validation']['f1']:.2f}, mean coordinate error {error}")


def _config(arguments: argparse.Namespace) -> None:
    from cdd_icm.config import Config, load_config
    from cdd_icm.config.describe import describe
    from cdd_icm.evaluation.train_detector import DetectorConfig

    cls, config = DetectorConfig if arguments.detector else Config, None
    if arguments.config is not None:
        config = load_config(arguments.config, arguments.overrides, cls)
    say(describe(cls, config))
