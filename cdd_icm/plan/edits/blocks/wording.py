"""Writes what a person may say who wants certain changes to a scene of blocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from cdd_icm.plan.edits.blocks.benchmark_style import in_benchmark_style
from cdd_icm.plan.edits.blocks.clauses import clauses_for
from cdd_icm.plan.edits.blocks.mentions import Mention
from cdd_icm.plan.edits.blocks.places import Fact
from cdd_icm.plan.edits.blocks.scene import Block, Change
from cdd_icm.plan.edits.blocks.speech import Speech
from cdd_icm.plan.edits.blocks.words import VOCABULARY
from cdd_icm.plan.shared.speech.mistakes import with_mistakes
from cdd_icm.plan.shared.speech.requests import dressed, request


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
    text = with_mistakes(rng, dressed(rng, request(rng, clauses)), VOCABULARY)
    return Written(text, tuple(speech.facts), tuple(speech.mentions))


def write_changes(
    scene: tuple[Block, ...], touched: tuple[int, ...], changes: Sequence[Change], rng: np.random.Generator
) -> str | None:
    """A text that asks for the changes to the scene, after a turn that touched those blocks; None if there is
    no short way to ask for them."""
    written = write(scene, touched, changes, rng)
    return written and written.text
