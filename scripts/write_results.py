"""Writes docs/results.md and docs/performance.md from the reports; every figure in them is a report's.

python scripts/write_results.py        (`make results`)
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from cdd_icm.console import complain, say
from cdd_icm.errors import InputError
from cdd_icm.evaluation.protocol import ANNOTATION, DETECTOR, LOWER, MODEL, UPPER
from cdd_icm.evaluation.report import paired_difference, read_report, same_dialogs
from cdd_icm.io import read_json, replacing
from cdd_icm.markdown import escaped

ROOT = Path(__file__).parents[1]

COLUMNS = {"ap": "AP", "ar": "AR", "f1": "F1", "rsim": "RSIM"}

PUBLISHED = {
    "iclevr": {
        "GeNeVA-GAN (2019)": (92.39, 84.72, 88.39, 74.02),
        "SSCR (2020), as re-run by LatteGAN": (73.75, 46.39, 56.96, 34.54),
        "TIRG as generator": (94.30, 92.96, 93.71, 77.55),
        "LatteGAN (2021)": (97.72, 96.93, 97.26, 83.21),
        "LatteGAN, best variant of each column": (99.00, 98.62, 98.79, 84.78),
    },
    "codraw": {
        "GeNeVA-GAN (2019)": (66.64, 52.66, 58.83, 35.41),
        "SSCR (2020), as re-run by LatteGAN": (58.17, 56.61, 57.38, 39.11),
        "TIRG as generator": (76.56, 73.40, 72.40, 46.64),
        "LatteGAN (2021)": (81.50, 78.37, 77.51, 54.16),
        "LatteGAN, best variant of each column": (81.50, 78.42, 77.51, 54.16),
    },
}
"""AP, AR, F1 and RSIM by the protocol of LatteGAN (Matsumori et al. 2021), on the original test sets."""

NAMES = {"iclevr": "i-CLEVR", "codraw": "CoDraw"}

DIFFERS = {
    "iclevr": "What differs: the published rows are of the original test set, ours of a re-rendering of the "
    "same recipe and grammar; and the pictures are read by our own detector, not by GeNeVA's.",
    "codraw": "What differs: the pictures are those of the original test set, but they are read by our own "
    "detector, not by GeNeVA's.",
}

OTHERWISE = ("fast", "100_steps")
"""What else the shipped models are tested with: reports/iclevr_fast_test.json is beside iclevr_test.json."""

COMMANDS = {
    "ablation": "python scripts/run_ablation.py configs/generate/iclevr_64.yaml --samples 28000 --dialogs 60 "
    "training.mixed_precision=bf16 data.path=PATH/TO/iclevr",
    "bench_retrieval": "python scripts/bench_retrieval.py --model data/pretrained/retrieval_iclevr "
    "--report reports/bench_retrieval.json",
    "bench_sampling": "python scripts/bench_sampling.py --model data/pretrained/iclevr --data PATH/TO/iclevr "
    "--dialogs 8 --steps 2 4 8 --repeats 3",
    "bench_sampling_codraw": "python scripts/bench_sampling.py --model data/pretrained/codraw "
    "--data PATH/TO/codraw --dialogs 8 --schedulers --report reports/bench_sampling_codraw.json",
    "bench_train": "python scripts/bench_train.py configs/generate/iclevr.yaml training.batch_size=16 "
    "data.path=PATH/TO/iclevr --steps 8 --repeats 3",
    **{
        name: f"cdd-icm evaluate --model data/pretrained/{name} --data PATH/TO/{name} --split test "
        f"--report reports/{name}_test.json"
        for name in NAMES
    },
}

SIGNS = {
    "iclevr": " The first object of a dialog is annotated in the middle, x = 0.5: no detected x has that "
    "sign, which takes some RSIM from everybody."
}
"""What to know of figures against the annotation."""

EARLIER = (
    " These reports are older than the ones above: places were the plain median, which may hide what stands "
    "(see `decoding.median_score` for what is done now)."
)
"""Of an ablation whose reports don't tell the code that drew, as they have since."""

HEAD = "<!-- Written by `make results` from reports/; change a report, not this page. -->"


