"""The field's evaluation protocol (GeNeVA, LatteGAN): a detector finds the objects in generated pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Bool, Float, Int, UInt8

from cdd_icm.data import Dialog, Turn, to_square
from cdd_icm.diffusion.region import changed_region
from cdd_icm.errors import InputError
from cdd_icm.evaluation import fingerprint
from cdd_icm.evaluation.detector import DEPTH_LEVELS, Detections, Detector, annotated, to_input
from cdd_icm.evaluation.metrics import (
    bootstrap_interval,
    precision_recall_f1,
    preservation,
    relational_similarity,
)
from cdd_icm.progress import Progress

MODEL, UPPER, LOWER = "model", "true pictures", "copy the reference"
"""The rows of a report. The upper bound scores the true pictures. The lower bound uses the true picture of
the previous turn, which shows the score of a model that draws nothing."""

DETECTOR, ANNOTATION = "detector", "annotation"
"""The sources of the true labels: the detector on the true picture (as in published results), or the
annotation."""

NO_OP_PHRASES = (
    "looks good to me",
    "okay thank you",
    "we are done here",
    "wonderful work so far",
    "no more please",
    "stay like that",
    "that will do",
    "i am happy with this",
    "please wait a moment",
    "what a beautiful drawing",
)
"""Texts that ask for no change. None is in a training set, and none has a word of `batch.NO_OP_TEXTS`, so
that they measure how a model handles such texts that it was not trained on."""

CHUNK = 32  # dialogs that are scored at once, which limits memory

Pictures = UInt8[np.ndarray, "T S S 3"]
Table = dict[str, Float[np.ndarray, " N"]]
"""One value per picture for each metric."""


def evaluate_pictures(
    dialogs: Sequence[Dialog],
    generated: Sequence[Pictures],
    detector: Detector,
    teacher_forced: bool = False,
    seed: int = 0,
    progress: bool = True,
) -> dict:
    """Scores the pictures generated for `dialogs`.

    Args:
        generated: for each dialog an array with a picture per turn.
        teacher_forced: whether each turn was generated from the true reference. seed: of the bootstrap.

    Returns:
        {"figures": {row: {labels: figures}}, "pictures_by_turn": counts, "dialogs": the model's figures of
        each dialog by turn}. Figures are in per cent, means over all pictures (RSIM: over each dialog's
        last), with 95 % bootstrap intervals over dialogs; preservation is in levels 0..255. Figures for
        labels from the annotation are None if a turn has none.

    Raises:
        InputError: a dialog's numbers of pictures and turns differ, or the detector lacks an annotated class.
    """
    for dialog, pictures in zip(dialogs, generated, strict=True):
        if len(pictures) != len(dialog.turns):
            raise InputError(f"{dialog.id}: {len(pictures)} generated pictures for {len(dialog.turns)} turns")
    chunks = [
        _score_chunk(dialogs[at : at + CHUNK], generated[at : at + CHUNK], detector, teacher_forced)
        for at in Progress(
            range(0, len(dialogs), CHUNK), "scoring pictures", unit="chunk", disable=not progress
        )
    ]
    tables = {
        key: {name: np.concatenate([chunk[key][name] for chunk in chunks]) for name in chunks[0][key]}
        for key in set.intersection(*(set(chunk) for chunk in chunks))
    }
    index = PictureIndex.of(dialogs)
    return {
        "figures": {
            row: {
                labels: summarise(tables[row, labels], index, seed) if (row, labels) in tables else None
                for labels in (DETECTOR, ANNOTATION)
            }
            for row in (MODEL, UPPER, LOWER)
        },
        "pictures_by_turn": np.bincount(index.turn).tolist(),
        "dialogs": [
            {"id": dialog.id, "fingerprint": fingerprint.of_dialog(dialog)}
            | {
                name: [round(value, 3) for value in column[index.dialog == number].tolist()]
                for name, column in tables[MODEL, DETECTOR].items()
            }
            for number, dialog in enumerate(dialogs)
        ],
    }


@dataclass(frozen=True)
class PictureIndex:
    """The dialog and turn (from 0) of each picture, and whether it is its dialog's last."""

    dialog: Int[np.ndarray, " N"]
    turn: Int[np.ndarray, " N"]
    last: Bool[np.ndarray, " N"]

    @classmethod
    def of(cls, dialogs: Sequence[Dialog]) -> PictureIndex:
        places = [
            (number, turn, turn == len(dialog.turns) - 1)
            for number, dialog in enumerate(dialogs)
            for turn in range(len(dialog.turns))
        ]
        dialog, turn, last = (np.array(column) for column in zip(*places, strict=True))
        return cls(dialog, turn, last)


