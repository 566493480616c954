"""Command-line arguments shared by several commands: numbers, device, model and sampling settings."""

from __future__ import annotations

import argparse
import typing
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cdd_icm.config import LARGEST_SEED, SamplingConfig, from_dict
from cdd_icm.config.describe import meaning
from cdd_icm.config.values import fields
from cdd_icm.number import real, whole

if TYPE_CHECKING:
    from cdd_icm.sampling.pipeline import CDDICMPipeline

METAVARS = {int: "N", float: "X", str: "NAME"}


def add_model(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of every command that draws, including one for each setting of `SamplingConfig`."""
    parser.add_argument("--model", required=True, type=Path, metavar="DIR", help="a pipeline folder")
    parser.add_argument("--seed", type=seed_number, help="default: 0, or the session's own")
    add_device(parser)
    group = parser.add_argument_group("sampling", "in place of the model's own settings")
    add_preset(group)
    for name, hint in fields(SamplingConfig).items():
        kind = typing.get_args(hint)[0] if typing.get_origin(hint) is typing.Annotated else str
        help = meaning(SamplingConfig, name).replace("%", "%%")
        option = f"--{name.replace('_', '-')}"
        group.add_argument(option, type=PARSERS[kind], metavar=METAVARS[kind], help=help)


def add_device(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", default="auto", help="auto (default), cpu, cuda or mps")
    parser.add_argument("--dtype", default="auto", help="auto (default), fp32, bf16 or fp16")


def add_preset(parser: argparse._ActionsContainer) -> None:
    parser.add_argument("--preset", metavar="NAME", help="settings stored with the model, such as fast")


def load_model(arguments: argparse.Namespace) -> CDDICMPipeline:
    """The pipeline that `add_model`'s arguments name, with their preset and scheduler."""
    from diffusers.utils import logging

    from cdd_icm.diffusion.samplers import scheduler_like
    from cdd_icm.sampling.loading import load_pipeline

    logging.disable_progress_bar()  # diffusers shows one while it loads weights
    pipeline = load_pipeline(arguments.model, arguments.device, arguments.dtype)
    pipeline.set_progress_bar_config(disable=True)
    if arguments.preset is not None:
        pipeline.use_preset(arguments.preset)
    if arguments.scheduler:
        pipeline.scheduler = scheduler_like(pipeline.scheduler, arguments.scheduler)
    return pipeline


def sampling_settings(arguments: argparse.Namespace) -> dict[str, Any]:
    """The sampling settings given on the command line. The scheduler is left out: `load_model` sets it.

    Raises:
        InputError: a setting is out of range.
    """
    given = {name: getattr(arguments, name) for name in fields(SamplingConfig)}
    given = {name: value for name, value in given.items() if value is not None}
    from_dict(SamplingConfig, given, "sampling")
    given.pop("scheduler", None)
    return given


def number(text: str) -> float:
    """An argument type for argparse: a number, as `cdd_icm.number` takes it."""
    return _parsed(real, text)


def positive(text: str) -> int:
    """An argument type for argparse: a whole number of at least 1."""
    value = whole_number(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not at least 1")
    return value


def seed_number(text: str) -> int:
    """An argument type for argparse: a seed that both torch and numpy accept."""
    value = whole_number(text)
    if not 0 <= value <= LARGEST_SEED:
        raise argparse.ArgumentTypeError(f"{text} is not from 0 to {LARGEST_SEED}")
    return value


def whole_number(text: str) -> int:
    """An argument type for argparse: a whole number, as `cdd_icm.number` takes it."""
    return _parsed(whole, text)


def _parsed(parse: Callable[[str], Any], text: str) -> Any:
    try:
        return parse(text)
    except ValueError as error:  # argparse shows the text of its own error only
        raise argparse.ArgumentTypeError(str(error)) from None


PARSERS = {int: whole_number, float: number, str: str}
"""How an argument of each type is read."""