def results(reports: Path) -> str:
    """docs/results.md."""
    lines = ["# Results", "", HEAD, ""]
    lines += [
        "Per cent; ours with 95 % bootstrap intervals over dialogs; free-running: every picture is drawn on "
        "the model's own one before. RSIM is of each dialog's last picture. The rows in italics are no "
        "models: *true pictures* is the most that the detector gives anybody, *copy the reference* answers "
        "every turn with the true picture of the turn before."
    ]
    for name in NAMES:
        lines += ["", f"## {NAMES[name]}", "", *dataset(reports, name)]
    lines += ["", "## Ablation", "", *ablation(reports / "ablation")]
    return "\n".join(lines) + "\n"


def dataset(reports: Path, name: str) -> list[str]:
    """The published table with our rows, and ours by turn."""
    file = reports / f"{name}_test.json"
    report = escaped(read_report(file)) if file.exists() else None
    published = [(title, [f"{value:.2f}" for value in values]) for title, values in PUBLISHED[name].items()]
    if report is None:
        lines = table(["system", *COLUMNS.values()], [[title, *cells] for title, cells in published])
        return [*lines, "", missing("Ours", COMMANDS[name])]
    data = report["data"]
    figures = report["figures"]
    rows = [[title, *cells] for title, cells in published]
    rows += [
        [title, *(interval(figures[row][DETECTOR][column]) for column in COLUMNS)]
        for title, row in (("**CDD-ICM, ours**", MODEL), (f"*{UPPER}*", UPPER), (f"*{LOWER}*", LOWER))
    ]
    files = (reports / f"{name}_{kind}_test.json" for kind in OTHERWISE)
    others = {other: escaped(read_report(other)) for other in files if other.exists()}
    for path, other in others.items():
        if other["model"]["fingerprint"] != report["model"]["fingerprint"]:
            raise InputError(f"{path}: of another model than {file}; evaluate again")
    at = len(published) + 1
    rows[at:at] = [
        [
            f"CDD-ICM, ours ({otherwise(other, data)})",
            *(interval(other["figures"][MODEL][DETECTOR][column]) for column in COLUMNS),
        ]
        for other in others.values()
    ]
    lines = table(["system", *COLUMNS.values()], rows)
    for path, other in others.items():
        pairs = same_dialogs((file, report), (path, other))
        less = ", ".join(f"{COLUMNS[c]} {interval(paired_difference(pairs, c), '+')}" for c in ("f1", "rsim"))
        lines += [
            "",
            f"Ours ({otherwise(other, data)}) less ours as it ships, paired by dialog: {less}; report: ",
        ]
        lines[-1] += f"reports/{path.name}."
    lines += ["", f"{amount(data)}, {data['pictures']} pictures of split {data['split']}, seed "]
    lines[-1] += f"{report['seed']}; report: reports/{file.name}. {DIFFERS[name]}"
    if figures[MODEL][ANNOTATION] is not None:
        instead = "Against the annotation instead of what the detector sees in the true picture."
        lines += ["", instead + SIGNS.get(name, ""), ""]
        lines += table(
            ["", *COLUMNS.values()],
            [
                [title, *(interval(figures[row][ANNOTATION][column]) for column in COLUMNS)]
                for title, row in (("CDD-ICM, ours", MODEL), (f"*{UPPER}*", UPPER), (f"*{LOWER}*", LOWER))
            ],
        )
    model, turns = figures[MODEL][DETECTOR], range(1, len(report["pictures_by_turn"]) + 1)
    kept = [f"{value:.2f}" for value in model["preservation_by_turn"]]
    idle = report["no_op"]
    lines += ["", "By turn (*kept*: mean absolute change outside what the true turn changes, of 255):", ""]
    lines += table(
        ["turn", *map(str, turns)],
        [
            ["pictures", *map(str, report["pictures_by_turn"])],
            ["F1", *(f"{value:.2f}" for value in model["f1_by_turn"])],
            ["RSIM", *(f"{value:.2f}" for value in model["rsim_by_turn"])],
            ["kept", *kept],
        ],
    )
    lines += [
        "",
        f'Told "{idle["instruction"]}" {len(idle["change_by_turn"])} times ({idle["dialogs"]} dialogs): '
        f"after the last, the picture differs from the first by {idle['change_by_turn'][-1]:.2f} levels of "
        f"255, and F1 against it is {idle['f1_by_turn'][-1]:.2f}.",
    ]
    return lines