def _score_chunk(
    dialogs: Sequence[Dialog], generated: Sequence[Pictures], detector: Detector, teacher_forced: bool
) -> dict[tuple[str, str], Table]:
    """The metrics of every picture of some dialogs, by (row, labels)."""
    side = detector.config.image_size
    canvases = [to_square(dialog.canvas.decode(), side)[None] for dialog in dialogs]
    true_by_dialog = [true_pictures(dialog, side) for dialog in dialogs]
    generated_by_dialog = [squares(pictures, side) for pictures in generated]
    truth, pictures = np.concatenate(true_by_dialog), np.concatenate(generated_by_dialog)
    true_reference = _references(canvases, true_by_dialog)
    reference = true_reference if teacher_forced else _references(canvases, generated_by_dialog)

    found = {
        MODEL: detector.detect(pictures),
        UPPER: detector.detect(truth),
        LOWER: detector.detect(true_reference),
    }
    allowed = rearrange(changed_region(_signed(true_reference), _signed(truth)), "n 1 h w -> n h w").numpy()
    unchanged = {
        MODEL: preservation(reference, pictures, allowed),
        UPPER: preservation(true_reference, truth, allowed),
        LOWER: np.zeros(len(truth)),
    }
    tables = {
        (row, DETECTOR): picture_figures(found[UPPER], found[row]) | {"preservation": unchanged[row]}
        for row in found
    }
    if all(turn.objects is not None for dialog in dialogs for turn in dialog.turns):
        labels = _annotation(dialogs, detector)
        tables |= {
            (row, ANNOTATION): picture_figures(labels, nearest_depth(found[row]))
            | {"preservation": unchanged[row]}
            for row in found
        }
    return tables


def picture_figures(truth: Detections, found: Detections) -> Table:
    """Precision, recall, F1 and RSIM of each picture, per cent."""
    precision, recall, f1 = precision_recall_f1(truth.present, found.present)
    rsim = [
        relational_similarity(*arrays)
        for arrays in zip(truth.present, found.present, truth.coordinates, found.coordinates, strict=True)
    ]
    return {
        "precision": 100 * precision,
        "recall": 100 * recall,
        "f1": 100 * f1,
        "rsim": 100 * np.array(rsim),
    }


def summarise(table: Table, index: PictureIndex, seed: int) -> dict:
    """The means with their intervals, and the means by turn."""
    everywhere = np.ones_like(index.last)

    def mean(name: str, over: Bool[np.ndarray, " N"]) -> dict[str, float]:
        low, high = bootstrap_interval(table[name][over], index.dialog[over], seed)
        return {
            "value": round(table[name][over].mean().item(), 3),
            "low": round(low, 3),
            "high": round(high, 3),
        }

    def by_turn(name: str) -> list[float]:
        return [round(table[name][index.turn == t].mean().item(), 3) for t in range(index.turn.max() + 1)]

    return {
        "ap": mean("precision", everywhere),
        "ar": mean("recall", everywhere),
        "f1": mean("f1", everywhere),
        "rsim": mean("rsim", index.last),
        "preservation": mean("preservation", everywhere),
        "f1_by_turn": by_turn("f1"),
        "rsim_by_turn": by_turn("rsim"),
        "preservation_by_turn": by_turn("preservation"),
    }


