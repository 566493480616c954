"""`DrawingSession`: an interactive dialog with undo and redo, which can be branched, saved and resumed."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from cdd_icm.config import SamplingConfig, from_dict
from cdd_icm.data.files import FolderFiles
from cdd_icm.data.picture import EncodedPicture, rgb, to_square
from cdd_icm.errors import InputError, of_type
from cdd_icm.filmstrip import filmstrip
from cdd_icm.hashing import content_digest
from cdd_icm.io import read_json, replacing, to_json
from cdd_icm.lock import ThreadLock, serial
from cdd_icm.plan.answer import Answer
from cdd_icm.sampling.dialogs import turn_generator
from cdd_icm.sampling.inputs import StepCallback, without_scheduler
from cdd_icm.sampling.pipeline import CDDICMPipeline
from cdd_icm.sources import check_link
from cdd_icm.text import check_text

RECORD = "session.json"


@dataclass(frozen=True)
class SessionTurn:
    """One turn of a session."""

    instruction: str
    picture: Image.Image
    seed: int
    """The session's seed at this turn."""
    settings: dict[str, Any]
    """The sampling settings of this picture, except the pipeline's scheduler."""
    scores: tuple[float, ...] | None
    """The matcher's score of each candidate; None if there was only one."""
    answer: Answer | None = None
    """What was understood; None if the model does not tell."""


class DrawingSession:
    """A dialog that grows turn by turn: each picture is the next reference.

    The noise of turn k depends on (`seed`, k) only: repeating an undone instruction gives the same picture
    unless `seed` was changed. As in an editor, undone turns can be redone until a new instruction is given.
    Several threads may use one session: each method runs whole, as if one thread called them in some order.

    Args:
        pipeline: may be shared by several sessions; a session never changes it.
        canvas: the picture with which the dialog begins, of any size and mode; by default the pipeline's own.
        sampling: settings of `CDDICMPipeline.__call__` for all turns, instead of the model's own.

    Raises:
        InputError: an unknown or invalid setting, or no canvas here or in the pipeline.
    """

    def __init__(
        self, pipeline: CDDICMPipeline, canvas: Image.Image | None = None, seed: int = 0, **sampling
    ):
        of_type(seed, int, "seed", "a whole number")
        canvas = pipeline.canvas if canvas is None else canvas
        if canvas is None:
            raise InputError("canvas: the pipeline has none; give one to the session")
        self._lock = ThreadLock()
        self.pipeline, self.seed = pipeline, seed
        self.canvas = Image.fromarray(to_square(rgb(canvas, "canvas"), pipeline.image_size))
        self._sampling: dict[str, Any] = {}
        self._turns: list[SessionTurn] = []
        self._position = 0  # turns beyond it were undone
        self.answer: Answer | None = None
        self.use(**sampling)

    @serial
    def use(self, **sampling) -> None:
        """Changes sampling settings for later turns; None restores the model's own.

        Raises:
            InputError: an unknown or invalid setting; nothing is changed.
        """
        changed = {**self._sampling, **sampling}
        self.pipeline.settings(**changed)
        self._sampling = {name: value for name, value in changed.items() if value is not None}

    @serial
    def say(
        self, text: str, callback_on_step_end: Callable[..., dict | None] | None = None, **overrides
    ) -> Image.Image:
        """Generates the next picture and returns it; `overrides` are sampling settings for this turn alone.
        `answer` then tells what was understood. A text that takes back the turn before does what `undo` does.

        Args:
            callback_on_step_end: as in `CDDICMPipeline.__call__`, with the latents. What it raises ends the
                drawing, and the session is unchanged.

        Raises:
            InputError: an empty text, or an unknown or invalid setting; the session is unchanged.
        """
        done = self._turns[: self._position]
        settings = self.pipeline.settings(**{**self._sampling, **overrides})
        out = self.pipeline.draw(
            self.picture,
            text,
            [turn.instruction for turn in done],
            settings,
            turn_generator(self.seed, "session", len(done)),
            callback=StepCallback.of(callback_on_step_end, ("latents",)),
        )
        self.answer = None if out.answers is None else out.answers[0]
        if self.answer is not None and self.answer.outcome == "undo" and done:
            return self.undo()
        scores = None if out.scores is None else tuple(out.scores[0].tolist())
        settings = without_scheduler(settings)
        turn = SessionTurn(text, out.images[0], self.seed, settings, scores, self.answer)
        self._turns, self._position = [*done, turn], len(done) + 1
        return self.picture

    @property
    @serial
    def picture(self) -> Image.Image:
        """The current picture: that of the last turn, or the canvas."""
        turns = self._turns[: self._position]
        return (turns[-1].picture if turns else self.canvas).copy()

    @property
    @serial
    def turns(self) -> list[SessionTurn]:
        """A copy of the turns so far."""
        return copy.deepcopy(self._turns[: self._position])

    @property
    @serial
    def undone(self) -> list[SessionTurn]:
        """A copy of the turns that `redo` would restore, in the order of the dialog."""
        return copy.deepcopy(self._turns[self._position :])

    @serial
    def undo(self) -> Image.Image:
        """Undoes the last turn and returns the picture before it.

        Raises:
            InputError: there is no turn to undo.
        """
        if self._position == 0:
            raise InputError("undo: there is no turn yet")
        self._position -= 1
        return self.picture

    @serial
    def redo(self) -> Image.Image:
        """Redoes the last undone turn and returns its picture.

        Raises:
            InputError: no turn was undone, or a new instruction was given since.
        """
        if self._position == len(self._turns):
            raise InputError("redo: no turn was undone")
        self._position += 1
        return self.picture

    @serial
    def branch(self) -> DrawingSession:
        """An independent copy of the session; the two share only the pipeline."""
        branch = DrawingSession(self.pipeline, self.canvas, self.seed, **self._sampling)
        branch._turns, branch._position = copy.deepcopy(self._turns), self._position
        return branch

    @serial
    def filmstrip(self) -> Image.Image:
        """The canvas and all pictures in a row, each under its instruction."""
        turns = self._turns[: self._position]
        return filmstrip(
            [self.canvas, *(turn.picture for turn in turns)],
            ["(canvas)", *(turn.instruction for turn in turns)],
        )

    @serial
    def save(self, folder: str | Path) -> Path:
        """Writes `session.json` and the pictures, replacing a session saved there before, and returns the
        file of the current picture.

        Pictures are named by their content and `session.json` is replaced last, so that the previously saved
        session stays intact if the process is killed or the disk is full.

        Raises:
            InputError: the folder can't be written.
        """
        folder = Path(folder)
        record = _Record(
            image_size=self.pipeline.image_size,
            seed=self.seed,
            position=self._position,
            canvas=_write(folder, "canvas", self.canvas),
            sampling=self._sampling,
            turns=tuple(
                _TurnRecord(
                    *(t.instruction, _write(folder, f"turn_{k}", t.picture)),
                    *(t.seed, t.settings, t.scores, t.answer),
                )
                for k, t in enumerate(self._turns, start=1)
            ),
        )
        with replacing(folder / RECORD) as path:
            path.write_text(to_json(asdict(record), indent=1) + "\n", encoding="utf-8")
        used = {record.canvas, *(turn.picture for turn in record.turns)}
        for file in folder.iterdir():
            if re.fullmatch(r"(canvas|turn_\d+)-[0-9a-f]{8}\.png", file.name) and file.name not in used:
                file.unlink()
        return folder / [record.canvas, *(turn.picture for turn in record.turns)][self._position]

    @classmethod
    def load(cls, folder: str | Path, pipeline: CDDICMPipeline) -> DrawingSession:
        """The session saved in `folder`. With the same pipeline and preset it continues as if it had not been
        closed.

        Raises:
            InputError: invalid JSON, a wrong field, a missing or damaged picture, or a picture size other
                than the pipeline's; the message names file and field.
        """
        folder = Path(check_text(str(folder), "path"))
        file = folder / RECORD
        check_link(file, folder)
        record = from_dict(_Record, read_json(file), str(file))
        if record.image_size != pipeline.image_size:
            raise InputError(
                f"{file}: image_size is {record.image_size}, but this model draws {pipeline.image_size}"
            )
        if not 0 <= record.position <= len(record.turns):
            raise InputError(f"{file}: position is {record.position}, expected 0 to {len(record.turns)}")
        sampling = _settings(file, "sampling", record.sampling)
        session = cls(pipeline, _read(file, "canvas", record.canvas, pipeline), record.seed, **sampling)
        session._turns = [
            SessionTurn(
                turn.instruction,
                _read(file, f"turns[{i}].picture", turn.picture, pipeline),
                turn.seed,
                _settings(file, f"turns[{i}].settings", turn.settings),
                turn.scores,
                turn.answer,
            )
            for i, turn in enumerate(record.turns)
        ]
        session._position = record.position
        return session


