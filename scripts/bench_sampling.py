"""Seconds, F1 and RSIM of a turn by sampling settings: the model's own, its presets, many steps, the
matcher's guidance and candidates, and every scheduler at several numbers of steps.

    python scripts/bench_sampling.py --model data/pretrained/iclevr --data PATH/TO/iclevr --dialogs 100

Seconds are medians for drawing one turn, the settings taking turns; differences of figures are paired by
dialog. Nothing else should run on the machine. The same command resumes a stopped run: existing figures are
reused, seconds are measured again. `--quick` only checks that the script runs.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from benchmark import interleaved, machine, write
from PIL import Image

from cdd_icm import hashing
from cdd_icm.cli import positive, seed_number
from cdd_icm.config import to_plain, with_preset
from cdd_icm.console import print_error, say
from cdd_icm.data import Dialog, load_dialogs, to_square
from cdd_icm.diffusion.samplers import SAMPLERS, scheduler_like
from cdd_icm.errors import InputError
from cdd_icm.evaluation import Detector, evaluate_pictures, fingerprint, load_detector, shipped_detector
from cdd_icm.evaluation.protocol import DETECTOR, MODEL
from cdd_icm.evaluation.report import COLUMNS, paired_difference
from cdd_icm.io import read_json, replacing
from cdd_icm.progress import Progress
from cdd_icm.sampling.dialogs import generate_dialogs, turn_generator
from cdd_icm.sampling.loading import load_pipeline
from cdd_icm.sampling.pipeline import CDDICMPipeline

REPORT = Path("reports/bench_sampling.json")
MANY = 100
"""Steps of the row that all others are compared with."""


@dataclass(frozen=True)
class Setting:
    """A scheduler and all other sampling settings."""

    name: str
    scheduler: str
    sampling: dict[str, Any]


def settings(
    pipeline: CDDICMPipeline, schedulers: Sequence[str], steps: Sequence[int], many: int
) -> list[Setting]:
    """The model's own settings, its presets, single changes to its own settings, and the grid of schedulers
    and steps."""
    own = type(pipeline.scheduler).__name__

    def setting(name: str, changed: dict[str, Any]) -> Setting:
        sampling = with_preset(pipeline.config.sampling, {"scheduler": own, **changed}, name)
        return Setting(name, sampling.pop("scheduler"), to_plain(sampling))

    default = setting("default", {})
    found = [default, setting(f"{many} steps", {"num_inference_steps": many})]
    found += [setting(f"preset {name}", preset) for name, preset in pipeline.config.sampling_presets.items()]
    guided = 0.0 if default.sampling["icm_guidance_scale"] else 1.0
    word = "with" if guided else "without"
    found.append(setting(f"{word} ICM guidance", {"icm_guidance_scale": guided}))
    n = 1 if default.sampling["num_candidates"] > 1 else 4
    found.append(setting(f"{n} candidate{'s' * (n > 1)}", {"num_candidates": n}))
    found += [
        setting(f"{scheduler}, {number}", {"scheduler": scheduler, "num_inference_steps": number})
        for scheduler in schedulers
        for number in steps
    ]
    return found


def turn(pipeline: CDDICMPipeline, dialog: Dialog, setting: Setting) -> None:
    """Draws the second turn of a dialog, from the true reference."""
    pipeline.scheduler = scheduler_like(pipeline.scheduler, setting.scheduler)
    number = min(1, len(dialog.turns) - 1)
    pipeline(
        Image.fromarray(to_square(dialog.reference(number).decode(), pipeline.image_size)),
        dialog.turns[number].instruction,
        [earlier.instruction for earlier in dialog.turns[:number]],
        generator=turn_generator(0, dialog.id, number),
        **setting.sampling,
    )


def measure(pipeline: CDDICMPipeline, dialog: Dialog, tested: Sequence[Setting], repeats: int) -> list[dict]:
    """A row for each setting: its median seconds and its calls of the network, or the "fault" for which it
    can't be used."""
    rows, tasks = {}, {}
    for setting in tested:
        rows[setting.name] = asdict(setting)
        try:
            turn(pipeline, dialog, setting)
        except InputError as error:
            rows[setting.name]["fault"] = str(error)
            continue
        rows[setting.name]["calls"] = len(pipeline.scheduler.timesteps)
        tasks[setting.name] = partial(turn, pipeline, dialog, setting)
    for name, times in interleaved(tasks, repeats).items():
        rows[name]["seconds"] = round(median(times), 5)
        rows[name]["seconds_all"] = [round(value, 5) for value in times]
    return list(rows.values())


def score(
    pipeline: CDDICMPipeline, dialogs: Sequence[Dialog], detector: Detector, row: dict, seed: int
) -> dict[str, Any]:
    """AP, AR, F1 and RSIM of free-running dialogs with their intervals, and the figures of each dialog."""
    pipeline.scheduler = scheduler_like(pipeline.scheduler, row["scheduler"])
    generated: list[np.ndarray] = generate_dialogs(
        pipeline, dialogs, seed=seed, progress=False, **row["sampling"]
    )
    found = evaluate_pictures(dialogs, generated, detector, seed=seed, progress=False)
    return {
        "figures": {name: found["figures"][MODEL][DETECTOR][name] for name in COLUMNS},
        "dialogs": found["dialogs"],
    }


