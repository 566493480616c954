"""How well turns are drawn that change what is there: success by kind of edit.

What a turn asks for is read off the annotated objects before and after it; the judge of `sentences` says
whether the detector sees that, and nothing else, from the drawn picture before to the one after. Where an
added or moved object stands is not judged: that is what RSIM measures. An object of another class in the
place of one that is gone (within `STILL`) has replaced it:

- "resize": their classes differ in traits only ("small blue cube", "large blue cube");
- "recolour": their names end on the same word ("blue cube", "red cube");
- "reshape": they do not.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import pairwise
from math import dist
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from cdd_icm.data import Dialog, to_square
from cdd_icm.evaluation.detector import Detector, name_of
from cdd_icm.evaluation.metrics import bootstrap_interval
from cdd_icm.evaluation.protocol import Pictures, annotation, squares, true_pictures
from cdd_icm.evaluation.sentences import (
    STILL,
    Change,
    Outcome,
    Scene,
    Sentence,
    distance_moved,
    judge,
    scenes,
)

SINGLE = ("remove", "move", "recolour", "reshape", "resize")
"""The kinds of turn that change one object and add none."""
KINDS = ("add", "add two", *SINGLE, "several", "nothing")

EDITING_SHARE = 0.05
"""Data are of edits where at least this share of the turns is of `SINGLE`. CoDraw's drawer now and then takes
away what the next turn draws anew: two turns in a thousand."""


@dataclass(frozen=True)
class Edit:
    """What a turn asks for; its sentence's `kind` is one of `KINDS`. Of each pair in `replaced`, the second
    class shall stand where the first does."""

    asked: Sentence
    replaced: tuple[tuple[str, str], ...] = ()


def edit_between(before: Scene, after: Scene, traits: Mapping[str, str], instruction: str = "") -> Edit:
    """What leads from one scene to the other; `traits` are the `class_traits` of the scenes' classes."""
    new, gone = sorted(after.keys() - before.keys()), sorted(before.keys() - after.keys())
    moved = [
        name for name in sorted(before.keys() & after.keys()) if distance_moved(name, before, after) > STILL
    ]
    replaced: dict[str, str] = {}
    for old in gone:
        there = [
            name
            for name in new
            if name not in replaced.values() and dist(before[old][:2], after[name][:2]) <= STILL
        ]
        if there:
            replaced[old] = there[0]
    kinds = [
        *("add" for name in new if name not in replaced.values()),
        *("remove" for name in gone if name not in replaced),
        *("move" for _ in moved),
        *(_kind_of_replacement(name_of(a, traits), name_of(b, traits)) for a, b in replaced.items()),
    ]
    match kinds:
        case []:
            kind = "nothing"
        case [one]:
            kind = one
        case ["add", "add"]:
            kind = "add two"
        case _:
            kind = "several"
    changes = [("add", name) for name in new] + [("remove", name) for name in gone]
    changes += [("move", name) for name in moved]
    expect = tuple(Change(change, (name,)) for change, name in changes) or (Change("none"),)
    return Edit(Sentence(kind, (), instruction, expect), tuple(replaced.items()))


def _kind_of_replacement(old: str, new: str) -> str:
    """By the names of the two objects."""
    if old == new:
        return "resize"
    return "recolour" if old.split()[-1:] == new.split()[-1:] else "reshape"


def judge_edit(edit: Edit, before: Scene, after: Scene, unchanged: bool) -> tuple[Outcome, str]:
    """As `sentences.judge`; what replaces an object has to be in its place."""
    outcome, reason = judge(edit.asked, before, after, unchanged)
    if outcome == "right":
        for old, new in edit.replaced:
            if dist(before[old][:2], after[new][:2]) > STILL:
                return "wrong", f"the {new} is not where the {old} was"
    return outcome, reason


def edits_of(dialogs: Sequence[Dialog], detector: Detector) -> list[list[Edit]] | None:
    """What each turn of each dialog asks for; None if a turn is not annotated or the data only add objects.

    Raises:
        InputError: the detector does not know a class.
    """
    if any(turn.objects is None for dialog in dialogs for turn in dialog.turns):
        return None
    edits = []
    for dialog in dialogs:
        true = [{}, *scenes(annotation(dialog, detector), detector.config.classes)]
        edits.append(
            [
                edit_between(before, after, detector.class_traits, turn.instruction)
                for (before, after), turn in zip(pairwise(true), dialog.turns, strict=True)
            ]
        )
    counts = Counter(edit.asked.kind for each in edits for edit in each)
    return edits if sum(counts[kind] for kind in SINGLE) >= EDITING_SHARE * counts.total() else None


