"""Evaluation reports: JSON, a Markdown table, a plot by turn and film strips; and their comparison."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from cdd_icm.config.values import form_fault
from cdd_icm.data import Dialog, to_square
from cdd_icm.errors import InputError
from cdd_icm.evaluation.metrics import bootstrap_interval
from cdd_icm.evaluation.protocol import ANNOTATION, DETECTOR, LOWER, MODEL, UPPER, Pictures, true_pictures
from cdd_icm.evaluation.report_schema import Report, ReportOfFormat1
from cdd_icm.filmstrip import filmstrip, stack
from cdd_icm.io import read_json, replacing, to_json
from cdd_icm.markdown import escaped
from cdd_icm.sources import local_path

FORMAT = 2
"""Version of the JSON report; `read_report` also accepts format 1."""

FINGERPRINTS_OF_FORMAT_1 = {
    "daf283605aa56b3e": "b9e44696f4fe7e88",  # detector_iclevr
    "7ce3035b23280975": "2c88df604368bc9d",  # detector_codraw
    "cab45e7977f14cf5": "0dde733868b9aa11",  # iclevr
    "cf1b23bcb97196d4": "37f1a4d851209977",  # codraw
}
"""Fingerprints of the shipped detectors and models, as reports of format 1 have them, and as they are now.
The models' tensors are the same; the templates have moved from the UNet's file to the plan's."""

PACKAGES = (
    "torch",
    "diffusers",
    "open_clip_torch",
    "accelerate",
    "torch-fidelity",
    "numpy",
    "pillow",
)
COLUMNS = {"ap": "AP", "ar": "AR", "f1": "F1", "rsim": "RSIM"}


def package_versions() -> dict[str, str]:
    """The versions of Python and of `PACKAGES`."""
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "absent"
    return versions


def write_report(path: Path, report: dict) -> None:
    """Writes the JSON file `path`, and the same name with .md and .png. The JSON is written last, so that the
    others exist if it does.

    Raises:
        InputError: a file can't be written; the message names it.
    """
    with replacing(path.with_suffix(".md")) as file:
        file.write_text(markdown(report), encoding="utf-8")
    with replacing(path.with_suffix(".png")) as file:
        plot_by_turn(report).savefig(file, dpi=110)
    with replacing(path) as file:
        file.write_text(to_json(report, indent=1) + "\n", encoding="utf-8")


def read_report(path: Path) -> dict:
    """The report in `path`, converted to the current format.

    For reports of format 1, "no_op" is None and "devices" is empty.

    Raises:
        InputError: the file is missing, not a report, or of an unknown format.
    """
    report = read_json(local_path(path))
    form = _form(report.get("format"))
    if form is None and "format" in report:
        raise InputError(f"{path}: format: {report['format']!r:.60} is not the report format {FORMAT}")
    if fault := form_fault(form or Report, report):
        raise InputError(f"{path}: not a report of cdd-icm evaluate ({fault})")
    return report if form is Report else _from_format_1(report)


def _form(format: object) -> type | None:
    """The form of reports of this format, or None for an unknown one."""
    if isinstance(format, int) and not isinstance(format, bool):
        return {1: ReportOfFormat1, FORMAT: Report}.get(format)
    return None


def _from_format_1(report: dict) -> dict:
    """Converts a report of format 1 to format 2.

    Its no-op figures are dropped, because their phrase is used in training. It does not name the GPU models.
    """
    parts = {name: dict(report[name]) for name in ("detector", "model")}
    for part in parts.values():
        former = part.get("fingerprint")  # pictures without a model have none
        part["fingerprint"] = FINGERPRINTS_OF_FORMAT_1.get(former, former)
    return {**report, **parts, "format": FORMAT, "no_op": None, "devices": {"drew": [], "trained": None}}