def score_all(
    pipeline: CDDICMPipeline,
    dialogs: Sequence[Dialog],
    detector: Detector,
    rows: list[dict],
    seed: int,
    many: str,
    file: Path,
) -> None:
    """Adds "figures" to every row, and the paired "difference" from the row named `many`. Figures are saved
    to `file` after each setting; saved ones are not computed again."""
    done = read_json(file) if file.exists() else {}
    found: dict[str, list[dict]] = {}
    for row in Progress(rows, unit="settings"):
        if "fault" in row:
            continue
        key = json.dumps([row["scheduler"], row["sampling"]], sort_keys=True)
        if key not in done:
            done[key] = score(pipeline, dialogs, detector, row, seed)
            with replacing(file) as path:
                path.write_text(json.dumps(done), encoding="utf-8")
        row["figures"], found[row["name"]] = done[key]["figures"], done[key]["dialogs"]
    for row in rows:
        if row["name"] in found:
            pairs = list(zip(found[many], found[row["name"]], strict=True))
            row["difference"] = {name: paired_difference(pairs, name) for name in COLUMNS}


def bench(a: argparse.Namespace) -> dict:
    """Measures everything and returns the report."""
    dialogs = load_dialogs(a.data, a.split)[: a.dialogs]
    detector_folder = a.detector or shipped_detector(dialogs)
    detector = load_detector(detector_folder)
    pipeline = load_pipeline(a.model)
    pipeline.set_progress_bar_config(disable=True)
    detector.to(pipeline.device)
    tested = settings(pipeline, a.schedulers, a.steps, a.many)
    subject = {
        "model": {"name": a.model.name, "fingerprint": fingerprint.of_folder(a.model)},
        "data": {
            "name": a.data.name,
            "split": a.split,
            "dialogs": len(dialogs),
            "fingerprint": fingerprint.of_data(dialogs),
        },
        "detector": {"name": detector_folder.name, "fingerprint": fingerprint.of_folder(detector_folder)},
        "seed": a.seed,
    }
    rows = measure(pipeline, dialogs[0], tested, a.repeats)
    digest = hashing.fingerprint(subject)
    many, file = f"{a.many} steps", a.unfinished / f"bench_sampling-{digest}.json"
    score_all(pipeline, dialogs, detector, rows, a.seed, many, file)
    return {
        "quick": a.quick,
        **subject,
        "image_size": pipeline.image_size,
        "dtype": str(pipeline.unet.dtype).removeprefix("torch."),
        "machine": machine(pipeline.device),
        "repeats": a.repeats,
        "many": many,
        "rows": rows,
    }


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--split", default="val", help="default: %(default)s")
    parser.add_argument(
        "--dialogs", type=positive, default=100, help="how many, from the first; default: %(default)s"
    )
    parser.add_argument(
        "--steps", type=positive, nargs="+", default=[2, 4, 8, 12, 20], help="default: %(default)s"
    )
    parser.add_argument(
        "--schedulers",
        nargs="*",
        default=list(SAMPLERS),
        choices=SAMPLERS,
        metavar="NAME",
        help="default: all; may be none",
    )
    parser.add_argument("--repeats", type=positive, default=5, help="default: %(default)s")
    parser.add_argument("--threads", type=positive, default=2, help="default: %(default)s")
    parser.add_argument("--seed", type=seed_number, default=0, help="default: %(default)s")
    parser.add_argument("--detector", type=Path, help="default: the shipped one for the data's classes")
    parser.add_argument("--report", type=Path, help=f"default: {REPORT}, in outputs/ with --quick")
    parser.add_argument(
        "--unfinished", type=Path, default=Path("outputs"), help="folder of the figures of a stopped run"
    )
    parser.add_argument("--quick", action="store_true", help="one dialog, two schedulers, few steps")
    a = parser.parse_args(argv)
    a.many = MANY
    if a.quick:
        a.dialogs, a.steps, a.schedulers, a.repeats, a.many = 1, [1, 2], a.schedulers[:2], 1, 4
    torch.set_num_threads(a.threads)
    try:
        report = bench(a)
    except InputError as error:
        print_error("bench_sampling", error)
        return 2
    except KeyboardInterrupt:
        say("bench_sampling: stopped; the same command resumes", file=sys.stderr)
        return 130
    for row in report["rows"]:
        if "fault" in row:
            say(f"{row['name']:40}{row['fault']}")
            continue
        figures = row["figures"]
        line = "".join(f"{name} {figures[name]['value']:6.2f}  " for name in ("f1", "rsim"))
        say(f"{row['name']:40}{line}{row['seconds']:.3f} s")
    write(a.report or (Path("outputs") / REPORT.name if a.quick else REPORT), report)
    return 0


if __name__ == "__main__":
    sys.exit(main())
