"""The ablation, at one stated budget: every row is the full model with one thing changed.

    python scripts/run_ablation.py configs/generate/iclevr_64.yaml --samples 28000 --dialogs 60 data.path=DATA

Rows that change only the drawing share the full model's training run. Each row's report appears under
reports/ablation when it is finished, and finished rows are not done again: the same command goes on where it
was stopped, in the middle of a training too. `--dry-run` lists the rows.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from cdd_icm.cli import positive
from cdd_icm.config import Config, differing_keys, from_dict, load_config, to_dict
from cdd_icm.errors import InputError
from cdd_icm.evaluation import evaluate_model
from cdd_icm.io import read_json, replacing
from cdd_icm.train.generator import train

SEEDS = 3
"""Of the full row, so that a reader knows what a difference means."""

REPORTS = Path("reports/ablation")
RUNS = Path("runs/ablation")


@dataclass(frozen=True)
class Row:
    """The full model but for `overrides`, config keys such as "fusion.gated" and their values."""

    name: str
    title: str
    overrides: dict[str, Any]

    @property
    def sampling(self) -> dict[str, Any]:
        """What changes in drawing."""
        return {k.partition(".")[2]: v for k, v in self.overrides.items() if k.startswith("sampling.")}

    @property
    def run(self) -> str:
        """The training run that the row draws with."""
        return "full-1" if len(self.sampling) == len(self.overrides) else self.name


@dataclass(frozen=True)
class Switch:
    """Something that the full model may have: the row that shows what it gives is the one without it, or with
    it where the config leaves it off."""

    name: str
    what: str
    off: dict[str, Any]
    on: dict[str, Any]

    def row(self, config: Config) -> Row:
        key, value = next(iter(self.off.items()))  # the first key tells
        if _get(config, key) == value:
            return Row(f"with-{self.name}", f"with {self.what}", self.on)
        changed = {k: value for k, value in self.off.items() if _get(config, k) != value}
        return Row(f"without-{self.name}", f"without {self.what}", changed)


SWITCHES = (
    Switch(
        "icm-objective",
        "the ICM objective",
        # without it there is no matcher to guide or to choose by
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
    Switch("gated-fusion", "gated fusion", {"fusion.gated": False}, {"fusion.gated": True}),
    Switch(
        "reference-pixels",
        "reference pixels, nor the mask through which they show",
        {"unet.reference": False},
        {"unet.reference": True},
    ),
    Switch(
        "cross-attention",
        "cross-attention tokens",
        {"unet.cross_attention": False},
        {"unet.cross_attention": True},
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
    """The rows for a config, which is the full model itself."""
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
    """What every row is given."""

    config: Path
    samples: int
    """Turns seen in training, `training.total_samples`."""
    split: str
    dialogs: int
    """The first so many of the split are drawn, free-running."""
    overrides: tuple[str, ...] = ()
    """Those given on the command line, for all rows."""


class Ablation:
    """Does the rows of `budget`; reports go to `reports`, training runs and pictures to `runs`."""

    def __init__(self, budget: Budget, reports: Path = REPORTS, runs: Path = RUNS):
        self.budget, self.reports, self.runs = budget, reports, runs
        self.rows = rows(self.config())
        self.models: dict[str, Path] = {}

    def config(self, row: Row | None = None) -> Config:
        """The config of the row's training run, None for the full model's."""
        run = row.run if row else "full-1"
        changed = {} if run == "full-1" else row.overrides
        return load_config(
            self.budget.config,
            [
                *self.budget.overrides,
                f"training.total_samples={self.budget.samples}",
                f"output_dir={self.runs / run}",
                "sampling_presets={}",  # no row draws by them, and some could not
                *(f"{key}={json.dumps(value)}" for key, value in changed.items()),
            ],
        )

    def is_finished(self, row: Row) -> bool:
        """Whether the row's report is there.

        Raises:
            InputError: it is, but from another budget.
        """
        file = self.reports / f"{row.name}.json"
        if not file.exists():
            return False
        report = read_json(file)
        theirs, mine = report.get("ablation", {}), self.statement(row)
        # the config says all that a row changes, its overrides only which of it was told
        budget = [key for key in mine if key not in ("config", "overrides")]
        changed = [key for key in budget if theirs.get(key) != mine[key]]
        if not changed:
            configs = (from_dict(Config, each["config"], str(file)) for each in (theirs, mine))
            changed = differing_keys(*configs)
        if changed:
            raise InputError(
                f"{file}: the report there is of an ablation with another {changed[0]}; move its reports and "
                "runs away, or name other folders"
            )
        return True

    def statement(self, row: Row) -> dict[str, Any]:
        """What the report says of the ablation that it belongs to; not where the data lay."""
        config = self.config(row)
        data = dataclasses.replace(config.data, path=Path(config.data.path).name, cache_dir=None)
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

    def do(self, row: Row) -> None:
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
            seed=self.config().seed,  # all rows draw the same noise
            sampling=row.sampling,
        )
        if report is None:  # only the main process has one
            return
        with replacing(self.reports / f"{row.name}.json") as path:
            path.write_text(json.dumps({**report, "ablation": self.statement(row)}, indent=1) + "\n")

    def do_all(self) -> int:
        """All rows that are not finished; how many of them diverged."""
        for row in self.rows:  # a wrong key shows now, not in a day
            self.config(row)
        todo = [row for row in self.rows if not self.is_finished(row)]
        todo.sort(key=lambda row: row.run != "full-1")  # all of one training while its run is there
        with tqdm(total=len(self.rows), initial=len(self.rows) - len(todo), unit="rows") as bar:
            failed = 0
            for row in todo:
                bar.set_description(row.name)
                try:
                    self.do(row)
                    bar.update()
                except FloatingPointError as error:
                    failed += 1
                    bar.write(f"{row.name}: {error}", file=sys.stderr)
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
    parser.add_argument("config", type=Path, help="of the full model")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="for all rows")
    parser.add_argument("--samples", type=positive, required=True, help="of every training")
    parser.add_argument("--dialogs", type=positive, required=True, help="the first so many are drawn")
    parser.add_argument("--split", default="test", help="default: %(default)s")
    parser.add_argument("--reports", type=Path, default=REPORTS, help="default: %(default)s")
    parser.add_argument("--runs", type=Path, default=RUNS, help="default: %(default)s")
    parser.add_argument("--dry-run", action="store_true", help="list the rows, and do nothing")
    a = parser.parse_intermixed_args(argv)

    try:
        budget = Budget(a.config, a.samples, a.split, a.dialogs, tuple(a.overrides))
        ablation = Ablation(budget, a.reports, a.runs)
        if not a.dry_run:
            return 1 if ablation.do_all() else 0
        for row in ablation.rows:
            ablation.config(row)
            state = "finished" if ablation.is_finished(row) else "to do"
            changes = " ".join(f"{key}={json.dumps(value)}" for key, value in row.overrides.items())
            print(f"{row.name:32}  {state:8}  run {row.run:26}{changes}".rstrip())
        return 0
    except InputError as error:
        print(f"run_ablation: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("run_ablation: stopped; the same command goes on", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
