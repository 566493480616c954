"""Reports of evaluations, one JSON file a model, and tables of several reports."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from cdd_icm.config.values import form_fault
from cdd_icm.errors import InputError
from cdd_icm.evaluation.report import package_versions
from cdd_icm.io import read_json, replacing, to_json
from cdd_icm.markdown import escaped
from cdd_icm.sources import local_path
from cdd_icm.text import read_text
from retrieval.benchmarks import Benchmark
from retrieval.evaluation.measure import ROWS
from retrieval.evaluation.ranking import LEFT_OUT
from retrieval.evaluation.report_schema import Report
from retrieval.model import RetrievalModel

FORMAT = 1
"""Version of the report's format; others are refused."""
BEGIN, END = "<!-- table {} -->", "<!-- end of table {} -->"


def make_report(
    name: str, folder: Path, model: RetrievalModel, data: str, benchmark: Benchmark, measured: dict[str, Any]
) -> dict[str, Any]:
    """The figures of `measure` for the model in `folder`, with everything needed to reproduce them."""
    training = folder / "training.json"
    return {
        "format": FORMAT,
        "name": name,
        "data": data,
        **measured,
        "model": {
            "composer": model.composer_name,
            "fingerprint": model.fingerprint,
            "parameters": sum(p.numel() for p in model.parameters()),
            "image_size": model.image_size,
            "history": model.history,
            "speaker": model.speaker,
            "width": model.width,
        },
        "training": read_json(training) if training.is_file() else None,
        "gallery": sum(map(len, benchmark.galleries.values())),
        "packages": package_versions(),
    }


def write_report(path: Path, report: dict[str, Any]) -> None:
    """Raises InputError where the disk refuses."""
    with replacing(path) as unfinished:
        unfinished.write_text(to_json(report, indent=1) + "\n", encoding="utf-8")


def read_report(path: Path) -> dict[str, Any]:
    """Raises InputError if the file is missing, not such a report, or of another format."""
    report = read_json(local_path(path))
    if report.get("format", FORMAT) != FORMAT:
        raise InputError(f"{path}: format: {report['format']!r:.60} is not the report format {FORMAT}")
    if fault := form_fault(Report, report):
        raise InputError(f"{path}: not a report of `cdd-retrieval evaluate` ({fault})")
    return report


def compare(paths: Sequence[Path], alone: bool = False) -> str:
    """Markdown tables of several reports. The first has a line for each model, best headline first, with mean
    and standard deviation over its reports (the seeds), and the headline for the image alone and for the text
    alone. With `alone`, further lines have all figures for either alone. The second table, where queries have
    tags such as the turn, has headline and median rank by tag. Partial reports are marked in the head.

    Raises:
        InputError: no report, or reports of different data, protocols, or kinds of model under one name,
            which can't be compared.
    """
    reports = [escaped(read_report(path)) for path in paths]
    if not reports:
        raise InputError("no report to compare")
    for path, report in zip(paths, reports, strict=True):
        for key in ("data", "protocol"):
            if report[key] != reports[0][key]:
                raise InputError(f"{path}: its {key} differs from that of {paths[0]}")
        for row in reports[0]["rows"]:
            if _names(report, row) != _names(reports[0], row):
                raise InputError(f"{path}: rows.{row}: its figures are not those of {paths[0]}")
    by_name: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for path, report in zip(paths, reports, strict=True):
        same = by_name[report["name"]]
        if same and _kind(report) != _kind(same[0]):
            raise InputError(f"{path}: another kind of model than the other reports of {report['name']!r}")
        same.append(report)
    best_first = sorted(by_name.items(), key=lambda item: -_figure(item[1], "headline")[0])
    composed = reports[0]["rows"]["composed"]
    metrics = [name for name in composed if "@" in name]
    rows = [report["rows"]["composed"] for report in reports]
    # often it is one of the metrics; if it is a mean of several, as in CIRR, it gets its own column
    headline = next(
        (name for name in metrics if all(row[name] == row["headline"] for row in rows)), "headline"
    )
    columns = list(dict.fromkeys([*metrics, headline]))
    alone_rows = [row for row in ROWS[1:] if all(row in report["rows"] for report in reports)]
    partial = reports[0]["protocol"].get("PARTIAL, left out")
    mark = f", PARTIAL: {', '.join(f'{n} {of}' for of, n in partial.items())} left out" if partial else ""
    head = [f"model{mark}", *columns, "median rank", *(f"{headline}, {row}" for row in alone_rows)]
    head += ["weights (M)", "minutes", "runs"]
    lines = [head, ["---"] + ["--:"] * (len(head) - 1)]
    for name, some in best_first:
        trained = [report["training"] or {} for report in some]
        minutes = [training["minutes"] for training in trained if "minutes" in training]
        facts = [f"{some[0]['model']['parameters'] / 1e6:.2f}"]
        facts += [f"{mean(minutes):.1f}" if minutes else "", str(len(some))]
        alone_cells = [_cell(some, headline, row=row) for row in alone_rows]
        lines.append([name, *_cells(some, columns), *alone_cells, *facts])
        for row in alone_rows if alone else ():
            blank = [""] * (len(alone_cells) + 2)
            lines.append([f"{name}, {row}", *_cells(some, columns, row), *blank, str(len(some))])
    table = _markdown(lines)
    if left_out := composed.get(LEFT_OUT):
        table += f"\nIn {left_out} queries the target is the excluded reference: {LEFT_OUT}.\n"
    if tags := sorted(composed.get("tags", {}), key=_by_number):
        metric = headline if headline in metrics else metrics[0]
        head = [f"{metric} / median rank", *tags]
        lines = [head, ["---"] + ["--:"] * len(tags)]
        for name, some in best_first:
            cells = [
                f"{_cell(some, metric, tag=tag)} / {_cell(some, 'median rank', 1, tag=tag)}" for tag in tags
            ]
            lines.append([name, *cells])
        table += "\n" + _markdown(lines)
    return table


