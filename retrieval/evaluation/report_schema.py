"""The form of retrieval reports, which `report.read_report` checks. All but rows may have further keys."""

from __future__ import annotations

from typing import NotRequired

from typing_extensions import TypedDict

from cdd_icm.evaluation.report_schema import Count, Number

MedianRank = Number | None
"""None where no query has a ranked target."""

Group = TypedDict("Group", {"median rank": NotRequired[MedianRank]}, extra_items=Number)
"""Figures by name, such as R@1, of the queries of a part or with a tag."""

Row = TypedDict(
    "Row",
    {
        "headline": Number,
        "median rank": MedianRank,
        "parts": NotRequired[dict[str, Group]],
        "tags": NotRequired[dict[str, Group]],
    },
    extra_items=Number,
)

Rows = TypedDict("Rows", {"composed": Row, "image only": NotRequired[Row], "text only": NotRequired[Row]})

Protocol = TypedDict("Protocol", {"PARTIAL, left out": NotRequired[dict[str, Count]]})


class Model(TypedDict):
    parameters: Count


class Training(TypedDict):
    minutes: NotRequired[Number]


class Report(TypedDict):
    format: int
    name: str
    data: str
    protocol: Protocol
    rows: Rows
    model: Model
    training: Training | None
