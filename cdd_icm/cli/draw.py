"""The commands `generate` and `chat`."""

from __future__ import annotations

import argparse
import json
import re
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from cdd_icm.cli.arguments import add_model, load_model, positive, sampling_settings
from cdd_icm.console import say
from cdd_icm.errors import InputError
from cdd_icm.sources import local_path
from cdd_icm.text import read_lines

if TYPE_CHECKING:
    from cdd_icm.sampling.session import DrawingSession


def add_commands(commands: argparse._SubParsersAction) -> None:
    """Adds the commands of this module."""
    generate = commands.add_parser("generate", help="draw your own instructions, or a split of a data set")
    source = generate.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--say",
        action="append",
        metavar="TEXT",
        help="one instruction, or several separated by |; repeatable",
    )
    source.add_argument(
        "--dialog", type=Path, metavar="FILE.txt", help="a file with one instruction per line"
    )
    source.add_argument("--data", type=Path, metavar="PATH", help="draw the dialogs of a data set")
    generate.add_argument("--out", type=Path, required=True, metavar="DIR")
    generate.add_argument("--split", help="the split of --data (default: test)")
    generate.add_argument("--limit", type=positive, help="draw only the first N dialogs of --data")
    generate.add_argument("--batch-size", type=positive, help="dialogs of --data drawn at once (default: 16)")
    generate.add_argument(
        "--strict", action="store_true", help="exit with 1 if one of your instructions was not understood"
    )
    generate.add_argument(
        "--json", action="store_true", help="print a JSON object for each of your instructions, for programs"
    )
    add_model(generate)
    generate.set_defaults(run=_generate)

    chat = commands.add_parser("chat", help="draw interactively")
    chat.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="folder for the pictures; a session saved there is resumed (default: a new folder in outputs)",
    )
    add_model(chat)
    chat.set_defaults(run=_chat)


def _generate(arguments: argparse.Namespace) -> int | None:
    if arguments.data is not None:
        for name in ("strict", "json"):
            if getattr(arguments, name):
                raise InputError(f"--{name}: not allowed with --data")
        return _generate_split(arguments)
    for name in ("split", "limit", "batch_size"):
        if getattr(arguments, name) is not None:
            raise InputError(f"--{name.replace('_', '-')}: allowed only with --data")
    return _generate_dialog(arguments)


def _generate_split(arguments: argparse.Namespace) -> None:
    from cdd_icm.data import load_dialogs
    from cdd_icm.device import process_state
    from cdd_icm.sampling.dialogs import generate_split
    from cdd_icm.sampling.folder import check_classes

    settings = sampling_settings(arguments)
    dialogs = load_dialogs(arguments.data, arguments.split or "test")
    check_classes(arguments.model, dialogs, arguments.data)
    generate_split(
        load_model(arguments),
        dialogs[: arguments.limit],
        arguments.out,
        batch_size=arguments.batch_size or 16,
        seed=arguments.seed or 0,
        **settings,
    )
    if process_state().is_main_process:
        say(arguments.out)


def _generate_dialog(arguments: argparse.Namespace) -> int:
    """Returns the exit status: 1 where --strict is given and an instruction was not understood."""
    from cdd_icm.lock import claimed
    from cdd_icm.sampling.session import DrawingSession

    if arguments.dialog:
        texts, source = _lines(arguments.dialog), str(arguments.dialog)
    else:
        texts, source = [text for group in arguments.say for text in group.split("|")], "--say"
    texts = [text.strip() for text in texts]
    if not texts or "" in texts:
        raise InputError(f"{source}: {'an instruction is empty' if texts else 'no instructions'}")
    settings = sampling_settings(arguments)
    session = DrawingSession(load_model(arguments), seed=arguments.seed or 0, **settings)
    with claimed(arguments.out):
        understood = _draw(session, texts, arguments.out, arguments.json)
    return int(arguments.strict and not understood)


def _draw(session: DrawingSession, texts: list[str], out: Path, as_json: bool) -> bool:
    """Draws and prints a turn for each text. Returns whether all were understood."""
    from cdd_icm.io import replacing
    from cdd_icm.signals import StopSignal

    understood = True
    with StopSignal() as stop:
        for turn, text in enumerate(texts, start=1):
            start = time.perf_counter()
            picture = session.say(text)
            seconds = time.perf_counter() - start
            file = out / f"turn_{turn}.png"
            with replacing(file) as path:
                picture.save(path)
            answer = session.answer
            understood = understood and (answer is None or answer.is_understood)
            if as_json:
                fields = {"instruction": text, "picture": str(file), "answer": answer and asdict(answer)}
                say(json.dumps(fields), flush=True)
            else:
                say(f"{file}  {seconds:.2f} s  {text}{f' -> {answer}' if answer else ''}", flush=True)
            stop.check(f"{out}: stopped after turn {turn} of {len(texts)}")
    with replacing(out / "filmstrip.png") as path:
        session.filmstrip().save(path)
    for file in out.iterdir():  # left by an earlier, longer dialog
        number = re.fullmatch(r"turn_(\d+)\.png", file.name)
        if number and int(number[1]) > len(texts):
            file.unlink()
    if not as_json:
        say(out / "filmstrip.png")
    return understood


def _chat(arguments: argparse.Namespace) -> None:
    import contextlib

    from cdd_icm.lock import claimed
    from cdd_icm.sampling.chat import Chat
    from cdd_icm.sampling.session import RECORD, DrawingSession

    with contextlib.suppress(ImportError):
        import readline  # noqa: F401  arrow keys and history at the prompt

    settings = sampling_settings(arguments)
    pipeline = load_model(arguments)
    out = arguments.out or Path("outputs") / time.strftime("chat-%Y%m%d-%H%M%S")
    with claimed(out):
        if (out / RECORD).exists():
            session = DrawingSession.load(out, pipeline)
            if arguments.seed is not None:
                session.seed = arguments.seed
            session.use(**settings)
            say(f"resuming after turn {len(session.turns)} of the session in {out}; /help lists the commands")
        else:
            session = DrawingSession(pipeline, seed=arguments.seed or 0, **settings)
            say(f"say what to draw; pictures are saved in {out}; /help lists the commands")
        Chat(session, out).run()


def _lines(file: Path) -> list[str]:
    """The lines of a text file that are not blank."""
    return [line for line in read_lines(local_path(file)) if line.strip()]