def _kind(report: dict[str, Any]) -> dict[str, Any]:
    """What the models of one name have in common, whatever their seeds."""
    return {key: value for key, value in report["model"].items() if key != "fingerprint"}


def fill(page: Path, name: str, table: str) -> None:
    """Inserts a table between the page's comments `<!-- table NAME -->` and `<!-- end of table NAME -->`.

    Raises:
        InputError: the page is missing, or has no such comments.
    """
    begin, end = BEGIN.format(name), END.format(name)
    text = read_text(page)
    before, found, rest = text.partition(begin)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise InputError(f"{page}: no place for the table, {begin} ... {end}")
    with replacing(page) as unfinished:
        unfinished.write_text(f"{before}{begin}\n{table}{end}{after}", encoding="utf-8")


def _names(report: dict[str, Any], row: str) -> dict[str, set[str]]:
    """The names of a row's figures, and of those of each tag."""
    figures = report["rows"].get(row, {})
    tags = {tag: set(some) for tag, some in figures.get("tags", {}).items()}
    return {"": figures.keys() - {LEFT_OUT}, **tags}


def _figure(
    reports: Sequence[dict], name: str, row: str = "composed", tag: str | None = None
) -> tuple[float | None, float | None]:
    """Mean and standard deviation of a figure over reports; None if a report has none."""
    rows = [report["rows"][row] for report in reports]
    values = [(figures if tag is None else figures["tags"][tag])[name] for figures in rows]
    if None in values:
        return None, None
    return mean(values), stdev(values) if len(values) > 1 else None


def _cell(
    reports: Sequence[dict], name: str, digits: int = 2, row: str = "composed", tag: str | None = None
) -> str:
    value, spread = _figure(reports, name, row, tag)
    if value is None:
        return "-"
    return f"{value:.{digits}f}" + ("" if spread is None else f" ± {spread:.{digits}f}")


def _by_number(tag: str) -> list[int | str]:
    """A sort key by which turn 10 comes after turn 9."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", tag)]


def _cells(reports: Sequence[dict], names: Sequence[str], row: str = "composed") -> list[str]:
    """The cells of these figures, then of the median rank."""
    return [*(_cell(reports, name, row=row) for name in names), _cell(reports, "median rank", 1, row)]


def _markdown(lines: Sequence[Sequence[str]]) -> str:
    return "".join("| " + " | ".join(cells) + " |\n" for cells in lines)
