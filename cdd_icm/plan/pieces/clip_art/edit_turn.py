"""Writes any edit of a scene of clip art in plain speech."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import accumulate

import numpy as np

from cdd_icm.data.dialog import SceneObject
from cdd_icm.plan.pieces.clip_art.adding import add
from cdd_icm.plan.pieces.clip_art.draft import Draft
from cdd_icm.plan.pieces.clip_art.kinds import COUNTS, KINDS, OTHERWISE
from cdd_icm.plan.pieces.clip_art.lacking import absent_text, unknown_text
from cdd_icm.plan.pieces.clip_art.mentions import Speaker
from cdd_icm.plan.pieces.clip_art.names import (
    VOCABULARY,
)
from cdd_icm.plan.pieces.clip_art.removing import remove
from cdd_icm.plan.pieces.clip_art.small_talk import nonsense_text, nothing_text
from cdd_icm.plan.pieces.requests import Request
from cdd_icm.plan.shared.speech.grammar import pick
from cdd_icm.plan.shared.speech.mistakes import with_mistakes
from cdd_icm.plan.shared.speech.requests import Clause, dressed, request
from cdd_icm.plan.shared.speech.talk import undo_text

TRIES = 20
_SHARES = list(accumulate(share for _, share in KINDS))


def _edit(draft: Draft, asked: set[Callable]) -> Clause | None:
    """A clause of a random kind; one that is `asked` for already speaks of something else."""
    make = KINDS[bisect(_SHARES, draft.rng.random() * _SHARES[-1])][0]
    if make in asked:
        draft.last = None
    clause = make(draft)
    if clause is not None:
        asked.add(make)
    return clause


def edit_turn(scene: Sequence[SceneObject], touched: Sequence[str], rng: np.random.Generator) -> Request:
    """A random request about a scene, as a person may type it.

    Args:
        touched: the classes that the turn before drew, of which "it" and "them" speak.
    """
    asked = plain_turn(scene, touched, rng)
    return replace(asked, instruction=with_mistakes(rng, asked.instruction, VOCABULARY))


def plain_turn(scene: Sequence[SceneObject], touched: Sequence[str], rng: np.random.Generator) -> Request:
    """As `edit_turn`, without a slip of the pen."""
    scene = tuple(scene)
    touched = tuple(name for name in touched if any(obj.name == name for obj in scene))
    intent = _intent(rng)
    if intent != "change":
        for _ in range(TRIES):
            text = _otherwise(intent, scene, touched, rng)
            if text is not None:
                return Request(text, touched, scene, scene, intent)
    draft, clauses, count = Draft(rng, scene, touched, list(scene)), [], pick(rng, COUNTS)
    asked: set[Callable] = set()
    for _ in range(TRIES):
        clause = _edit(draft, asked)
        if clause is not None:
            clauses.append(clause)
        if len(clauses) == count:
            break
    if not clauses:
        clauses = [add(draft) or remove(draft)]
    text = dressed(rng, request(rng, clauses))
    return Request(text, touched, scene, tuple(draft.after), "change")


def _intent(rng: np.random.Generator) -> str:
    chance = rng.random()
    for intent, share in OTHERWISE:
        chance -= share
        if chance < 0:
            return intent
    return "change"


def _otherwise(
    intent: str, scene: tuple[SceneObject, ...], touched: tuple[str, ...], rng: np.random.Generator
) -> str | None:
    """A text of that intent; None if there is none for the scene."""
    speaker = Speaker(rng, scene, touched)
    match intent:
        case "nothing":
            return nothing_text(scene, speaker.the(pick(rng, scene)) if scene else "it", rng)
        case "undo":
            return undo_text(rng)
        case "unknown":
            return unknown_text(rng, scene, speaker)
        case "absent":
            return absent_text(rng, scene, touched)
    return nonsense_text(rng)
