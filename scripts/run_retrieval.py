"""Trains and evaluates every retrieval model with every seed, and writes the table in docs/retrieval.md.

    python scripts/run_retrieval.py iclevr PATH/TO/iclevr
    python scripts/run_retrieval.py codraw PATH/TO/codraw --models fusion sum --seeds 0

The same command resumes when stopped: models with a report are skipped, an unfinished run resumes exactly.
Reports are written to reports/retrieval/<data>_<model>_<seed>.json. All models share the config's towers,
data, samples and seeds, except that the Combiner starts from the run of `sum` and so has twice the budget.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from cdd_icm.cli import seed_number
from cdd_icm.console import say

MODELS = {
    "sum": ["composer=sum"],
    "fusion": ["composer=fusion"],
    "tirg": ["composer=tirg"],
    "combiner": ["composer=combiner", "encoder.trainable_blocks=0"],
    "text": ["composer=text"],
    "image": ["composer=image", "objective.reference_negatives=false"],  # its query is the reference
    "matching": ["composer=matching"],
    "drawn": [],
    "drawn-fusion": ["composer=fusion"],
    "sum-places": ["composer=patch-projection", "options.composer=sum"],
    "tirg-places": ["composer=patch-projection", "options.composer=tirg"],
    "sum-vectors": ["composer=multi-vector", "options.composer=sum"],
    "fusion-vectors": ["composer=multi-vector", "options.composer=fusion"],
    "sum-place-vectors": ["composer=multi-vector", "options.composer=sum", "options.vectors=null"],
    "fusion-place-vectors": ["composer=multi-vector", "options.composer=fusion", "options.vectors=null"],
    "finecir": ["composer=finecir"],
    "finecir-learnt": ["composer=finecir", "options.tokens=learnt"],
}
"""The table's rows, each with its config overrides; rows from which others start come first. `drawn` is the
generator of <data>_joint.yaml without further training; `-places` are baselines that use patch tokens as
fusion does; `-vectors` have several learnt vectors a picture, `-place-vectors` one for each patch token."""

STARTS_FROM = {"combiner": "sum", "drawn-fusion": "drawn"}
"""Rows whose training starts from the weights of another row."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", choices=("iclevr", "codraw"))
    parser.add_argument("path", type=Path)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--seeds", nargs="+", type=seed_number, default=(0, 1, 2))
    parser.add_argument("--runs", type=Path, default=Path("runs/retrieval"))
    parser.add_argument("--reports", type=Path, default=Path("reports/retrieval"))
    parser.add_argument("--split", default="test")
    parser.add_argument("--page", type=Path, default=Path("docs/retrieval.md"))
    parser.add_argument("--override", nargs="*", default=(), metavar="key=value", help="of the configs")
    a = parser.parse_args()

    for seed in a.seeds:  # outermost, so that all models can be compared before all seeds are done
        for model in a.models:
            report = a.reports / f"{a.data}_{model}_{seed}.json"
            if report.exists():
                continue
            for command in training(a, model, seed):
                run(command)
            run(
                ["retrieval.cli", "evaluate", "--model", folder(a, model, seed), "--data", a.path]
                + ["--split", a.split, "--name", model, "--report", report]
            )
    reports = sorted(a.reports.glob(f"{a.data}_*.json"))
    run(["retrieval.cli", "compare", *reports, "--into", a.page, a.data])


def training(a: argparse.Namespace, model: str, seed: int) -> Iterator[Sequence[str | Path]]:
    """The commands that train the model; those of finished runs do nothing."""
    root, config = a.runs / f"{a.data}_{model}_{seed}", Path("configs/retrieve") / a.data
    settings = [f"data.path={a.path}", f"seed={seed}", f"output_dir={root}", *a.override]
    if model in STARTS_FROM:
        yield from training(a, STARTS_FROM[model], seed)
        settings.append(f"init={folder(a, STARTS_FROM[model], seed)}")
    if model == "drawn":
        yield ["cdd_icm", "train", f"{config}_joint.yaml", *settings]
        return
    settings += MODELS[model]
    yield ["retrieval.cli", "train", f"{config}.yaml", *settings]


def folder(a: argparse.Namespace, model: str, seed: int) -> Path:
    return a.runs / f"{a.data}_{model}_{seed}" / ("pipeline" if model == "drawn" else "model")


def run(command: Sequence[str | Path]) -> None:
    say("+", *command, flush=True)
    subprocess.run([sys.executable, "-m", *map(str, command)], check=True)


if __name__ == "__main__":
    main()
