"""Interactive drawing: each line is an instruction, or a command if it starts with /."""

from __future__ import annotations

import difflib
import time
from collections.abc import Callable
from pathlib import Path

from cdd_icm.config import SamplingConfig
from cdd_icm.config.describe import meaning
from cdd_icm.config.values import fields
from cdd_icm.console import say
from cdd_icm.errors import InputError
from cdd_icm.io import replacing
from cdd_icm.number import RefusedNumber, real, whole
from cdd_icm.sampling.session import DrawingSession

SETTINGS = {f"/{name.replace('_', '-')}": name for name in fields(SamplingConfig) if name != "scheduler"}
"""The commands that change a sampling setting, with its name; the scheduler belongs to the pipeline."""

HELP = "\n".join(
    [
        "Type what to draw, or a command:",
        "  /undo        undo the last turn",
        "  /redo        redo the last undone turn",
        "  /seed N      change the noise of later turns (for another picture, /undo and repeat)",
        "  /save DIR    save the session in another folder, too",
        "  /help        show this text",
        "  /quit        quit, as with Ctrl-C or end of file",
        "Settings for later turns; without a value they are reset to the model's own:",
        *(f"  {command} X  {meaning(SamplingConfig, name)}" for command, name in SETTINGS.items()),
    ]
)

COMMANDS = ("/undo", "/redo", "/seed", "/save", "/help", "/quit", *SETTINGS)


class Chat:
    """Draws a picture for each line. The session and its film strip are saved in `out` after every change, so
    that no turn is lost if the program ends."""

    def __init__(self, session: DrawingSession, out: Path):
        self.session, self.out = session, out

    def run(self, read: Callable[[str], str] = input, write: Callable[[str], None] = say) -> None:
        """Answers lines from `read` with `write` until /quit, Ctrl-C or end of file."""
        while True:
            try:
                line = read("> ").strip()
                if line == "/quit":
                    break
                if line:
                    write(self.answer(line))
            except InputError as error:
                write(str(error))
            except UnicodeError:  # in the line, or in a message that quotes it
                write("the line is not UTF-8")
            except (EOFError, KeyboardInterrupt):
                write("")
                break

    def answer(self, line: str) -> str:
        """Executes `line` and returns the reply.

        Raises:
            InputError: an unknown command or an invalid value; the session is unchanged.
        """
        if not line.startswith("/"):
            start = time.perf_counter()
            self.session.say(line)
            answer = f"{self.session.answer}\n" if self.session.answer else ""
            return f"{answer}{self._save()}  {time.perf_counter() - start:.2f} s"
        command, _, value = line.partition(" ")
        match command:
            case "/undo":
                self.session.undo()
                return self._save()
            case "/redo":
                self.session.redo()
                return self._save()
            case "/seed":
                self.session.seed = _seed(value)
                self._save()
                return f"seed {self.session.seed}"
            case "/save":
                if not value.strip():
                    raise InputError("/save: expected a folder")
                try:
                    folder = Path(value.strip()).expanduser()
                except RuntimeError:
                    raise InputError(f"/save: {value.strip()}: no such user") from None
                self.session.save(folder)
                return f"saved in {folder}"
            case "/help":
                return HELP
            case _ if command in SETTINGS:
                self.session.use(**{SETTINGS[command]: _value(command, value)})
                self._save()
                return f"{command[1:]} {value.strip() or 'reset'}"
        near = difflib.get_close_matches(command, COMMANDS, n=1, cutoff=0.0)[0]
        raise InputError(f"{command}: unknown command; the nearest is {near}, and /help lists all")

    def _save(self) -> str:
        """Saves the session and its film strip; returns the paths of the current picture and of the strip."""
        picture = self.session.save(self.out)
        with replacing(self.out / "filmstrip.png") as path:
            self.session.filmstrip().save(path)
        return f"{picture}  {self.out / 'filmstrip.png'}"


def _seed(text: str) -> int:
    try:
        return whole(text.strip())
    except ValueError as error:
        raise InputError(f"/seed: {error}") from None


def _value(command: str, text: str) -> int | float | str | None:
    """A setting's value; `SamplingConfig` validates it. Raises InputError for a number that is refused."""
    for parse in (whole, real):
        try:
            return parse(text.strip())
        except RefusedNumber as error:
            raise InputError(f"{command}: {error}") from None
        except ValueError:
            continue
    return text.strip() or None