def otherwise(report: dict, data: dict) -> str:
    """With what settings a report was drawn, and how many dialogs where not as many as in `data`."""
    said = [f"preset {report['preset']}"] if report["preset"] else []
    said += [f"{key}={value}" for key, value in report["sampling"].items()]
    if report["data"]["dialogs"] != data["dialogs"]:
        said.append(amount(report["data"]))
    return ", ".join(said) or "settings as they ship"


def amount(data: dict) -> str:
    """How many dialogs of the split a report is of."""
    whole = f" of {data['of']:,}" if data.get("of", data["dialogs"]) != data["dialogs"] else ""
    return f"{data['dialogs']}{whole} dialogs"


def ablation(folder: Path) -> list[str]:
    """One row a report, in the order of the ablation's own list; the full model's seeds also as a range."""
    reports = [escaped(read_report(file)) for file in sorted(folder.glob("*.json"))]
    if not reports:
        return [missing("The ablation", COMMANDS["ablation"])]
    stated = reports[0]["ablation"]
    budget = ("samples", "base", "dialogs", "split", "rows")
    for report in reports[1:]:
        if differing := [key for key in budget if report["ablation"][key] != stated[key]]:
            raise InputError(f"{folder}: {differing[0]}: not the same in all reports; they can't be compared")
    order = stated["rows"]
    rows = {report["ablation"]["row"]: report for report in reports}
    lines = [
        f"Every model trained on {stated['samples']} turns ({stated['base']}), drawing the first "
        f"{stated['dialogs']} dialogs of split {stated['split']}. Each row is the full model with the one "
        "change that it names; what lies within the spread of the full model's seeds means nothing."
        + ("" if "code" in reports[0] else EARLIER),
        "",
    ]
    cells = []
    for name in order:
        if name in rows:
            report = rows[name]
            figures = report["figures"][MODEL][DETECTOR]
            changes = ", ".join(f"{key}={value}" for key, value in report["ablation"]["overrides"].items())
            cells.append(
                [
                    report["ablation"]["title"],
                    f"`{changes}`" if changes else "",
                    *(interval(figures[column]) for column in COLUMNS),
                    f"{figures['f1_by_turn'][-1]:.2f}",
                ]
            )
    lines += table(["model", "change", *COLUMNS.values(), "F1, last turn"], cells)
    full = [
        rows[name]["figures"][MODEL][DETECTOR] for name in order if name.startswith("full-") and name in rows
    ]
    if len(full) > 1:
        spread = ", ".join(
            f"{title} {max(values) - min(values):.2f}"
            for column, title in COLUMNS.items()
            for values in [[figures[column]["value"] for figures in full]]
        )
        lines += ["", f"Between the {len(full)} seeds of the full model, largest less smallest: {spread}."]
    if absent := [name for name in order if name not in rows]:
        lines += ["", missing(f"Rows not done yet ({', '.join(absent)})", COMMANDS["ablation"])]
    return lines


def steps(reports: Path) -> list[str]:
    """Every scheduler at every number of steps: F1 / RSIM / seconds."""
    report = benchmark(reports / "bench_sampling.json")
    if report is None:
        return [missing("The table", COMMANDS["bench_sampling"])]
    grid = {
        (row["scheduler"], row["sampling"]["num_inference_steps"]): row
        for row in report["rows"]
        if row["name"] == f"{row['scheduler']}, {row['sampling']['num_inference_steps']}"
    }
    numbers = sorted({number for _, number in grid})
    rows = []
    for scheduler in dict.fromkeys(name for name, _ in grid):
        cells = [drawn(grid.get((scheduler, number))) for number in numbers]
        rows.append([scheduler.removesuffix("Scheduler"), *cells])
    return [
        f"F1 / RSIM / seconds a turn; {sampled(report)}. Steps that a scheduler can't take are left out. "
        "In n steps KDPM2 calls the network 2 n - 1 times, PNDM n + 9 times, the others n times.",
        "",
        *table(["scheduler", *(f"{number} steps" for number in numbers)], rows),
    ]


