"""Writes any edit of a scene of clip art in plain speech."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cdd_icm.data.dialog import SceneObject
from cdd_icm.plan.pieces.clip_art.kinds import KINDS, Draft, add, remove
from cdd_icm.plan.pieces.clip_art.lacking import absent_text, unknown_text
from cdd_icm.plan.pieces.clip_art.mentions import Speaker
from cdd_icm.plan.pieces.clip_art.names import (
    NAMES,
    VOCABULARY,
)
from cdd_icm.plan.pieces.requests import Request
from cdd_icm.plan.shared.speech.grammar import pick
from cdd_icm.plan.shared.speech.mistakes import with_mistakes
from cdd_icm.plan.shared.speech.requests import Clause, dressed, request
from cdd_icm.plan.shared.speech.talk import nonsense_text, nothing_text, undo_text

_OTHERWISE = (("nothing", 0.025), ("undo", 0.02), ("unknown", 0.06), ("absent", 0.035), ("nonsense", 0.025))
"""Turns that change nothing, and their shares of all."""
_COUNTS = (1, 1, 1, 1, 1, 1, 2, 2, 2, 3)
"""Numbers of edits in one request."""
TRIES = 20


def _edit(draft: Draft) -> Clause | None:
    chance = draft.rng.random()
    for make, share in KINDS:
        chance -= share
        if chance < 0:
            return make(draft)
    return add(draft)


def edit_turn(scene: Sequence[SceneObject], touched: Sequence[str], rng: np.random.Generator) -> Request:
    """A random request about a scene.

    Args:
        touched: the classes that the turn before drew, of which "it" and "them" speak.
    """
    scene = tuple(scene)
    touched = tuple(name for name in touched if any(obj.name == name for obj in scene))
    chance = rng.random()
    for intent, share in _OTHERWISE:
        chance -= share
        if chance < 0:
            text = _otherwise(intent, scene, touched, rng)
            if text is not None:
                return Request(with_mistakes(rng, text, VOCABULARY), touched, scene, scene, intent)
    draft, clauses, count = Draft(rng, scene, touched, list(scene)), [], pick(rng, _COUNTS)
    for _ in range(TRIES):
        clause = _edit(draft)
        if clause is not None:
            clauses.append(clause)
        if len(clauses) == count:
            break
    if not clauses:
        clauses = [add(draft) or remove(draft)]
    text = with_mistakes(rng, dressed(rng, request(rng, clauses)), VOCABULARY)
    return Request(text, touched, scene, tuple(draft.after), "change")


def _otherwise(
    intent: str, scene: tuple[SceneObject, ...], touched: tuple[str, ...], rng: np.random.Generator
) -> str | None:
    """A text of that intent; None if there is none for the scene."""
    speaker = Speaker(rng, scene, touched)
    match intent:
        case "nothing":
            return nothing_text(rng, speaker.the(pick(rng, scene)) if scene else "it")
        case "undo":
            return undo_text(rng)
        case "unknown":
            return unknown_text(rng, scene, speaker)
        case "absent":
            return absent_text(rng, scene, touched)
    return nonsense_text(rng, pick(rng, tuple(NAMES.values()))[0].split() + ["left", "the"])
