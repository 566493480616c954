"""The form of evaluation reports: what `report.read_report` checks. Further keys are allowed everywhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import (
    Annotated,
    Any,
    NotRequired,  # pydantic reads no other TypedDict before Python 3.12
)

from pydantic import AfterValidator, Field
from typing_extensions import TypedDict

Number = Annotated[float, Field(allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0)]


class Figure(TypedDict):
    value: Number
    low: Number
    high: Number


class Figures(TypedDict):
    ap: Figure
    ar: Figure
    f1: Figure
    rsim: Figure
    preservation: Figure
    f1_by_turn: list[Number]
    rsim_by_turn: list[Number]
    preservation_by_turn: list[Number]


class ByLabels(TypedDict):
    detector: Figures
    annotation: Figures | None


ByRow = TypedDict("ByRow", {"model": ByLabels, "true pictures": ByLabels, "copy the reference": ByLabels})


class DialogFigures(TypedDict):
    fingerprint: str
    precision: list[Number]
    recall: list[Number]
    f1: list[Number]
    rsim: list[Number]


def _same_turns(dialog: DialogFigures) -> DialogFigures:
    lengths = {len(dialog[name]) for name in ("precision", "recall", "f1", "rsim")}
    if len(lengths) > 1 or 0 in lengths:
        raise ValueError("has not the same number of turns in all figures, or none")
    return dialog


class Data(TypedDict):
    name: str
    split: str
    dialogs: Count
    pictures: Count


class Name(TypedDict):
    name: str
    fingerprint: NotRequired[str | None]


class Detector(TypedDict):
    name: str
    fingerprint: str


class Phrase(TypedDict):
    text: str
    unchanged: Number
    change: Number


class NoOp(TypedDict):
    dialogs: Count
    unchanged: Number
    change: Number
    f1: Number
    phrases: list[Phrase]


class Devices(TypedDict):
    drew: list[str]
    trained: str | None


class ReportOfFormat1(TypedDict):
    model: Name
    data: Data
    detector: Detector
    seed: int
    teacher_forced: bool
    preset: NotRequired[str | None]
    sampling: NotRequired[Mapping[str, Any] | None]
    fidelity: dict[str, Number]
    figures: ByRow
    pictures_by_turn: list[Count]
    dialogs: list[Annotated[DialogFigures, AfterValidator(_same_turns)]]


class Report(ReportOfFormat1):
    no_op: NoOp | None
    devices: Devices
