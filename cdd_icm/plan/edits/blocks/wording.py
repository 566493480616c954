"""Writes what a person may say who wants certain changes to a scene of blocks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from cdd_icm.plan.edits.blocks.benchmark_style import in_benchmark_style
from cdd_icm.plan.edits.blocks.clauses import clauses_for
from cdd_icm.plan.edits.blocks.grammar import pick
from cdd_icm.plan.edits.blocks.mentions import Mention
from cdd_icm.plan.edits.blocks.mistakes import with_mistakes
from cdd_icm.plan.edits.blocks.phrases import ASK, CLOSE, JOIN, OPEN
from cdd_icm.plan.edits.blocks.places import Fact
from cdd_icm.plan.edits.blocks.scene import Block, Change
from cdd_icm.plan.edits.blocks.speech import Clause, Speech


def request(rng: np.random.Generator, clauses: Sequence[Clause]) -> str:
    """The clauses as a request."""
    first = clauses[0]
    if len(clauses) == 1:
        if first.say is not None and rng.random() < 0.42:
            return first.say(rng, first.slots)
        return _asked(rng, first.verb_phrase(rng), lambda: first.verb_phrase(rng, "ing"))
    text = clauses[-1].verb_phrase(rng)
    for clause in clauses[-2:0:-1]:
        text = JOIN(rng, {"a": clause.verb_phrase(rng), "b": text})
    if first.say is not None and rng.random() < 0.15:
        return f"{first.say(rng, first.slots)}{pick(rng, ('.', ',', ' and', '. Then', '. Also'))} {text}"
    return _asked(rng, JOIN(rng, {"a": first.verb_phrase(rng), "b": text}), None)


def _asked(rng: np.random.Generator, base: str, ing: Callable[[], str] | None) -> str:
    text = ASK(rng, {"base": base, "ing": "\0"})
    if "\0" in text:
        text = text.replace("\0", ing()) if ing else f"please {base}"
    return text


def dressed(rng: np.random.Generator, text: str) -> str:
    """A request with what people say before and after it."""
    if rng.random() < 0.2:
        text = f"{OPEN(rng)} {text}"
    if rng.random() < 0.1:
        text = f"{text.rstrip('.!?')} {CLOSE(rng)}"
    return " ".join(text.replace(" ,", ",").replace(" .", ".").split())


@dataclass(frozen=True)
class Written:
    """A text, and what it tells; see `Speech`."""

    text: str
    facts: tuple[tuple[Fact, Block], ...] = ()
    mentions: tuple[tuple[Mention, tuple[int, ...]], ...] = ()


def _settled(scene: Sequence[Block], change: Change) -> Change:
    """The change without a move that is only the rounding of an annotation."""
    if change.before is None or change.after is None:
        return change
    old, new = scene[change.before], change.after
    if abs(old.right - new.right) > 0.3 or abs(old.away - new.away) > 0.3:
        return change
    return Change(change.before, replace(new, right=old.right, away=old.away))


def write(
    scene: tuple[Block, ...], touched: tuple[int, ...], changes: Sequence[Change], rng: np.random.Generator
) -> Written | None:
    """A text that asks for the changes, and what it tells; None if there is no short way to ask for them."""
    if rng.random() < 0.25:
        written = in_benchmark_style(scene, touched, changes, rng)
        if written is not None:
            return Written(*written)
    speech = Speech(rng, scene, touched)
    changes = [_settled(scene, change) for change in changes]
    clauses = clauses_for(speech, changes)
    if clauses is None:
        return None
    text = with_mistakes(rng, dressed(rng, request(rng, clauses)))
    return Written(text, tuple(speech.facts), tuple(speech.mentions))


def write_changes(
    scene: tuple[Block, ...], touched: tuple[int, ...], changes: Sequence[Change], rng: np.random.Generator
) -> str | None:
    """A text that asks for the changes to the scene, after a turn that touched those blocks; None if there is
    no short way to ask for them."""
    written = write(scene, touched, changes, rng)
    return written and written.text
