"""Runs the ablation: every row is the full model with one change, trained on the same number of samples.

    python scripts/run_ablation.py configs/generate/iclevr_64.yaml --samples 28000 --dialogs 60 data.path=DATA

Rows that change only the sampling share the full model's training run. Each finished row has a report in
reports/ablation and is not repeated: the same command resumes a stopped ablation, also within a training run.
`--dry-run` lists the rows.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cdd_icm.cli import positive
from cdd_icm.config import Config, differing_keys, from_dict, load_config, to_dict
from cdd_icm.console import print_error, printable, say
from cdd_icm.errors import InputError
from cdd_icm.evaluation import evaluate_model
from cdd_icm.io import read_json, replacing
from cdd_icm.progress import Progress
from cdd_icm.train.generator import train

SEEDS = 3
"""Runs of the full model, whose spread shows which differences are significant."""

REPORTS = Path("reports/ablation")
RUNS = Path("runs/ablation")


@dataclass(frozen=True)
class Row:
    """The full model with `overrides`, config keys such as "encoder.history" and their values."""

    name: str
    title: str
    overrides: dict[str, Any]

    @property
    def sampling(self) -> dict[str, Any]:
        """The sampling settings among the overrides."""
        return {k.partition(".")[2]: v for k, v in self.overrides.items() if k.startswith("sampling.")}

    @property
    def run(self) -> str:
        """The training run whose model the row samples from."""
        return "full-1" if len(self.sampling) == len(self.overrides) else self.name


@dataclass(frozen=True)
class Switch:
    """A component of the full model. Its row is the model without it, or with it if the config leaves it
    out."""

    name: str
    title: str
    off: dict[str, Any]
    on: dict[str, Any]

    def row(self, config: Config) -> Row:
        key, value = next(iter(self.off.items()))  # the first key shows whether the config has it
        if _get(config, key) == value:
            return Row(f"with-{self.name}", f"with {self.title}", self.on)
        changed = {k: value for k, value in self.off.items() if _get(config, k) != value}
        return Row(f"without-{self.name}", f"without {self.title}", changed)


SWITCHES = (
    Switch(
        "icm-objective",
        "the ICM objective",
        # without it there is no matcher for guidance or candidates
        {"objective.icm_weight": 0.0, "sampling.icm_guidance_scale": 0.0, "sampling.num_candidates": 1},
        {"objective.icm_weight": 0.1},
    ),
    Switch(
        "icm-guidance",
        "ICM guidance",
        {"sampling.icm_guidance_scale": 0.0},
        {"sampling.icm_guidance_scale": 1.0},
    ),
    Switch(
        "classifier-free-guidance",
        "classifier-free guidance",
        {"sampling.guidance_scale": 1.0, "sampling.image_guidance_scale": 1.0},
        {"sampling.guidance_scale": 2.0},
    ),
    Switch("gated-fusion", "gated fusion", {"without": ["gated-fusion"]}, {"without": []}),
    Switch(
        "reference-pixels",
        "reference pixels, nor the mask through which they show",
        {"without": ["reference-pixels"]},
        {"without": []},
    ),
    Switch(
        "cross-attention",
        "cross-attention tokens",
        {"without": ["cross-attention"]},
        {"without": []},
    ),
    Switch("history", "history", {"encoder.history": 0}, {"encoder.history": 1}),
    Switch(
        "plan",
        "a plan (the words are taught by L_CDD instead)",
        {
            "plan": {"kind": "none"},
            "objective.cdd_trains_fusion": True,
        },
        {"plan": {"kind": "annotated", "grid": 16}},
    ),
)

CANDIDATES = (1, 4)


def rows(config: Config) -> list[Row]:
    """The rows of the ablation of a config, which is the full model."""
    found = [
        Row(f"full-{number}", f"full, seed {seed}", {"seed": seed} if number > 1 else {})
        for number, seed in enumerate(range(config.seed, config.seed + SEEDS), 1)
    ]
    found += [switch.row(config) for switch in SWITCHES]
    found += [
        Row(f"candidates-{n}", f"{n} candidate{'s' * (n > 1)}", {"sampling.num_candidates": n})
        for n in CANDIDATES
        if n != config.sampling.num_candidates
    ]
    return found


@dataclass(frozen=True)
class Budget:
    """What all rows share."""

    config: Path
    samples: int
    """Samples of training (`training.total_samples`)."""
    split: str
    dialogs: int
    """How many dialogs are drawn, free-running, from the first of the split."""
    overrides: tuple[str, ...] = ()
    """Config overrides of the command line, for all rows."""


class Ablation:
    """Trains and evaluates the rows of `budget`; reports go to `reports`, training runs and pictures to
    `runs`."""

    def __init__(self, budget: Budget, reports: Path = REPORTS, runs: Path = RUNS):
        self.budget, self.reports, self.runs = budget, reports, runs
        self.rows = rows(self.config())
        self.models: dict[str, Path] = {}

    def config(self, row: Row | None = None) -> Config:
        """The config of a row's training run; None for the full model's."""
        run = row.run if row else "full-1"
        changed = {} if run == "full-1" else row.overrides
        return load_config(
            self.budget.config,
            [
                *self.budget.overrides,
                f"training.total_samples={self.budget.samples}",
                f"output_dir={self.runs / run}",
                "sampling_presets={}",  # no row uses them, and with some rows they are invalid
                *(f"{key}={json.dumps(value)}" for key, value in changed.items()),
            ],
        )

    def is_finished(self, row: Row) -> bool:
        """Whether the row's report exists.

        Raises:
            InputError: it exists, but with another budget.
        """
        file = self.reports / f"{row.name}.json"
        if not file.exists():
            return False
        report = read_json(file)
        theirs, mine = report.get("ablation", {}), self.budget_facts(row)
        # configs are compared below, key by key; of the overrides only their effect on the config matters
        budget = [key for key in mine if key not in ("config", "overrides")]
        changed = [key for key in budget if theirs.get(key) != mine[key]]
        if not changed:
            configs = (from_dict(Config, each["config"], str(file)) for each in (theirs, mine))
            changed = differing_keys(*configs)
        if changed:
            raise InputError(
                f"{file}: this report is of an ablation with another {changed[0]}; move its reports and "
                "runs away, or name other folders"
            )
        return True

    def budget_facts(self, row: Row) -> dict[str, Any]:
        """The row's entry `ablation` in its report, without local paths."""
        config = self.config(row)
        data = dataclasses.replace(config.data, path=Path(config.data.path).name)
        return {
            "row": row.name,
            "title": row.title,
            "overrides": row.overrides,
            "rows": [each.name for each in self.rows],
            "base": self.budget.config.name,
            "samples": self.budget.samples,
            "split": self.budget.split,
            "dialogs": self.budget.dialogs,
            "config": to_dict(dataclasses.replace(config, data=data, output_dir=row.run)),
        }

    def run_row(self, row: Row) -> None:
        """Trains and evaluates one row, and writes its report."""
        config = self.config(row)
        if row.run not in self.models:
            self.models[row.run] = train(config)
        report = evaluate_model(
            self.models[row.run],
            Path(config.data.path),
            self.budget.split,
            self.runs / f"{row.name}.json",
            limit=self.budget.dialogs,
            seed=self.config().seed,  # the same noise in all rows
            sampling=row.sampling,
        )
        if report is None:  # only the main process has one
            return
        with replacing(self.reports / f"{row.name}.json") as path:
            path.write_text(
                json.dumps({**report, "ablation": self.budget_facts(row)}, indent=1) + "\n", encoding="utf-8"
            )

    def run_all(self) -> int:
        """Runs all unfinished rows, and returns how many of them diverged."""
        for row in self.rows:  # so that a wrong key is reported before the first training
            self.config(row)
        todo = [row for row in self.rows if not self.is_finished(row)]
        todo.sort(key=lambda row: row.run != "full-1")  # first the rows that share its run
        with Progress(total=len(self.rows), initial=len(self.rows) - len(todo), unit="rows") as bar:
            failed = 0
            for row in todo:
                bar.set_description_str(row.name)
                try:
                    self.run_row(row)
                    bar.update()
                except FloatingPointError as error:
                    failed += 1
                    bar.write(printable(f"{row.name}: {error}", one_line=True), file=sys.stderr)
        return failed


