"""A turn on its way through a device's queue: its place, its previews, its candidates."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Hashable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal

from PIL import Image

from cdd_icm.console import printable, say
from cdd_icm.errors import InputError, first_line
from cdd_icm.sampling.inputs import to_output
from cdd_icm.sampling.session import DrawingSession
from cdd_icm.studio.matching import has_matcher, match_scores
from cdd_icm.studio.queue import Cancelled, DeviceQueue, Ticket, cancelled

State = Literal["waiting", "drawing", "done", "cancelled", "failed"]

OVER = ("done", "cancelled", "failed")
LOOK = 0.2
"""Seconds between two looks at the place in the queue, of which nobody tells that it has changed."""


@dataclass(frozen=True)
class Request:
    """What a visitor asks for."""

    text: str
    seed: int
    candidates: int = 1
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Sampling settings for this turn alone."""


@dataclass(frozen=True)
class Candidate:
    """A picture to choose from: the session with this turn, drawn with a seed of its own."""

    session: DrawingSession
    score: float | None
    """The matcher's; None if the model has no trained one or there is nothing to choose."""


class Drawing:
    """One visitor's turn. `run` draws it in the device's thread; the page follows with `changes`.

    Candidate i is drawn with the seed `request.seed + i` and alone, so that each can be drawn again to the
    pixel by `DrawingSession.say` with that seed. Each is a copy of `base`, which is never changed.

    Args:
        base: the session as it was when the turn was asked for.
        finished: called once in the device's thread, as soon as the candidates are there and before the state
            says so; not called for a turn without any.
    """

    def __init__(
        self, base: DrawingSession, request: Request, finished: Callable[[Drawing], None] = lambda _: None
    ):
        self.base, self.request, self._finished = base, request, finished
        self.state: State = "waiting"
        self.error = ""
        self.preview: Image.Image | None = None
        self.steps = 0
        self.candidates: list[Candidate] = []
        self.ticket: Ticket | None = None  # once the device's queue took the turn
        self._cancelled = False
        self._followers: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()

    @property
    def is_over(self) -> bool:
        return self.state in OVER

    @property
    def place(self) -> int:
        """The number of turns that are drawn before this one."""
        return self.ticket.position if self.state == "waiting" and self.ticket is not None else 0

    @property
    def best(self) -> int:
        """The index of the candidate with the highest score, the first if there are none."""
        scores = [candidate.score or 0.0 for candidate in self.candidates]
        return scores.index(max(scores))

    def cancel(self) -> None:
        """Stops within a step; in the queue at once. Finished candidates are kept."""
        self._cancelled = True
        if self.ticket is not None:
            self.ticket.cancel()
        if self.state == "waiting":
            self._becomes("cancelled")

    def enter(self, queue: DeviceQueue, key: Hashable) -> None:
        """Puts the turn into the device's queue. Raises as `DeviceQueue.submit`; the turn has failed then."""
        try:
            self.ticket = queue.submit(self.run, key=key)
        except InputError as error:
            self.error = first_line(error)
            self._becomes("failed")
            raise

    def run(self) -> None:
        """Draws the candidates. Raises nothing: what went wrong is in `error`."""
        if self._cancelled:
            self._becomes("cancelled")
            return
        self._becomes("drawing")
        outcome: State = "done"
        try:
            for number in range(self.request.candidates):
                self.candidates.append(self._candidate(number))
        except Cancelled:
            outcome = "cancelled"
        except InputError as error:
            outcome, self.error = "failed", str(error)
        except Exception as error:  # a fault of ours: the visitor gets a line, the log the rest
            say(f"studio: {type(error).__name__}: {printable(error, one_line=True)}")
            outcome, self.error = "failed", f"the turn failed ({type(error).__name__}: {first_line(error)})"
        if self.candidates:
            try:
                self._finished(self)
                outcome = "done"
            except InputError as error:  # such as a full disk
                outcome, self.error = "failed", str(error)
        self._becomes(outcome)

    async def changes(self) -> AsyncIterator[None]:
        """Yields at once, and whenever there is something new, until the turn is over."""
        seen, changed = None, asyncio.Event()
        follower = (asyncio.get_running_loop(), changed)
        self._followers.add(follower)
        try:
            while True:
                changed.clear()
                now = (self.state, self.place, self.steps, len(self.candidates))
                if now != seen:
                    seen = now
                    yield
                if seen[0] in OVER:
                    return
                with suppress(TimeoutError):
                    await asyncio.wait_for(changed.wait(), LOOK)
        finally:
            self._followers.discard(follower)

    def _becomes(self, state: State) -> None:
        self.state = state
        self._tell()

    def _tell(self) -> None:
        """Wakes the followers, from any thread."""
        for loop, changed in list(self._followers):
            with suppress(RuntimeError):  # that loop was closed: nobody follows there any more
                loop.call_soon_threadsafe(changed.set)

    def _candidate(self, number: int) -> Candidate:
        session = self.base.branch()
        session.seed = self.request.seed + number
        before, history = session.picture, [turn.instruction for turn in session.turns]
        picture = session.say(
            self.request.text, callback_on_step_end=self._step, **dict(self.request.settings)
        )
        score = None
        if self.request.candidates > 1 and has_matcher(session.pipeline):
            (score,) = match_scores(session.pipeline, [picture], before, self.request.text, history)
        return Candidate(session, score)

    def _step(self, pipeline: Any, step: int, timestep: Any, tensors: dict[str, Any]) -> None:
        if self._cancelled:
            raise cancelled()
        self.preview = to_output(tensors["latents"][:1].float().clamp(-1, 1), "pil")[0]
        self.steps += 1
        self._tell()