def markdown(report: dict) -> str:
    """The report as a Markdown page."""
    report = escaped(report)
    data = report["data"]
    mode = "each turn on the true reference" if report["teacher_forced"] else "free-running"
    lines = [
        f"# {report['model']['name']} on {data['name']}, split {data['split']}",
        "",
        f"{data['dialogs']} dialogs, {data['pictures']} pictures, {mode}, seed {report['seed']}. Per cent, "
        "with 95 % bootstrap intervals over dialogs; RSIM on each dialog's last picture; kept: mean absolute "
        "change, in levels 0..255, outside the region that the true target changes.",
        "",
        "| pictures | labels from | AP | AR | F1 | RSIM | kept |",
        "|---|---|---|---|---|---|---|",
    ]
    for labels in (DETECTOR, ANNOTATION):
        for row in (UPPER, MODEL, LOWER):
            figures = report["figures"][row][labels]
            if figures is not None:
                cells = [_with_interval(figures[name]) for name in (*COLUMNS, "preservation")]
                lines.append(f"| {row} | {labels} | {' | '.join(cells)} |")
    model = report["figures"][MODEL][DETECTOR]
    turns = range(1, len(report["pictures_by_turn"]) + 1)
    lines += ["", f"| turn | {' | '.join(map(str, turns))} |", "|---" * (len(turns) + 1) + "|"]
    lines.append(f"| pictures | {' | '.join(map(str, report['pictures_by_turn']))} |")
    for name, title in (("f1", "F1"), ("rsim", "RSIM"), ("preservation", "kept")):
        lines.append(f"| {title} | {' | '.join(f'{value:.2f}' for value in model[f'{name}_by_turn'])} |")
    if "edits" in report:
        lines += ["", *edit_lines(report["edits"])]
    distances = ", ".join(f"{name} {value:.4g}" for name, value in report["fidelity"].items())
    lines += ["", f"Distances to the true pictures: {distances}.", "", devices(report)]
    if report["no_op"] is not None:
        lines += ["", *no_op_lines(report["no_op"])]
    return "\n".join(lines) + "\n"


def devices(report: dict) -> str:
    """A sentence that names the devices of drawing and training."""
    drew, trained = report["devices"]["drew"], report["devices"]["trained"]
    return (
        f"Drawn on {' and '.join(drew) or 'a device that the report does not name'}; trained on "
        f"{trained or 'a device that the model does not name'}."
    )