def _get(config: Config, key: str) -> Any:
    value = to_dict(config)
    for name in key.split("."):
        value = value[name]
    return value


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("config", type=Path, help="the full model's config")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="for all rows")
    parser.add_argument("--samples", type=positive, required=True, help="samples of each training run")
    parser.add_argument("--dialogs", type=positive, required=True, help="how many are drawn, from the first")
    parser.add_argument("--split", default="test", help="default: %(default)s")
    parser.add_argument("--reports", type=Path, default=REPORTS, help="default: %(default)s")
    parser.add_argument("--runs", type=Path, default=RUNS, help="default: %(default)s")
    parser.add_argument("--dry-run", action="store_true", help="only list the rows")
    a = parser.parse_intermixed_args(argv)

    try:
        budget = Budget(a.config, a.samples, a.split, a.dialogs, tuple(a.overrides))
        ablation = Ablation(budget, a.reports, a.runs)
        if not a.dry_run:
            return 1 if ablation.run_all() else 0
        for row in ablation.rows:
            ablation.config(row)
            state = "finished" if ablation.is_finished(row) else "to do"
            changes = " ".join(f"{key}={json.dumps(value)}" for key, value in row.overrides.items())
            say(f"{row.name:32}  {state:8}  run {row.run:26}{changes}".rstrip())
        return 0
    except InputError as error:
        print_error("run_ablation", error)
        return 2
    except KeyboardInterrupt:
        say("run_ablation: stopped; the same command resumes", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