@dataclass(frozen=True)
class _TurnRecord:
    instruction: str
    picture: str
    seed: int
    settings: dict[str, Any]
    scores: tuple[float, ...] | None
    answer: Answer | None = None


@dataclass(frozen=True)
class _Record:
    """The content of `session.json`; turns beyond `position` were undone."""

    image_size: int
    seed: int
    position: int
    canvas: str
    sampling: dict[str, Any]
    turns: tuple[_TurnRecord, ...]


def _settings(file: Path, field: str, values: dict[str, Any]) -> dict[str, Any]:
    checked = vars(from_dict(SamplingConfig, values, str(file), f"{field}."))
    return {name: checked[name] for name in values}


def _write(folder: Path, name: str, picture: Image.Image) -> str:
    name = f"{name}-{content_digest(picture.tobytes())[:8]}.png"
    with replacing(folder / name) as path:
        picture.save(path)
    return name


def _read(file: Path, field: str, name: str, pipeline: CDDICMPipeline) -> Image.Image:
    if Path(name).name != name:
        raise InputError(f"{file}: {field} is {name!r}, expected a file name")
    check_link(file.parent / name, file.parent)
    try:
        pixels = EncodedPicture(FolderFiles(file.parent), name).decode()
    except InputError as error:
        raise InputError(f"{file}: {field}: {error}") from error
    if pixels.shape[:2] != (pipeline.image_size,) * 2:
        height, width = pixels.shape[:2]
        raise InputError(
            f"{file}: {field}: {name} is {width}x{height}, expected {pipeline.image_size} squared"
        )
    return Image.fromarray(np.ascontiguousarray(pixels))
