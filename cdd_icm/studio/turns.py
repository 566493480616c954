"""A turn that a program asks for, and several of them drawn in one forward pass."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import astuple, dataclass

from PIL import Image

from cdd_icm.config import SamplingConfig
from cdd_icm.plan.answer import Answer
from cdd_icm.sampling.dialogs import turn_generator
from cdd_icm.sampling.inputs import StepCallback
from cdd_icm.sampling.pipeline import CDDICMPipeline
from cdd_icm.studio.queue import DeviceQueue, Ticket


@dataclass(frozen=True)
class Turn:
    """What is to be drawn: turn k = len(`history`) of a dialog."""

    picture: Image.Image
    """The reference, of any size; squeezed to the model's."""
    instruction: str
    history: tuple[str, ...]
    seed: int
    """As `DrawingSession.seed`: the noise depends on (seed, k) only."""


@dataclass(frozen=True)
class Drawn:
    """A turn's picture, (R, R), the matcher's score of each candidate if there are several, and what was
    understood if the model tells."""

    picture: Image.Image
    scores: tuple[float, ...] | None
    answer: Answer | None


def submit_turn(
    queue: DeviceQueue,
    pipeline: CDDICMPipeline,
    turn: Turn,
    settings: SamplingConfig,
    key: Hashable = None,
    alone: bool = False,
) -> Ticket:
    """Puts a turn into the queue; its result is a `Drawn`, that of `DrawingSession.say` with this seed.

    Turns of one pipeline with equal settings that wait at the same time are drawn in one forward pass. Each
    has a generator of its own, so that its noise is the same as alone. Its pixels are too, up to the order
    of floating-point sums, which depends on the batch's size; docs/server.md has how far that was seen to
    go. A turn with several candidates is a batch by itself and never shares one: a choice between two that
    the matcher finds equally good could fall on the other.

    Args:
        alone: never in a batch; the pixels are then exactly those of `DrawingSession.say`.

    Raises:
        QueueFull, Closed: see `DeviceQueue.submit`.
    """

    def run(turns: Sequence[Turn], check: Callable[[], None]) -> list[Drawn]:
        return draw_turns(pipeline, turns, settings, check)

    if alone or settings.num_candidates > 1:
        return queue.submit(lambda: run([turn], queue.check)[0], key=key)
    return queue.submit_batch(run, turn, kind=(id(pipeline), astuple(settings)), key=key)


def draw_turns(
    pipeline: CDDICMPipeline,
    turns: Sequence[Turn],
    settings: SamplingConfig,
    check: Callable[[], None] = lambda: None,
) -> list[Drawn]:
    """Draws turns in one forward pass; `check` is called after each step and stops them by raising."""
    out = pipeline.draw(
        [turn.picture for turn in turns],
        [turn.instruction for turn in turns],
        [list(turn.history) for turn in turns],
        settings,
        [turn_generator(turn.seed, "session", len(turn.history)) for turn in turns],
        callback=StepCallback(lambda *_: check(), ()),
    )
    scores = [None] * len(turns) if out.scores is None else [tuple(row.tolist()) for row in out.scores]
    answers = out.answers or [None] * len(turns)
    return [Drawn(*each) for each in zip(out.images, scores, answers, strict=True)]