class Judged(NamedTuple):
    """What came of a turn. `true_right`: whether the judge calls the turn right on the true pictures."""

    outcome: Outcome
    reason: str
    true_right: bool


def judge_dialog(
    dialog: Dialog, edits: Sequence[Edit], generated: Pictures, detector: Detector, teacher_forced: bool
) -> Iterator[Judged]:
    """What came of each turn of a dialog."""
    side, classes = detector.config.image_size, detector.config.classes
    start = to_square(dialog.canvas.decode(), side)[None]
    true = np.concatenate([start, true_pictures(dialog, side)])
    drawn = np.concatenate([start, squares(generated, side)])
    truly_seen, seen = (scenes(detector.detect(pictures), classes) for pictures in (true, drawn))
    for turn, edit in enumerate(edits):
        reference, before = (true, truly_seen) if teacher_forced else (drawn, seen)
        unchanged = bool((reference[turn] == drawn[turn + 1]).all())
        outcome, reason = judge_edit(edit, before[turn], seen[turn + 1], unchanged)
        still = bool((true[turn] == true[turn + 1]).all())
        best, _ = judge_edit(edit, truly_seen[turn], truly_seen[turn + 1], still)
        yield Judged(outcome, reason, best == "right")


def evaluate_edits(
    dialogs: Sequence[Dialog],
    edits: Sequence[Sequence[Edit]],
    generated: Sequence[Pictures],
    kept: Sequence[Sequence[float]],
    detector: Detector,
    teacher_forced: bool = False,
    known_words: Set[str] | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Scores the pictures generated for `dialogs`, as `protocol.evaluate_pictures` takes them.

    Args:
        edits: from `edits_of`.
        kept: the preservation of each picture.
        known_words: the words of the training texts, for rows of turns with and without another one.
        seed: of the bootstrap.

    Returns:
        {"rows": [{"turns", "count", "success", "true_pictures", "unusable", "kept"}], "dialogs": what came
        of each dialog's turns}. A row is of one kind of turn, of all, or by wording; "success" is in per
        cent, "true_pictures" what the judge gives the true pictures, "unusable" how many of the failures
        began with a drawn picture that lacked what the turn speaks of or had what it adds; "kept" is the mean
        preservation, in levels 0..255.
    """
    judged = [
        list(judge_dialog(*each, detector, teacher_forced))
        for each in zip(dialogs, edits, generated, strict=True)
    ]
    turns = [turn for each in judged for turn in each]
    asked = [edit.asked for each in edits for edit in each]
    kinds = np.array([each.kind for each in asked])
    groups = {kind: kinds == kind for kind in KINDS if (kinds == kind).any()}
    groups["all"] = np.ones(len(turns), bool)
    if known_words is not None:
        known = np.array([words_of([each.sentence]) <= known_words for each in asked])
        groups |= {"seen wordings": known, "held-out wordings": ~known}

    columns = {
        "success": np.array([100.0 * (turn.outcome == "right") for turn in turns]),
        "true_pictures": np.array([100.0 * turn.true_right for turn in turns]),
        "kept": np.concatenate([np.asarray(each, float) for each in kept]),
    }
    dialog = np.repeat(np.arange(len(judged)), [len(each) for each in judged])
    unusable = np.array([turn.outcome == "unusable" for turn in turns])
    return {
        "rows": [
            {"turns": name, "count": int(group.sum()), "unusable": int(unusable[group].sum())}
            | {column: _mean(values, dialog, group, seed) for column, values in columns.items()}
            for name, group in groups.items()
        ],
        "dialogs": [
            [
                {"kind": edit.asked.kind, "outcome": turn.outcome, "reason": turn.reason}
                for edit, turn in zip(*pair, strict=True)
            ]
            for pair in zip(edits, judged, strict=True)
        ],
    }


def _mean(
    values: Float[np.ndarray, " N"],
    dialog: Int[np.ndarray, " N"],
    group: Bool[np.ndarray, " N"],
    seed: int,
) -> dict[str, float] | None:
    """The mean over a group with its interval, None where the group is empty."""
    if not group.any():
        return None
    low, high = bootstrap_interval(values[group], dialog[group], seed)
    return {"value": round(values[group].mean().item(), 3), "low": round(low, 3), "high": round(high, 3)}


def words_of(texts: Iterable[str]) -> set[str]:
    """The words of some texts, case-folded."""
    return {word for text in texts for word in re.findall(r"[^\W_]+(?:['-][^\W_]+)*", text.casefold())}