def edit_lines(edits: dict) -> list[str]:
    """The result of `evaluate_edits` as a paragraph and a table."""
    text = (
        "Edits: success is the per cent of the turns after which the detector sees the asked change and no "
        "other, true pictures the success that the true ones have; unusable, counted as failures, are the "
        "turns that began with a picture that lacked what they speak of, or had what they add."
    )
    if edits["wordings_of"]:
        text += f" A held-out wording has a word that no training text of {edits['wordings_of']} has."
    heads = ("turns", "number", "success", "unusable", "true pictures", "kept")
    lines = [text, "", f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for row in edits["rows"]:
        figures = ["-"] * 3
        if row["count"]:
            figures = [_with_interval(row["success"]), f"{row['true_pictures']['value']:.2f}"]
            figures.append(_with_interval(row["kept"]))
        cells = [row["turns"], str(row["count"]), figures[0], str(row["unusable"]), *figures[1:]]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def no_op_lines(no_op: dict) -> list[str]:
    """The result of `evaluate_no_op` as a paragraph and a table by phrase."""
    phrases = no_op["phrases"]
    lines = [
        f"{len(phrases)} phrases that ask for nothing and that training never saw, one after the other on "
        f"{no_op['dialogs']} dialogs: {100 * no_op['unchanged']:.1f} % left the picture as it was, to the "
        f"pixel; the mean change by a phrase is {no_op['change']:.2f} levels of 255; F1 of the last picture "
        f"against the first is {no_op['f1']:.2f}. A model with a plan returns its reference by construction "
        "where the plan is empty: this counts how often such a phrase is taken for a request.",
        "",
        "| phrase | left unchanged, per cent | mean change |",
        "|---|---|---|",
    ]
    return lines + [
        f"| {each['text']} | {100 * each['unchanged']:.1f} | {each['change']:.2f} |" for each in phrases
    ]


def plot_by_turn(report: dict) -> Figure:
    """F1 and RSIM by turn."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    turns = range(1, len(report["pictures_by_turn"]) + 1)
    for axes, name in zip(figure.subplots(1, 2), ("f1", "rsim"), strict=True):
        for row, style in ((UPPER, "k:"), (MODEL, "o-"), (LOWER, "k--")):
            axes.plot(turns, report["figures"][row][DETECTOR][f"{name}_by_turn"], style, label=row)
        axes.set(xlabel="turn", ylabel=f"{COLUMNS[name]} (per cent)", ylim=(0, 102), xticks=turns)
        axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    return figure


def worst_dialogs(report: dict, count: int = 10) -> list[int]:
    """Indices of the `count` dialogs with the lowest mean F1; ties are broken by the last turn's RSIM."""
    rows = report["dialogs"]
    return sorted(range(len(rows)), key=lambda i: (np.mean(rows[i]["f1"]), rows[i]["rsim"][-1]))[:count]


def write_worst(folder: Path, report: dict, dialogs: Sequence[Dialog], generated: Sequence[Pictures]) -> None:
    """Writes a film strip of each of the worst dialogs, with the generated pictures above the true ones."""
    folder.mkdir(parents=True, exist_ok=True)
    for rank, number in enumerate(worst_dialogs(report), 1):
        dialog, pictures = dialogs[number], generated[number]
        side = pictures.shape[1]
        canvas = to_square(dialog.canvas.decode(), side)
        scores = [f"generated: F1 {value:.0f}" for value in report["dialogs"][number]["f1"]]
        strips = [
            filmstrip([canvas, *pictures], [dialog.id, *scores]),
            filmstrip(
                [canvas, *true_pictures(dialog, side)], ["true", *(t.instruction for t in dialog.turns)]
            ),
        ]
        with replacing(folder / f"{rank:02}.png") as file:
            stack(strips).save(file)


def compare(paths: Sequence[Path]) -> str:
    """A Markdown table of the reports' figures, data and settings, and one of the differences from the first
    report on common dialogs, with paired bootstrap intervals.

    Raises:
        InputError: the reports have different detectors, or no dialog in common.
    """
    reports = [(path, escaped(read_report(path))) for path in paths]
    (first, base), *others = reports
    heads = ["report", "generated", *COLUMNS.values(), "kept"]
    table = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for path, report in reports:
        figures = report["figures"][MODEL][DETECTOR]
        cells = [_with_interval(figures[name]) for name in (*COLUMNS, "preservation")]
        table.append(f"| {escaped(path.stem)} | {_settings(report)} | {' | '.join(cells)} |")
    if not others:
        return "\n".join(table) + "\n"
    table += ["", f"| minus {escaped(first.stem)} | dialogs | {' | '.join(COLUMNS.values())} |"]
    table.append("|---" * (len(COLUMNS) + 2) + "|")
    for path, report in others:
        pairs = same_dialogs((first, base), (path, report))
        cells = [_with_interval(paired_difference(pairs, name), sign="+") for name in COLUMNS]
        table.append(f"| {escaped(path.stem)} | {len(pairs)} | {' | '.join(cells)} |")
    return "\n".join(table) + "\n"


def same_dialogs(first: tuple[Path, dict], second: tuple[Path, dict]) -> list[tuple[dict, dict]]:
    """The figures by turn of the dialogs that two reports, given with their files, have in common.

    Raises:
        InputError: the reports have different detectors, or no dialog in common.
    """
    (base_file, base), (file, report) = first, second
    detectors = [each["detector"]["fingerprint"] for each in (report, base)]
    if detectors[0] != detectors[1]:
        raise InputError(
            f"{file}: detector {detectors[0]} is not that of {base_file}, {detectors[1]}: their figures "
            "can't be compared"
        )
    known = {dialog["fingerprint"]: dialog for dialog in base["dialogs"]}
    pairs = [(known[d["fingerprint"]], d) for d in report["dialogs"] if d["fingerprint"] in known]
    if not pairs:
        raise InputError(f"{file}: no dialog in common with {base_file}")
    return pairs


def paired_difference(pairs: Sequence[tuple[dict, dict]], name: str) -> dict[str, float]:
    """The mean of second - first over the pictures of paired dialogs, with its bootstrap interval."""
    field = {"ap": "precision", "ar": "recall"}.get(name, name)
    last = slice(-1, None) if name == "rsim" else slice(None)
    differences = [np.subtract(second[field][last], first[field][last]) for first, second in pairs]
    dialogs = np.repeat(np.arange(len(pairs)), [len(part) for part in differences])
    values = np.concatenate(differences)
    low, high = bootstrap_interval(values, dialogs)
    return {"value": float(values.mean()), "low": low, "high": high}


def _settings(report: dict) -> str:
    """A description of the report's data and settings."""
    data, settings = report["data"], dict(report.get("sampling") or {})
    if report.get("preset"):
        settings = {"preset": report["preset"], **settings}
    parts = [f"{data['dialogs']} dialogs of {data['name']} {data['split']}", f"seed {report['seed']}"]
    parts += [f"{name}={value}" for name, value in settings.items()]
    return ", ".join([*parts, "on true references"] if report["teacher_forced"] else parts)


def _with_interval(figure: dict[str, float], sign: str = "") -> str:
    return f"{figure['value']:{sign}.2f} [{figure['low']:{sign}.2f}, {figure['high']:{sign}.2f}]"
