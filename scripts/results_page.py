"""docs/results.md: our figures beside the published ones, by turn, and the ablation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pages import (
    COMMANDS,
    HEAD,
    SENTENCES,
    TITLES,
    evaluation,
    interval,
    json_report,
    not_measured,
    published,
    table,
)

from cdd_icm.errors import InputError
from cdd_icm.evaluation.protocol import ANNOTATION, DETECTOR, LOWER, MODEL, UPPER
from cdd_icm.evaluation.replay import rows, summary
from cdd_icm.evaluation.report import COLUMNS, no_op_lines, paired_difference, same_dialogs

Report = dict[str, Any]

PUBLISHED = "published.yaml"

OTHER_SETTINGS = ("fast", "100_steps")
"""Other settings with which the shipped models are tested, as in reports/iclevr_fast_test.json."""

CENTRED = {
    "iclevr": " The first object of a dialog is annotated in the middle, x = 0.5: no detected x has that "
    "sign, which takes some RSIM from everybody."
}
"""Remarks on the figures against the annotation."""

BEFORE_CODE_FINGERPRINTS = (
    " These reports are older than the ones above: places were the plain median, which may hide existing "
    "objects (see `decoding.median_score` for what is done now)."
)
"""For an ablation whose reports lack the fingerprint of the code that newer reports have."""

INTRODUCTION = (
    "Per cent; ours with 95 % bootstrap intervals over dialogs; free-running: every picture is drawn on the "
    "model's own one before. RSIM is of each dialog's last picture. The rows in italics are no models: *true "
    "pictures* is the most that the detector gives anybody, *copy the reference* answers every turn with the "
    "true picture of the turn before."
)


def results_page(reports: Path) -> str:
    """The page, from the reports in a folder."""
    lines = ["# Results", "", HEAD, "", INTRODUCTION]
    for name, theirs in published(reports / PUBLISHED).items():
        lines += ["", f"## {TITLES[name]}", "", *dataset(reports, name, theirs)]
    lines += ["", "## A stranger's sentences", "", *plain_speech(reports)]
    lines += ["", "## Ablation", "", *ablation(reports / "ablation")]
    return "\n".join(lines) + "\n"


def dataset(reports: Path, name: str, theirs: dict[str, Any]) -> list[str]:
    """One data set: the published figures beside ours, the differences in protocol, and ours by turn."""
    heads = ["system", *COLUMNS.values()]
    their_rows = [[row["title"], *(f"{row[column]:.2f}" for column in COLUMNS)] for row in theirs["rows"]]
    sources = " and ".join(dict.fromkeys(row["source"] for row in theirs["rows"]))
    file = reports / f"{name}_test.json"
    ours = evaluation(file)
    if ours is None:
        lines = table(heads, their_rows)
        return [*lines, "", f"Published: {sources}.", "", not_measured("Ours", COMMANDS[name])]
    others = with_other_settings(reports, name, (file, ours))
    rows = [
        *their_rows,
        figures_row("**CDD-ICM, ours**", ours, MODEL),
        *(figures_row(f"CDD-ICM, ours ({settings(other, ours)})", other, MODEL) for other in others.values()),
        figures_row(f"*{UPPER}*", ours, UPPER),
        figures_row(f"*{LOWER}*", ours, LOWER),
    ]
    data = ours["data"]
    lines = table(heads, rows)
    for path, other in others.items():
        lines += ["", settings_difference((file, ours), (path, other))]
    training = json_report(reports / f"{name}_training.json") or {}
    return [
        *lines,
        "",
        f"Published: {sources}. Ours: {amount(data)}, {data['pictures']} pictures of split {data['split']}, "
        f"seed {ours['seed']}; report: reports/{file.name}. {devices(ours, training)}",
        "",
        f"What differs in the test: {theirs['differs_in_test']}",
        "",
        f"What differs in training: {theirs['differs_in_training']}{synthetic_dialogs(training)}",
        *against_annotation(ours, CENTRED.get(name, "")),
        *by_turn(ours),
        "",
        *no_op(ours, COMMANDS[name]),
    ]


def with_other_settings(reports: Path, name: str, ours: tuple[Path, Report]) -> dict[Path, Report]:
    """The reports of the same model with `OTHER_SETTINGS`, by file.

    Raises:
        InputError: a report is of another model.
    """
    files = (reports / f"{name}_{kind}_test.json" for kind in OTHER_SETTINGS)
    found = {file: report for file in files if (report := evaluation(file)) is not None}
    for file, report in found.items():
        if report["model"]["fingerprint"] != ours[1]["model"]["fingerprint"]:
            raise InputError(f"{file}: of another model than {ours[0]}; evaluate again")
    return found


def figures_row(title: str, report: Report, row: str, labels: str = DETECTOR) -> list[str]:
    figures = report["figures"][row][labels]
    return [title, *(interval(figures[column]) for column in COLUMNS)]


def settings_difference(ours: tuple[Path, Report], other: tuple[Path, Report]) -> str:
    """The difference between other settings and the shipped ones, on the dialogs that both drew."""
    pairs = same_dialogs(ours, other)
    differences = ", ".join(
        f"{COLUMNS[column]} {interval(paired_difference(pairs, column), '+')}" for column in ("f1", "rsim")
    )
    return (
        f"Ours ({settings(other[1], ours[1])}) less ours as it ships, paired by dialog: {differences}; "
        f"report: reports/{other[0].name}."
    )


def settings(report: Report, ours: Report) -> str:
    """The settings of a report, and its number of dialogs where that differs from `ours`."""
    parts = [f"preset {report['preset']}"] if report["preset"] else []
    parts += [f"{key}={value}" for key, value in report["sampling"].items()]
    if report["data"]["dialogs"] != ours["data"]["dialogs"]:
        parts.append(amount(report["data"]))
    return ", ".join(parts) or "settings as they ship"


def amount(data: dict[str, Any]) -> str:
    """How many of the split's dialogs a report covers."""
    whole = f" of {data['of']:,}" if data.get("of", data["dialogs"]) != data["dialogs"] else ""
    return f"{data['dialogs']}{whole} dialogs"


