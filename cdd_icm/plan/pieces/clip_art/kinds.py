"""The kinds of edit of a scene of clip art, and how often each is asked for."""

from __future__ import annotations

from collections.abc import Callable

from cdd_icm.plan.pieces.clip_art.adding import add, add_list, another, number
from cdd_icm.plan.pieces.clip_art.altering import (
    complain,
    mood,
    mood_many,
    move,
    move_many,
    resize,
    resize_many,
    swap,
    turn,
    turn_many,
)
from cdd_icm.plan.pieces.clip_art.draft import Draft
from cdd_icm.plan.pieces.clip_art.following_up import follow_up
from cdd_icm.plan.pieces.clip_art.giving import dress, give, give_both, hand_over, sit_on
from cdd_icm.plan.pieces.clip_art.idioms import idiom
from cdd_icm.plan.pieces.clip_art.removing import remove, remove_many, replaced
from cdd_icm.plan.shared.speech.requests import Clause

KINDS: tuple[tuple[Callable[[Draft], Clause | None], float], ...] = (
    (add, 0.185),
    (add_list, 0.065),
    (another, 0.015),
    (number, 0.02),
    (idiom, 0.025),
    (give, 0.051),
    (dress, 0.008),
    (give_both, 0.006),
    (hand_over, 0.015),
    (sit_on, 0.012),
    (remove, 0.113),
    (remove_many, 0.06),
    (replaced, 0.06),
    (move, 0.09),
    (move_many, 0.015),
    (swap, 0.015),
    (complain, 0.025),
    (resize, 0.055),
    (resize_many, 0.015),
    (turn, 0.04),
    (turn_many, 0.01),
    (mood, 0.055),
    (mood_many, 0.015),
    (follow_up, 0.03),
)
"""Each with the share of the clauses that are drawn; a kind that a scene does not allow is drawn anew."""
OTHERWISE = (("nothing", 0.025), ("undo", 0.02), ("unknown", 0.065), ("absent", 0.04), ("nonsense", 0.025))
"""Turns that change nothing, and their shares of all."""
COUNTS = (1, 1, 1, 1, 1, 1, 1, 2, 2, 3)
"""Numbers of edits in one request."""