def performance(reports: Path) -> str:
    """docs/performance.md."""
    lines = [
        "# Performance",
        "",
        HEAD,
        "",
        "A ratio is the median of the ratios of all rounds, in each of which every work had its turn.",
        "",
    ]
    lines += ["## Training", "", *training(reports)]
    for benchmark_of, name in (("bench_sampling", "iclevr"), ("bench_sampling_codraw", "codraw")):
        lines += ["", f"## Drawing: {NAMES[name]}", "", *drawing(reports, benchmark_of)]
    lines += ["", "## Steps and schedulers", "", *steps(reports)]
    lines += ["", "## Retrieval", "", *finding(reports / "bench_retrieval.json")]
    return "\n".join(lines) + "\n"


def training(reports: Path) -> list[str]:
    report = benchmark(reports / "bench_train.json")
    if report is None:
        return [missing("The figures", COMMANDS["bench_train"])]
    size, changed = report["batch_size"], " ".join([report["config"], *report["overrides"]])
    lines = [
        f"{changed}: {report['image_size']} pixels, batches of {size}, of which the UNet denoises "
        f"{size // report['cdd_every']}, precision {report['mixed_precision']}, {on(report['machine'])}. The "
        "bare loop is the same model and loss on synthetic tensors: forward, backward, optimiser. The "
        "InstructPix2Pix step trains a diffusers UNet of as many parameters "
        f"({report['parameters']['unet']:,}) in the plain way, the text through a frozen tower, once with "
        "torch's fused attention, as diffusers does it, and once with attention by matmul and softmax, as "
        "ours does it.",
        "",
    ]
    lines += table(
        ["", "seconds a step", "images a second"],
        [
            [name, f"{median(times):.3f}", f"{report['images_a_second'][name]:.1f}"]
            for name, times in report["seconds_a_step"].items()
        ],
    )
    lines += ["", *table(["seconds of", "ratio"], [[k, f"{v:.3f}"] for k, v in report["ratios"].items()])]
    phases = ", ".join(f"{name} {value:.0f} ms" for name, value in report["profile"]["phases"].items())
    lines += ["", f"Where the time of a step of the bare loop goes: {phases}. By operator:", ""]
    operators = report["profile"]["operators"]
    return lines + table(
        ["operator", "ms", "share", "calls"],
        [
            [f"`{o['name']}`", f"{o['milliseconds']:.1f}", f"{o['share']:.1%}", str(o["calls"])]
            for o in operators
        ],
    )


def drawing(reports: Path, name: str) -> list[str]:
    """The settings that are not of the grid, beside many steps and the model's own."""
    report = benchmark(reports / f"{name}.json")
    if report is None:
        return [missing("The figures", COMMANDS[name])]
    rows = {row["name"]: row for row in report["rows"]}
    own = rows["default"]
    cells = []
    for name, row in rows.items():
        if "figures" not in row or name == f"{row['scheduler']}, {row['sampling']['num_inference_steps']}":
            continue
        cells.append(
            [
                name,
                f"{row['scheduler'].removesuffix('Scheduler')}, {row['sampling']['num_inference_steps']}",
                str(row["calls"]),
                f"{row['seconds']:.3f}",
                f"{relative(row, own):.2f}",
                *(f"{row['figures'][c]['value']:.2f}" for c in ("f1", "rsim")),
                *(
                    interval(row["difference"][c], "+") if name != report["many"] else ""
                    for c in ("f1", "rsim")
                ),
            ]
        )
    heads = ["settings", "scheduler, steps", "calls", "seconds a turn", "of default", "F1", "RSIM"]
    heads += [f"{name} less that of {report['many']}" for name in ("F1", "RSIM")]
    lines = [f"{sampled(report)}; differences paired, with 95 % intervals.", "", *table(heads, cells)]
    return lines + (["", worth(own, rows["with ICM guidance"])] if "with ICM guidance" in rows else [])


def relative(row: dict, own: dict) -> float:
    """The median of the rounds' ratios of seconds."""
    return median(a / b for a, b in zip(row["seconds_all"], own["seconds_all"], strict=True))


def worth(own: dict, guided: dict) -> str:
    """What ICM guidance costs and gives, where it is off by default."""
    gains = {c: guided["figures"][c]["value"] - own["figures"][c]["value"] for c in ("f1", "rsim")}
    said = ", ".join(f"{COLUMNS[name]} {gain:+.2f}" for name, gain in gains.items())
    judged = "" if max(gains.values()) >= 0.5 else ": not worth its price, and off by default"
    return f"ICM guidance takes {relative(guided, own):.2f} times the seconds and changes {said}{judged}."


