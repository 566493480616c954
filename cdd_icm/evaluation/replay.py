"""Replays sentences in plain speech on a model, and reports by kind how many came out right."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence, Set
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cdd_icm.data.picture import to_square
from cdd_icm.device import device_name, find_device
from cdd_icm.errors import InputError
from cdd_icm.evaluation import fingerprint
from cdd_icm.evaluation.detector import Detector, load_detector, name_of, shipped_detector_for
from cdd_icm.evaluation.report import package_versions
from cdd_icm.evaluation.sentences import NEAR, PARTS, STILL, Outcome, Sentence, judge, read_sentences, scenes
from cdd_icm.hashing import content_digest
from cdd_icm.io import check_writable, replacing, to_json
from cdd_icm.limits import read_local
from cdd_icm.markdown import escaped
from cdd_icm.progress import Progress
from cdd_icm.sampling.dialogs import without_progress_bar
from cdd_icm.sampling.loading import load_pipeline
from cdd_icm.sampling.pipeline import CDDICMPipeline
from cdd_icm.sampling.session import DrawingSession

FORMAT = 1
"""Of the JSON report."""


@dataclass(frozen=True)
class Case:
    """A sentence and what came of it; `reason` is empty where the outcome is "right"."""

    sentence: Sentence
    outcome: Outcome
    reason: str
    unchanged: bool
    """Whether the picture is the same to the pixel."""


def replay_sentences(
    file: Path,
    model: Path,
    report: Path,
    *,
    detector: Path | None = None,
    seed: int = 0,
    device: str = "auto",
    dtype: str = "auto",
) -> dict[str, Any]:
    """Replays the sentences of a file on a pipeline folder, writes `report` (.json) and returns it.

    Each sentence is said in a `DrawingSession` of its own, after its earlier instructions, with the model's
    own settings: `cdd-icm generate` with the same words and seed draws the same pictures.

    Args:
        file: sentences, as `sentences.read_sentences` takes them.
        detector: the folder of a detector; None for the shipped one that knows the classes in `file`.
        device, dtype: as in `load_pipeline`.

    Raises:
        InputError: the sentences, model or detector can't be used, or the report can't be written.
    """
    check_writable(report)
    sentences = read_sentences(file)
    named = {name for sentence in sentences for name in sentence.classes()}
    detector_folder = detector or shipped_detector_for(named)
    detector_model = load_detector(detector_folder).to(find_device(device))
    names = names_for(detector_model, named)
    if unknown := named.difference(names):
        raise InputError(
            f"{file}: expect: the detector {detector_folder} does not know the class {min(unknown)!r}"
        )
    pipeline = load_pipeline(model, device, dtype)
    started = time.monotonic()
    cases = replay(pipeline, sentences, detector_model, names, seed)
    result = {
        "format": FORMAT,
        "sentences": {"name": file.name, "fingerprint": content_digest(read_local(file))},
        "model": {"name": model.resolve().name, "fingerprint": fingerprint.of_folder(model)},
        "detector": {
            "name": detector_folder.resolve().name,
            "fingerprint": fingerprint.of_folder(detector_folder),
        },
        "code": fingerprint.of_code(),
        "seed": seed,
        "thresholds": {"still": STILL, "near": NEAR, "parts": {k: _bounds(v) for k, v in PARTS.items()}},
        "kinds": by_kind(cases),
        "nothing_asked": nothing_asked(cases),
        "cases": [
            {
                **asdict(case.sentence),
                "outcome": case.outcome,
                "reason": case.reason,
                "unchanged": case.unchanged,
            }
            for case in cases
        ],
        "versions": package_versions(),
        "device": device_name(pipeline.device),
        "dtype": str(pipeline.dtype).removeprefix("torch."),
        "seconds": round(time.monotonic() - started, 1),
    }
    with replacing(report) as path:
        path.write_text(to_json(result, indent=1) + "\n", encoding="utf-8")
    return result


def names_for(detector: Detector, named: Set[str]) -> list[str]:
    """What the objects of each of the detector's classes are called in sentences that speak of the classes
    `named`: as the class, "small blue cube", or where none of these has traits, "blue cube"."""
    classes = detector.config.classes
    if named.isdisjoint(classes):
        return [name_of(each, detector.class_traits) for each in classes]
    return [*classes]


def replay(
    pipeline: CDDICMPipeline,
    sentences: Sequence[Sentence],
    detector: Detector,
    names: Sequence[str],
    seed: int = 0,
) -> list[Case]:
    """What comes of each sentence, judged by what the detector finds before and after it.

    Args:
        names: what the objects of each of the detector's classes are called.

    Raises:
        InputError: the pipeline has no canvas to begin with.
    """
    side, cases = detector.config.image_size, []
    with without_progress_bar(pipeline), Progress(sentences, desc="replaying", unit="sentences") as bar:
        for sentence in bar:
            pictures = draw(pipeline, sentence, seed)
            found = detector.detect(np.stack([to_square(picture, side) for picture in pictures]))
            unchanged = bool((pictures[0] == pictures[1]).all())
            outcome, reason = judge(sentence, *scenes(found, names), unchanged)
            cases.append(Case(sentence, outcome, reason, unchanged))
    return cases


def draw(pipeline: CDDICMPipeline, sentence: Sentence, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """The pictures before and after the sentence, uint8 (R, R, 3) RGB, R the model's image size."""
    session = DrawingSession(pipeline, seed=seed)
    for instruction in sentence.before:
        session.say(instruction)
    return np.asarray(session.picture), np.asarray(session.say(sentence.sentence))