def devices(ours: Report, training: dict[str, Any]) -> str:
    """The devices used for drawing and for training, as far as the reports name them."""
    drew, trained = ours["devices"]["drew"], training.get("device") or ours["devices"]["trained"]
    parts = [f"drawn on {' and '.join(drew)}"] if drew else []
    parts += [f"trained on {trained}"] if trained else []
    return sentence("; ".join(parts)) if parts else ""


def synthetic_dialogs(training: dict[str, Any]) -> str:
    """How much of the training was on synthetic dialogs."""
    turns = training.get("synthetic_turns")
    if not turns:
        return ""
    return (
        f" Beside the data it was taught with {turns / 1e6:.1f} million turns of imagined dialogs, written "
        "by the benchmark's own grammar about scenes laid out from the annotation."
    )


def sentence(text: str) -> str:
    text = text.strip().removesuffix(".")
    return f"{text[:1].upper()}{text[1:]}."


def against_annotation(ours: Report, remark: str) -> list[str]:
    """The table with the annotation as labels, where the report has it."""
    if ours["figures"][MODEL][ANNOTATION] is None:
        return []
    titles = {"CDD-ICM, ours": MODEL, f"*{UPPER}*": UPPER, f"*{LOWER}*": LOWER}
    rows = [figures_row(title, ours, row, ANNOTATION) for title, row in titles.items()]
    heading = "Against the annotation instead of what the detector sees in the true picture." + remark
    return ["", heading, "", *table(["", *COLUMNS.values()], rows)]


