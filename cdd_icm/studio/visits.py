"""Visitors' dialogs: who may see which, what each may ask for, and how long they are kept."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import RLock

from PIL import Image

from cdd_icm.errors import InputError
from cdd_icm.hashing import content_digest
from cdd_icm.io import remove_folder
from cdd_icm.sampling.pipeline import CDDICMPipeline
from cdd_icm.sampling.session import DrawingSession
from cdd_icm.studio.branches import RECORD, Branch, Branches, load, owner_of, save
from cdd_icm.studio.drawing import Drawing, Request
from cdd_icm.studio.engine import Engine
from cdd_icm.studio.limits import RequestCounter, VisitorLimits

TOKEN = re.compile(r"[A-Za-z0-9_-]{22,64}")
ENDS = 8
"""Ends of turns that are remembered for pages that did not ask for them yet."""
FIRST = "main"
"""The name of the branch with which a dialog begins."""


@dataclass
class Visit:
    """One dialog of one visitor. All but `drawing` is used under `lock`."""

    token: str
    """Names the dialog in links. Nobody can guess it."""
    owner: str
    """Digest of the key of the browser that may change it."""
    branches: Branches
    limits: VisitorLimits
    folder: Path
    drawing: Drawing | None = None
    selected: int | None = None
    """The turn that is looked at, 0 for the canvas; None for the last."""
    search: list = field(default_factory=list)
    """The conversation of "Find": its `finding.Step`s."""
    ends: dict[str, Drawing] = field(default_factory=dict)
    """Turns that are over, which the page is about to show; by a name that nobody can guess."""
    touched: float = field(default_factory=time.monotonic)
    lock: RLock = field(default_factory=RLock, repr=False)
    saved: bool = False
    """Whether it is on the disk: a visitor who only looks leaves nothing there."""

    @property
    def branch(self) -> Branch:
        return self.branches.branch

    @property
    def session(self) -> DrawingSession:
        return self.branch.session

    @property
    def is_drawing(self) -> bool:
        return self.drawing is not None and not self.drawing.is_over

    def check_free(self) -> None:
        """Raises InputError while a turn is being drawn, which would be lost or land elsewhere."""
        if self.is_drawing:
            raise InputError("a turn is being drawn; wait for it, or cancel it first")

    def begin(self, request: Request) -> Drawing:
        """The turn that is asked for, ready for the queue. Where an earlier turn is looked at, it is drawn
        in a branch from there, so that the later turns stay.

        Raises:
            InputError: an empty or too long text, a turn is being drawn, or a limit is reached.
        """
        with self.lock:
            self.check_free()
            self.limits.check_text(request.text, "sentence")
            if self.selected is not None and self.selected != len(self.session.turns):
                self.branches.fork(self.selected)
                self.selected = None
            if len(self.session.turns) >= self.limits.turns:
                raise InputError(
                    f"this branch has {self.limits.turns} turns, the most that are allowed; "
                    f"download it, or start a new dialog"
                )
            self.session.pipeline.settings(**dict(request.settings))
            self.limits.check_sampling(request.settings)
            branch = self.branch
            self.drawing = Drawing(
                branch.session.branch(), request, lambda drawing: self._finish(branch, drawing)
            )
            return self.drawing

    def _finish(self, branch: Branch, drawing: Drawing) -> None:
        with self.lock:
            branch.session = drawing.candidates[drawing.best].session
            self.save(branch)

    def name_end(self, drawing: Drawing) -> str:
        """A name under which the page gets the end of this turn, once."""
        with self.lock:
            while len(self.ends) >= ENDS:  # of pages that were closed before they asked
                del self.ends[next(iter(self.ends))]
            name = secrets.token_hex(8)
            self.ends[name] = drawing
            return name

    def take_end(self, name: str) -> Drawing | None:
        """The turn of a name; None if there is none, or it was taken."""
        with self.lock:
            return self.ends.pop(name, None)

    def choose(self, number: int) -> None:
        """Makes candidate `number`, from 0, the last turn.

        Raises:
            InputError: there is no such candidate, or the dialog has gone on since.
        """
        with self.lock:
            self.check_free()
            candidates = self.choices
            if not 0 <= number < len(candidates):
                raise InputError(f"candidate: {number + 1}, but there are {len(candidates)} to choose from")
            self.branch.session = candidates[number].session
            self.selected = None
            self.save(self.branch)

    @property
    def choices(self) -> list:
        """The candidates of the last turn, as long as the dialog has not gone on."""
        if self.drawing is None or len(self.drawing.candidates) < 2:
            return []
        sessions = [candidate.session for candidate in self.drawing.candidates]
        return list(self.drawing.candidates) if any(s is self.session for s in sessions) else []

    def settle(self) -> None:
        """Forgets the candidates: undo, for one, changes the session that was chosen."""
        self.check_free()
        if self.choices:
            self.branch.session = self.branch.session.branch()
        self.drawing = None
        self.selected = None

    def save(self, only: Branch | None = None) -> None:
        """Saves to the disk. Raises InputError if that is not possible; the dialog goes on in memory."""
        save(self.folder, self.owner, self.branches, only if self.saved else None)
        self.saved = True


class Visits:
    """All dialogs of all visitors.

    Args:
        engines: the models by name; the first is where a dialog begins.
        folder: for the saved dialogs, one folder each, named by its token.
    """

    def __init__(self, engines: Sequence[Engine], folder: Path, limits: VisitorLimits | None = None):
        self.engines = {engine.name: engine for engine in engines}
        self.folder, self.limits = folder, limits or VisitorLimits()
        self._visits: dict[str, Visit] = {}
        self._counter = RequestCounter(self.limits.requests_a_minute)
        self._lock = RLock()
        self._swept = float("-inf")

    def pipeline(self, model: str) -> CDDICMPipeline:
        """Raises InputError if the model is not served."""
        if model not in self.engines:
            raise InputError(f"model: {model!r:.60} is not loaded here; there are {', '.join(self.engines)}")
        return self.engines[model].pipeline

    def create(self, key: str, canvas: Image.Image | None = None, model: str | None = None) -> Visit:
        """A new dialog of the visitor with this key."""
        name = model or next(iter(self.engines))
        branches = Branches()
        branches.add(FIRST, name, DrawingSession(self.pipeline(name), canvas, seed=1))
        return self._keep(secrets.token_urlsafe(24), content_digest(key), branches)

    def find(self, token: str, key: str) -> Visit | None:
        """The visitor's own dialog, from memory or the disk; None where there is none, or it is another's."""
        with self._lock:
            self._sweep()
            visit = self._visits.get(token) or self._read(token)
            if visit is None or not secrets.compare_digest(visit.owner, content_digest(key)):
                return None
            visit.touched = time.monotonic()
            return visit

    def copy(self, token: str, key: str, branch: str = "", turn: int | None = None) -> Visit | None:
        """A copy of a dialog, whoever's it is, for the visitor with this key, who was given a link to it: the
        turns of one branch, up to `turn`. None where there is no such dialog."""
        with self._lock:
            source = self._visits.get(token) or self._read(token)
        if source is None:
            return None
        with source.lock:
            chosen = next((b for b in source.branches.branches if b.name == branch), source.branch)
            session, model = chosen.session.branch(), chosen.model
        while turn is not None and len(session.turns) > max(0, turn):
            session.undo()
        branches = Branches()
        branches.add(FIRST, model, session)
        return self._keep(secrets.token_urlsafe(24), content_digest(key), branches)

    def count(self, key: str) -> None:
        """Counts a request of the visitor with this key. Raises InputError if it is one too many."""
        self._counter.count(content_digest(key))

    def __len__(self) -> int:
        return len(self._visits)

    def _keep(self, token: str, owner: str, branches: Branches) -> Visit:
        visit = Visit(token, owner, branches, self.limits, self.folder / token)
        with self._lock:
            self._sweep()
            self._visits[token] = visit
            self._make_room()
        return visit

    def _read(self, token: str) -> Visit | None:
        if not TOKEN.fullmatch(token) or not (self.folder / token / RECORD).is_file():
            return None
        folder = self.folder / token
        visit = Visit(token, owner_of(folder), load(folder, self.pipeline), self.limits, folder, saved=True)
        self._visits[token] = visit
        self._make_room()
        return visit

    def _make_room(self) -> None:
        idle = sorted((v for v in self._visits.values() if not v.is_drawing), key=lambda v: v.touched)
        for visit in idle[: max(0, len(self._visits) - self.limits.in_memory)]:
            del self._visits[visit.token]

    def _sweep(self) -> None:
        """Once a minute: drops idle dialogs from memory and deletes old ones from the disk."""
        now = time.monotonic()
        if now < self._swept + 60:
            return
        self._swept = now
        for visit in list(self._visits.values()):
            if visit.touched < now - self.limits.idle_seconds and not visit.is_drawing:
                del self._visits[visit.token]
        oldest = time.time() - 86400 * self.limits.kept_days
        with suppress(OSError):  # no dialog was saved yet
            for folder in list(self.folder.iterdir()):
                record = folder / RECORD
                with suppress(OSError):
                    if TOKEN.fullmatch(folder.name) and record.stat().st_mtime < oldest:
                        remove_folder(folder)
                        self._visits.pop(folder.name, None)