def by_kind(cases: Sequence[Case]) -> list[dict[str, Any]]:
    """By kind of sentence, in the order of the cases, how many there are, how many of them are unusable, and
    how many are right."""
    counts = Counter((case.sentence.kind, case.outcome) for case in cases)
    return [
        {
            "kind": kind,
            "sentences": sum(counts[kind, outcome] for outcome in ("right", "wrong", "unusable")),
            "unusable": counts[kind, "unusable"],
            "right": counts[kind, "right"],
        }
        for kind in dict.fromkeys(case.sentence.kind for case in cases)
    ]


def nothing_asked(cases: Sequence[Case]) -> dict[str, int]:
    """How many sentences ask for nothing that the world has, and how many of them changed the picture
    nevertheless: the model says nothing of it."""
    asked = [case for case in cases if case.sentence.of("none")]
    return {"sentences": len(asked), "changed": sum(not case.unchanged for case in asked)}


def markdown(report: dict[str, Any]) -> str:
    """A report as a page: the table by kind, and what changed the picture though nothing was asked for."""
    report = escaped(report)
    return "\n".join(
        [
            f"# {report['model']['name']} on {report['sentences']['name']}",
            "",
            "| kind | sentences | unusable | right, per cent |",
            "|---|---|---|---|",
            *(f"| {' | '.join(row)} |" for row in rows(report)),
            "",
            summary(report),
        ]
    )


def rows(report: dict[str, Any]) -> list[list[str]]:
    """The cells of the table by kind, all kinds together last."""
    kinds = report["kinds"]
    total = {"kind": "all"} | {
        key: sum(each[key] for each in kinds) for key in ("sentences", "unusable", "right")
    }
    return [
        [each["kind"], str(each["sentences"]), str(each["unusable"]), _percent(each)]
        for each in (*kinds, total)
    ]


def summary(report: dict[str, Any]) -> str:
    """How the sentences were judged, in few words, and those that asked for nothing."""
    nothing = report["nothing_asked"]
    return (
        f"Per cent of the usable ones, seed {report['seed']}, judged by {report['detector']['name']}. Of "
        f"{nothing['sentences']} sentences that ask for nothing that this world has, {nothing['changed']} "
        "changed the picture silently."
    )


def _percent(counts: dict[str, Any]) -> str:
    usable = counts["sentences"] - counts["unusable"]
    return f"{100 * counts['right'] / usable:.0f}" if usable else "-"


def _bounds(part: tuple[int, float, float]) -> dict[str, Any]:
    axis, low, high = part
    return {"axis": "xy"[axis], "from": max(low, 0.0), "to": min(high, 1.0)}
