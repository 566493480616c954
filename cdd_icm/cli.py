"""The command line: one function a command, which adds its parser and names the function to run."""

from __future__ import annotations

import argparse
import os
import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cdd_icm.config import LARGEST_SEED
from cdd_icm.console import complain, say
from cdd_icm.errors import InputError, of_disk
from cdd_icm.sources import local_path

if TYPE_CHECKING:
    from cdd_icm.sampling.pipeline import CDDICMPipeline


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command of `argv` (None: the process's own arguments) and returns the exit status.

    Input that cannot be used, or a disk that refuses, is one line on stderr and status 2; a loss that is not
    finite is one line and status 1; after Ctrl-C the status is 130, and 141 where the program that read the
    output has gone.
    """
    parser = argparse.ArgumentParser(prog="cdd-icm", description="Draws by conversation.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for add in (_train, _generate, _chat, _evaluate, _compare, _train_detector, _data):
        add(commands)
    arguments = parser.parse_args(argv)
    try:
        status = arguments.run(arguments) or 0
        sys.stdout.flush()
        return status
    except InputError as error:
        complain("cdd-icm", error)
        return 2
    except BrokenPipeError:  # of `| head`; what is still to be written would fail at the exit, too
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as error:  # where a path is only looked at: no permission, too long a name
        complain("cdd-icm", of_disk(error))
        return 2
    except FloatingPointError as error:
        complain("cdd-icm", error)
        return 1
    except KeyboardInterrupt:
        say("cdd-icm: stopped", file=sys.stderr)
        return 130


def _train(commands: argparse._SubParsersAction) -> None:
    train = commands.add_parser("train", help="train a model, or go on with a run that was stopped")
    train.add_argument(
        "config", type=Path, metavar="CONFIG", help="a YAML file, such as configs/generate/tiny.yaml"
    )
    train.add_argument("overrides", nargs="*", metavar="key=value", help="such as training.batch_size=16")
    train.set_defaults(run=_train_run)


def _train_run(arguments: argparse.Namespace) -> None:
    from cdd_icm.config import load_config

    config = load_config(arguments.config, arguments.overrides)

    from cdd_icm.train.generator import train  # after the config: a wrong key is told at once

    say(train(config))


def _generate(commands: argparse._SubParsersAction) -> None:
    generate = commands.add_parser("generate", help="draw one's own words, or a whole split of a data set")
    source = generate.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--say", action="append", metavar="TEXT", help="an instruction, or several with | between; repeatable"
    )
    source.add_argument("--dialog", type=Path, metavar="FILE.txt", help="an instruction a line")
    source.add_argument("--data", type=Path, metavar="PATH", help="draw the dialogs of a data set")
    generate.add_argument("--out", type=Path, required=True, metavar="DIR")
    generate.add_argument("--split", help="of --data (default: test)")
    generate.add_argument("--limit", type=positive, help="only the first so many dialogs of --data")
    generate.add_argument("--batch-size", type=positive, help="dialogs of --data at once (default: 16)")
    _add_model(generate)
    generate.set_defaults(run=_generate_run)


def _generate_run(arguments: argparse.Namespace) -> None:
    if arguments.data is not None:
        return _generate_split(arguments)
    for name in ("split", "limit", "batch_size"):
        if getattr(arguments, name) is not None:
            raise InputError(f"--{name.replace('_', '-')}: goes with --data only")
    return _generate_dialog(arguments)


def _generate_split(arguments: argparse.Namespace) -> None:
    from cdd_icm.data import load_dialogs
    from cdd_icm.device import process_state
    from cdd_icm.sampling.dialogs import generate_split
    from cdd_icm.sampling.folder import check_classes

    dialogs = load_dialogs(arguments.data, arguments.split or "test")
    check_classes(arguments.model, dialogs, arguments.data)
    generate_split(
        _pipeline(arguments),
        dialogs[: arguments.limit],
        arguments.out,
        batch_size=arguments.batch_size or 16,
        seed=arguments.seed or 0,
        **_sampling(arguments),
    )
    if process_state().is_main_process:
        say(arguments.out)


def _generate_dialog(arguments: argparse.Namespace) -> None:
    from cdd_icm.io import replacing
    from cdd_icm.sampling.session import DrawingSession

    if arguments.dialog:
        texts, source = _lines(arguments.dialog), str(arguments.dialog)
    else:
        texts, source = [text for said in arguments.say for text in said.split("|")], "--say"
    texts = [text.strip() for text in texts]
    if not texts or "" in texts:
        raise InputError(f"{source}: {'an instruction is empty' if texts else 'no instruction is in it'}")
    session = DrawingSession(_pipeline(arguments), seed=arguments.seed or 0, **_sampling(arguments))
    for turn, text in enumerate(texts, start=1):
        start = time.perf_counter()
        picture = session.say(text)
        seconds = time.perf_counter() - start
        with replacing(arguments.out / f"turn_{turn}.png") as path:
            picture.save(path)
        say(f"{arguments.out / f'turn_{turn}.png'}  {seconds:.2f} s  {text}", flush=True)
    with replacing(arguments.out / "filmstrip.png") as path:
        session.filmstrip().save(path)
    for file in arguments.out.iterdir():  # left by a longer dialog
        number = re.fullmatch(r"turn_(\d+)\.png", file.name)
        if number and int(number[1]) > len(texts):
            file.unlink()
    say(arguments.out / "filmstrip.png")


def _chat(commands: argparse._SubParsersAction) -> None:
    chat = commands.add_parser("chat", help="draw at a prompt")
    chat.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="where pictures go; a session there is gone on with (default: a new folder under outputs)",
    )
    _add_model(chat)
    chat.set_defaults(run=_chat_run)


def _chat_run(arguments: argparse.Namespace) -> None:
    import contextlib

    from cdd_icm.sampling.chat import Chat
    from cdd_icm.sampling.session import RECORD, DrawingSession

    with contextlib.suppress(ImportError):
        import readline  # noqa: F401  arrow keys and history at the prompt

    pipeline = _pipeline(arguments)
    out = arguments.out or Path("outputs") / time.strftime("chat-%Y%m%d-%H%M%S")
    if (out / RECORD).exists():
        session = DrawingSession.load(out, pipeline)
        if arguments.seed is not None:
            session.seed = arguments.seed
        session.use(**_sampling(arguments))
        say(f"going on after turn {len(session.turns)} of the session in {out}; /help tells the commands")
    else:
        session = DrawingSession(pipeline, seed=arguments.seed or 0, **_sampling(arguments))
        say(f"say what to draw; pictures go to {out}; /help tells the commands")
    Chat(session, out).run()


def _add_model(parser: argparse.ArgumentParser) -> None:
    """The arguments of every command that draws."""
    parser.add_argument("--model", required=True, type=Path, metavar="DIR", help="a pipeline folder")
    parser.add_argument("--seed", type=seed_number, help="default: 0, or the session's own")
    _add_device(parser)
    settings = parser.add_argument_group("sampling", "in place of the model's own settings")
    _add_preset(settings)
    settings.add_argument("--scheduler", metavar="NAME", help="a diffusers scheduler, such as DDIMScheduler")
    settings.add_argument("--num-inference-steps", type=positive, metavar="N")
    settings.add_argument("--guidance-scale", type=float, metavar="X", help="how much the words count")
    settings.add_argument(
        "--image-guidance-scale", type=float, metavar="X", help="how much the picture counts"
    )
    settings.add_argument(
        "--icm-guidance-scale", type=float, metavar="X", help="weight of the matcher's gradient"
    )
    settings.add_argument("--num-candidates", type=positive, metavar="N", help="draw N, keep the best")


def _add_device(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", default="auto", help="auto (default), cpu, cuda or mps")
    parser.add_argument("--dtype", default="auto", help="auto (default), fp32, bf16 or fp16")


def _add_preset(parser: argparse._ActionsContainer) -> None:
    parser.add_argument("--preset", metavar="NAME", help="settings stored with the model, such as fast")


def _pipeline(arguments: argparse.Namespace) -> CDDICMPipeline:
    from diffusers.utils import logging

    from cdd_icm.diffusion.samplers import scheduler_like
    from cdd_icm.sampling.loading import load_pipeline

    logging.disable_progress_bar()  # diffusers' own, while it loads
    pipeline = load_pipeline(arguments.model, arguments.device, arguments.dtype)
    pipeline.set_progress_bar_config(disable=True)
    if arguments.preset is not None:
        pipeline.use_preset(arguments.preset)
    if arguments.scheduler:
        pipeline.scheduler = scheduler_like(pipeline.scheduler, arguments.scheduler)
    return pipeline


def _sampling(arguments: argparse.Namespace) -> dict[str, Any]:
    names = (
        "num_inference_steps",
        "guidance_scale",
        "image_guidance_scale",
        "icm_guidance_scale",
        "num_candidates",
    )
    return {name: getattr(arguments, name) for name in names if getattr(arguments, name) is not None}


def _lines(file: Path) -> list[str]:
    """The lines of a text file that are not blank."""
    try:
        return [
            line for line in local_path(file).read_text(encoding="utf-8-sig").splitlines() if line.strip()
        ]
    except OSError as error:
        raise InputError(f"{file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{file}: not UTF-8 ({error.reason})") from error


def _data(commands: argparse._SubParsersAction) -> None:
    data = commands.add_parser("data", help="look at a data set, or turn it into shards")
    actions = data.add_subparsers(required=True, metavar="ACTION")

    info = actions.add_parser("info", help="count what is in it and check every file")
    info.add_argument("path")
    info.set_defaults(run=_data_info)

    preview = actions.add_parser("preview", help="draw a sheet of its dialogs")
    preview.add_argument("path")
    preview.add_argument("--split")
    preview.add_argument("-n", type=positive, default=8, help="dialogs (default: %(default)s)")
    preview.add_argument("--out", type=Path, default=Path("preview.png"), help="default: %(default)s")
    preview.set_defaults(run=_data_preview)

    convert = actions.add_parser("convert", help="write it as WebDataset shards")
    convert.add_argument("path")
    convert.add_argument("out", type=Path, help="a new folder")
    convert.add_argument("--split")
    convert.add_argument("--dialogs-per-shard", type=positive, default=500, help="default: %(default)s")
    convert.set_defaults(run=_data_convert)


def _data_info(arguments: argparse.Namespace) -> int:
    from cdd_icm.data.check import info

    found = info(arguments.path)
    say(found)
    for fault in found.faults:
        complain("cdd-icm", fault)
    return 2 if found.faults else 0


def _data_preview(arguments: argparse.Namespace) -> None:
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


def _data_convert(arguments: argparse.Namespace) -> None:
    from cdd_icm.data import load_dialogs
    from cdd_icm.data.readers.shards import convert

    dialogs = load_dialogs(arguments.path, split=arguments.split)
    for shard in convert(dialogs, arguments.out, arguments.dialogs_per_shard):
        say(shard)


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
    say(f"{config.output_dir}: F1 {report['validation']['f1']:.2f}, mean coordinate error {error}")


def _evaluate(commands: argparse._SubParsersAction) -> None:
    evaluate = commands.add_parser("evaluate", help="draw a split with a model and measure it")
    evaluate.add_argument("--model", type=Path, required=True, help="a pipeline folder")
    evaluate.add_argument("--data", type=Path, required=True)
    evaluate.add_argument("--split", default="test", help="default: %(default)s")
    evaluate.add_argument("--limit", type=positive, help="only the first so many dialogs")
    evaluate.add_argument(
        "--report",
        type=Path,
        required=True,
        metavar="FILE.json",
        help="table, plot and film strips beside it",
    )
    evaluate.add_argument("--detector", type=Path, help="default: the shipped one for the data's classes")
    evaluate.add_argument(
        "--inception",
        metavar="FILE",
        help="Inception weights (safetensors) for FID and KID, or hf://OWNER/REPOSITORY/FILE of the hub",
    )
    evaluate.add_argument("--teacher-forced", action="store_true", help="each turn on the true reference")
    evaluate.add_argument("--seed", type=seed_number, default=0, help="default: %(default)s")
    evaluate.add_argument("--batch-size", type=positive, default=16, help="dialogs, default: %(default)s")
    _add_device(evaluate)
    _add_preset(evaluate)
    evaluate.add_argument("sampling", nargs="*", metavar="key=value", help="in place of the model's settings")
    evaluate.set_defaults(run=_evaluate_run)


def _evaluate_run(arguments: argparse.Namespace) -> None:
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


def _compare(commands: argparse._SubParsersAction) -> None:
    compare = commands.add_parser("compare", help="put reports of evaluate side by side")
    compare.add_argument("reports", type=Path, nargs="+", metavar="FILE.json")
    compare.set_defaults(run=_compare_run)


def _compare_run(arguments: argparse.Namespace) -> None:
    from cdd_icm.evaluation.report import compare

    say(compare(arguments.reports))


def positive(text: str) -> int:
    """A number of the command line, over 0; argparse tells what else it is given."""
    number = _whole(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not over 0")
    return number


def seed_number(text: str) -> int:
    """What a random number generator of torch and of numpy begins with."""
    number = _whole(text)
    if not 0 <= number <= LARGEST_SEED:
        raise argparse.ArgumentTypeError(f"{text} is not from 0 to {LARGEST_SEED}")
    return number


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number") from None
