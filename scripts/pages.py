"""Shared by the pages that are written from reports: reading reports, and Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from cdd_icm.errors import InputError
from cdd_icm.evaluation.report import COLUMNS, read_report
from cdd_icm.io import read_json
from cdd_icm.markdown import escaped
from cdd_icm.text import read_text

HEAD = "<!-- Written by `make results` from reports/; change a report, not this page. -->"

TITLES = {"iclevr": "i-CLEVR", "codraw": "CoDraw"}

SENTENCES = {
    "blocks": ("blocks", "Blocks (plan of edits)"),
    "iclevr": ("blocks", "i-CLEVR"),
    "codraw": ("clip_art", "CoDraw"),
}
"""By model, the file in data/plain_speech of its world, and its title."""

COMMANDS = {
    "ablation": "python scripts/run_ablation.py configs/generate/iclevr_64.yaml --samples 28000 --dialogs 60 "
    "training.mixed_precision=bf16 data.path=PATH/TO/iclevr",
    "bench_retrieval": "python scripts/bench_retrieval.py --model data/pretrained/retrieval_iclevr "
    "--report reports/bench_retrieval.json",
    "bench_sampling": "python scripts/bench_sampling.py --model data/pretrained/iclevr --data PATH/TO/iclevr "
    "--dialogs 8 --steps 2 4 8 --repeats 3",
    "bench_sampling_codraw": "python scripts/bench_sampling.py --model data/pretrained/codraw "
    "--data PATH/TO/codraw --dialogs 8 --schedulers --report reports/bench_sampling_codraw.json",
    "bench_server": "python scripts/bench_server.py",
    "bench_studio": "python scripts/bench_studio.py",
    "bench_train": "python scripts/bench_train.py configs/generate/iclevr.yaml training.batch_size=16 "
    "data.path=PATH/TO/iclevr --steps 8 --repeats 3",
    **{
        f"sentences_{name}": f"cdd-icm sentences data/plain_speech/{file}.jsonl "
        f"--model data/pretrained/{name} --report reports/sentences_{name}.json"
        for name, (file, _) in SENTENCES.items()
    },
    **{
        name: f"cdd-icm evaluate --model data/pretrained/{name} --data PATH/TO/{name} --split test "
        f"--report reports/{name}_test.json"
        for name in TITLES
    },
}
"""The command that makes each report, by the name of the report or of the data set."""


def evaluation(file: Path) -> dict[str, Any] | None:
    """A report of `cdd-icm evaluate`, or None where there is no such file."""
    return escaped(read_report(file)) if file.exists() else None


def benchmark(file: Path) -> dict[str, Any] | None:
    """A benchmark's report, or None where there is no such file.

    Raises:
        InputError: it is from a `--quick` run, whose figures are meaningless.
    """
    report = json_report(file)
    if report is not None and report.get("quick", True):
        raise InputError(f"{file}: quick is {report.get('quick')!r}; only a full run goes into the docs")
    return report


def json_report(file: Path) -> dict[str, Any] | None:
    """Any report, or None where there is no such file."""
    return escaped(read_json(file)) if file.exists() else None


def published(file: Path) -> dict[str, Any]:
    """The published figures by data set; reports/published.yaml describes its format at its top.

    Raises:
        InputError: the file can't be read, or a data set or a row lacks a field.
    """
    text = read_text(file)
    try:
        found = yaml.safe_load(text)
        for name in TITLES:
            found[name]["differs_in_test"], found[name]["differs_in_training"]
            for row in found[name]["rows"]:
                row["title"], row["system"], row["source"], *(float(row[column]) for column in COLUMNS)
    except (yaml.YAMLError, LookupError, TypeError, ValueError) as error:
        raise InputError(f"{file}: not the published figures ({error!r})") from error
    return found


def interval(figure: dict[str, float], sign: str = "") -> str:
    return f"{figure['value']:{sign}.2f} [{figure['low']:{sign}.2f}, {figure['high']:{sign}.2f}]"


def not_measured(what: str, command: str) -> str:
    return f"{what}: not measured yet; `{command}` does it."


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [heads, ["---"] * len(heads), *rows]
    return [f"| {' | '.join(cells)} |" for cells in lines]
