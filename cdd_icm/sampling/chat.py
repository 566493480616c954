"""Drawing at a prompt: a line is an instruction, or a command if it begins with /."""

from __future__ import annotations

import difflib
import time
from collections.abc import Callable
from pathlib import Path

from cdd_icm.console import say
from cdd_icm.errors import InputError
from cdd_icm.io import replacing
from cdd_icm.sampling.session import DrawingSession

HELP = """\
Say what to draw, or:
  /undo            undo the last turn
  /redo            redo it
  /seed N          other noise for the turns to come (/undo and repeat the instruction for another picture)
  /guidance X      guidance scale of the text (1 switches guidance off)
  /candidates N    generate N pictures a turn and keep the one that matches best
  /save DIR        save the session in another folder too
  /help            this text
  /quit            leave; so do Ctrl-C and the end of the input"""

COMMANDS = ("/undo", "/redo", "/seed", "/guidance", "/candidates", "/save", "/help", "/quit")


class Chat:
    """Answers lines with pictures. The session and its film strip are saved in `out` after every line that
    changes them, so that no turn is lost however the program ends."""

    def __init__(self, session: DrawingSession, out: Path):
        self.session, self.out = session, out

    def run(self, read: Callable[[str], str] = input, write: Callable[[str], None] = say) -> None:
        """Reads and answers lines until /quit, Ctrl-C or the end of the input."""
        while True:
            try:
                line = read("> ").strip()
                if line == "/quit":
                    break
                if line:
                    write(self.answer(line))
            except InputError as error:
                write(str(error))
            except UnicodeError:  # in the line that was read, or in a message that quotes it
                write("the line is not UTF-8")
            except (EOFError, KeyboardInterrupt):
                write("")
                break

    def answer(self, line: str) -> str:
        """Carries out `line` and returns the reply.

        Raises:
            InputError: an unknown command or a value that it can't take; the session is unchanged.
        """
        if not line.startswith("/"):
            start = time.perf_counter()
            self.session.say(line)
            return f"{self._save()}  {time.perf_counter() - start:.2f} s"
        command, _, value = line.partition(" ")
        match command:
            case "/undo":
                self.session.undo()
                return self._save()
            case "/redo":
                self.session.redo()
                return self._save()
            case "/seed":
                self.session.seed = _number(command, value, int)
                self._save()
                return f"seed {self.session.seed}"
            case "/guidance":
                self.session.use(guidance_scale=_number(command, value, float))
                self._save()
                return f"guidance {value.strip()}"
            case "/candidates":
                self.session.use(num_candidates=_number(command, value, int))
                self._save()
                return f"candidates {value.strip()}"
            case "/save":
                if not value.strip():
                    raise InputError("/save: which folder?")
                try:
                    folder = Path(value.strip()).expanduser()
                except RuntimeError:
                    raise InputError(f"/save: {value.strip()}: no such user") from None
                self.session.save(folder)
                return f"saved in {folder}"
            case "/help":
                return HELP
        near = difflib.get_close_matches(command, COMMANDS, n=1, cutoff=0.0)[0]
        raise InputError(f"{command}: unknown command; the nearest is {near}, and /help lists all")

    def _save(self) -> str:
        """Saves the session and its film strip; returns the paths of the current picture and of the strip."""
        picture = self.session.save(self.out)
        with replacing(self.out / "filmstrip.png") as path:
            self.session.filmstrip().save(path)
        return f"{picture}  {self.out / 'filmstrip.png'}"


def _number(command: str, text: str, kind: type[int] | type[float]) -> int | float:
    try:
        return kind(text)
    except ValueError:
        raise InputError(f"{command}: {text.strip()!r} is not a {'whole ' * (kind is int)}number") from None