def by_turn(ours: Report) -> list[str]:
    figures, counts = ours["figures"][MODEL][DETECTOR], ours["pictures_by_turn"]
    rows = [["pictures", *map(str, counts)]]
    for name, title in (("f1", "F1"), ("rsim", "RSIM"), ("preservation", "kept")):
        rows.append([title, *(f"{value:.2f}" for value in figures[f"{name}_by_turn"])])
    return [
        "",
        "By turn (*kept*: mean absolute change outside what the true turn changes, of 255):",
        "",
        *table(["turn", *(str(turn) for turn in range(1, len(counts) + 1))], rows),
    ]


def no_op(ours: Report, command: str) -> list[str]:
    """How much phrases that ask for nothing change."""
    if ours["no_op"] is None:
        return [not_measured("What phrases change that ask for nothing", command)]
    return no_op_lines(ours["no_op"])


def plain_speech(reports: Path) -> list[str]:
    """What comes of sentences that are not in the words of the data sets, by kind."""
    lines = [
        "Sentences as people say them who do not know the data sets' grammar, each with the change that it "
        "asks for; training never saw them (data/plain_speech). Right is a picture in which exactly that "
        "change is seen."
    ]
    for name, (_, title) in SENTENCES.items():
        report = json_report(reports / f"sentences_{name}.json")
        if report is None:
            lines += ["", not_measured(title, COMMANDS[f"sentences_{name}"])]
            continue
        heads = [title, "sentences", "unusable", "right, per cent"]
        lines += ["", *table(heads, rows(report)), "", f"{summary(report)} Drawn on {report['device']}."]
        lines += ["", f"`{COMMANDS[f'sentences_{name}']}`"]
    return lines


def ablation(folder: Path) -> list[str]:
    """A row for each report, in the order that the reports list, and the range over the full model's seeds.

    Raises:
        InputError: the reports are of ablations with different budgets.
    """
    found = [report for file in sorted(folder.glob("*.json")) if (report := evaluation(file)) is not None]
    if not found:
        return [not_measured("The ablation", COMMANDS["ablation"])]
    stated = found[0]["ablation"]
    for report in found[1:]:
        for key in ("samples", "base", "dialogs", "split", "rows"):
            if report["ablation"][key] != stated[key]:
                raise InputError(f"{folder}: {key}: not the same in all reports; they can't be compared")
    rows = {report["ablation"]["row"]: report for report in found}
    present = [rows[name] for name in stated["rows"] if name in rows]
    lines = [
        f"Every model trained on {stated['samples']} turns ({stated['base']}), drawing the first "
        f"{stated['dialogs']} dialogs of split {stated['split']}. Each row is the full model with the one "
        "change that it names; what lies within the spread of the full model's seeds means nothing."
        + ("" if "code" in found[0] else BEFORE_CODE_FINGERPRINTS),
        "",
        *table(["model", "change", *COLUMNS.values(), "F1, last turn"], list(map(ablation_row, present))),
        *spread([report for report in present if report["ablation"]["row"].startswith("full-")]),
    ]
    if absent := [name for name in stated["rows"] if name not in rows]:
        lines += ["", not_measured(f"Rows not done yet ({', '.join(absent)})", COMMANDS["ablation"])]
    return lines


def ablation_row(report: Report) -> list[str]:
    figures, stated = report["figures"][MODEL][DETECTOR], report["ablation"]
    changes = ", ".join(f"{key}={value}" for key, value in stated["overrides"].items())
    return [
        stated["title"],
        f"`{changes}`" if changes else "",
        *(interval(figures[column]) for column in COLUMNS),
        f"{figures['f1_by_turn'][-1]:.2f}",
    ]


def spread(full: list[Report]) -> list[str]:
    """The range of each figure over the seeds of the full model."""
    if len(full) < 2:
        return []
    parts = []
    for column, title in COLUMNS.items():
        values = [report["figures"][MODEL][DETECTOR][column]["value"] for report in full]
        parts.append(f"{title} {max(values) - min(values):.2f}")
    return [
        "",
        f"Between the {len(full)} seeds of the full model, largest less smallest: {', '.join(parts)}.",
    ]