def nearest_depth(found: Detections) -> Detections:
    """Rounds depths to the nearest annotated level. Two objects with the same annotated level have a depth
    difference of 0, which two unrounded predictions never have."""
    coordinates = found.coordinates.copy()
    coordinates[..., 2:] = np.round(coordinates[..., 2:] * DEPTH_LEVELS) / DEPTH_LEVELS
    return Detections(found.present, coordinates)


def no_op_dialogs(dialogs: Sequence[Dialog]) -> list[Dialog]:
    """Dialogs that start with each dialog's last true picture and have `NO_OP_PHRASES` as instructions."""
    return [
        Dialog(
            id=dialog.id,
            split=dialog.split,
            canvas=last.picture,
            turns=tuple(Turn(phrase, last.picture, last.objects) for phrase in NO_OP_PHRASES),
        )
        for dialog in dialogs
        for last in [dialog.turns[-1]]
    ]


def evaluate_no_op(dialogs: Sequence[Dialog], generated: Sequence[Pictures], detector: Detector) -> dict:
    """Measures how much the pictures of `no_op_dialogs` change although no change is asked for.

    Returns:
        {"phrases": [{"text", "change", "unchanged"}], "change", "unchanged", "f1", "dialogs"}. "change" is
        the mean absolute difference from the previous picture, in levels 0..255; "unchanged" the share, in
        [0, 1], of pictures equal to the previous one; both for each phrase and overall. "f1" compares the
        objects in the last and the first picture, in per cent.
    """
    changes, f1 = [], []
    for dialog, pictures in zip(dialogs, generated, strict=True):
        start = to_square(dialog.canvas.decode(), pictures.shape[1])[None]
        before = np.concatenate([start, pictures[:-1]])
        changes.append(preservation(before, pictures, np.zeros(pictures.shape[:3], bool)))
        ends = squares(np.concatenate([start, pictures[-1:]]), detector.config.image_size)
        first, last = detector.detect(ends).present
        f1.append(100 * precision_recall_f1(first[None], last[None])[2].item())
    change = np.stack(changes)  # (dialogs, phrases)
    unchanged = change == 0
    return {
        "phrases": [
            {
                "text": phrase,
                "change": round(change[:, k].mean().item(), 3),
                "unchanged": round(unchanged[:, k].mean().item(), 3),
            }
            for k, phrase in enumerate(NO_OP_PHRASES)
        ],
        "change": round(change.mean().item(), 3),
        "unchanged": round(unchanged.mean().item(), 3),
        "f1": round(float(np.mean(f1)), 3),
        "dialogs": len(dialogs),
    }


def true_pictures(dialog: Dialog, side: int) -> Pictures:
    """The true picture of every turn, resized to `side` x `side` pixels."""
    return np.stack([to_square(turn.picture.decode(), side) for turn in dialog.turns])


def squares(pictures: UInt8[np.ndarray, "T h w 3"], side: int) -> Pictures:
    """Pictures of any size, resized to `side` x `side` pixels; pictures of this size are unchanged."""
    return np.stack([to_square(picture, side) for picture in pictures])


def _signed(pictures: UInt8[np.ndarray, "N S S 3"]) -> Float[torch.Tensor, "N 3 S S"]:
    return to_input(rearrange(torch.from_numpy(pictures), "n h w c -> n c h w"))


def _references(canvases: Sequence[Pictures], pictures: Sequence[Pictures]) -> Pictures:
    return np.concatenate(
        [p for pair in zip(canvases, (q[:-1] for q in pictures), strict=True) for p in pair]
    )


def annotation(dialog: Dialog, detector: Detector) -> Detections:
    """The annotation of a dialog's pictures as the detector would say it. Every turn has objects.

    Raises:
        InputError: the detector does not know a class.
    """
    scenes = [turn.objects for turn in dialog.turns]
    config = detector.config
    return annotated(scenes, config.classes, detector.class_traits, config.coordinates, dialog.id)


def _annotation(dialogs: Sequence[Dialog], detector: Detector) -> Detections:
    truths = [annotation(dialog, detector) for dialog in dialogs]
    return Detections(
        np.concatenate([truth.present for truth in truths]),
        np.concatenate([truth.coordinates for truth in truths]),
    )