def finding(file: Path) -> list[str]:
    """Retrieval, each part beside the bare work that it can't do without."""
    if not file.exists():
        return [missing("The figures", COMMANDS["bench_retrieval"])]
    report = escaped(read_json(file))
    said, machine = report["settings"], report["machine"]
    judged, search = report["evaluation"], report["search"]
    bare = min(seconds for name, seconds in judged["seconds"].items() if name != "ours")
    rows = [
        [
            f"exact evaluation, {said['queries']:,} queries against {said['vectors']:,} vectors of "
            f"{said['width']} dimensions; bare: a matmul and a top-k",
            f"{judged['seconds']['ours']:.2f} s",
            f"{bare:.2f} s",
            f"{judged['ratio']:.3f}",
        ],
    ]
    if features := report.get("features"):
        rows.append(
            [
                f"features of {features['pictures']:,} pictures, to the disk; bare: the image tower's "
                "forward pass",
                f"{features['seconds']['ours']:.2f} s",
                f"{features['seconds']['bare']:.2f} s",
                f"{features['ratio']:.3f}",
            ]
        )
    lines = [
        f"{machine['threads']} threads of {machine['cores']} cores ({machine['processor']}, "
        f"{machine['device']}); every time is the best of {said['repeats']}, ours and the bare one in turns.",
        "",
        *table(["work", "ours", "bare", "ratio"], rows),
        "",
        f"A search in the embedded store of {search['vectors']:,} vectors takes "
        f"{search['ms a search']['median']:.0f} ms (median; filtered by width "
        f"{search['ms a search, filtered by width']['median']:.0f}, by a tag "
        f"{search['ms a search, filtered by a tag']['median']:.0f}).",
    ]
    if memory := report.get("memory"):
        lines[-1] += (
            f" Exact evaluation takes {memory['ours'] / 1e6:,.0f} MB beside the vectors, on a CPU; all "
            f"scores at once would take {memory['bare'] / 1e6:,.0f} MB."
        )
    if indexing := report.get("indexing"):
        lines[-1] += (
            f" Indexing takes in {indexing['pictures a second']:.0f} pictures a second; the model is at work "
            f"{indexing['share of the model']:.0%} of the time."
        )
    return lines


def drawn(row: dict | None) -> str:
    if row is None or "figures" not in row:
        return ""
    return (
        f"{row['figures']['f1']['value']:.2f} / {row['figures']['rsim']['value']:.2f} / {row['seconds']:.3f}"
    )


def sampled(report: dict) -> str:
    data = report["data"]
    return (
        f"{report['model']['name']}, the first {data['dialogs']} dialogs of split {data['split']}, seed "
        f"{report['seed']}, {report['image_size']} pixels, {report['dtype']}, {on(report['machine'])}"
    )


def on(machine: dict) -> str:
    return (
        f"{machine['threads']} threads of {machine['cores']} cores ({machine['name']}, {machine['device']})"
    )


def benchmark(file: Path) -> dict | None:
    """The report, or None where it is missing.

    Raises:
        InputError: it is of a `--quick` run, whose figures mean nothing.
    """
    if not file.exists():
        return None
    report = escaped(read_json(file))
    if report.get("quick", True):
        raise InputError(f"{file}: quick is {report.get('quick')!r}; only a whole run goes into the docs")
    return report


def interval(figure: dict[str, float], sign: str = "") -> str:
    return f"{figure['value']:{sign}.2f} [{figure['low']:{sign}.2f}, {figure['high']:{sign}.2f}]"


def missing(what: str, command: str) -> str:
    return f"{what}: not measured yet; `{command}` does it."


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [heads, ["---"] * len(heads), *rows]
    return [f"| {' | '.join(cells)} |" for cells in lines]


PAGES = {"results.md": results, "performance.md": performance}


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--reports", type=Path, default=ROOT / "reports")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs")
    a = parser.parse_args(argv)
    try:
        pages = {name: page(a.reports) for name, page in PAGES.items()}
        for name, text in pages.items():
            with replacing(a.docs / name) as path:
                path.write_text(text)
            say(a.docs / name)
    except InputError as error:
        complain("write_results", error)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
