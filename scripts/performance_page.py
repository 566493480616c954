"""docs/performance.md: the cost of training, drawing and retrieval."""

from __future__ import annotations

from pathlib import Path
from statistics import median
from typing import Any

from pages import COMMANDS, HEAD, TITLES, benchmark, interval, json_report, not_measured, table

from cdd_icm.evaluation.report import COLUMNS

Report = dict[str, Any]

WORTH_HAVING = 0.5
"""The gain in F1 or RSIM, per cent, that makes a setting worth its cost."""


def performance_page(reports: Path) -> str:
    """The page, from the reports in a folder."""
    lines = [
        *("# Performance", "", HEAD, ""),
        "A ratio is the median of the ratios of all rounds, in each of which every work had its turn.",
        *("", "## Training", "", *training(reports)),
    ]
    for report, name in (("bench_sampling", "iclevr"), ("bench_sampling_codraw", "codraw")):
        lines += ["", f"## Drawing: {TITLES[name]}", "", *sampling_settings(reports, report)]
    lines += ["", "## Steps and schedulers", "", *schedulers(reports)]
    lines += ["", "## Retrieval", "", *retrieval(reports / "bench_retrieval.json")]
    lines += server(reports / "bench_server.json")
    lines += studio(reports / "bench_studio.json")
    return "\n".join(lines) + "\n"


def training(reports: Path) -> list[str]:
    """The trainer compared with the bare loop and with an InstructPix2Pix step."""
    report = benchmark(reports / "bench_train.json")
    if report is None:
        return [not_measured("The figures", COMMANDS["bench_train"])]
    size, changed = report["batch_size"], " ".join([report["config"], *report["overrides"]])
    phases = ", ".join(f"{name} {value:.0f} ms" for name, value in report["profile"]["phases"].items())
    return [
        f"{changed}: {report['image_size']} pixels, batches of {size}, of which the UNet denoises "
        f"{size // report['cdd_every']}, precision {report['mixed_precision']}, {machine(report)}. The "
        "bare loop is the same model and loss on synthetic tensors: forward, backward, optimiser. The "
        "InstructPix2Pix step trains a diffusers UNet of as many parameters "
        f"({report['parameters']['unet']:,}) in the plain way, the text through a frozen tower, once with "
        "torch's fused attention, as diffusers does it, and once with attention by matmul and softmax, as "
        "ours does it.",
        "",
        *table(
            ["", "seconds a step", "images a second"],
            [
                [name, f"{median(times):.3f}", f"{report['images_a_second'][name]:.1f}"]
                for name, times in report["seconds_a_step"].items()
            ],
        ),
        "",
        *table(["seconds of", "ratio"], [[key, f"{value:.3f}"] for key, value in report["ratios"].items()]),
        "",
        f"Where the time of a step of the bare loop goes: {phases}. By operator:",
        "",
        *table(
            ["operator", "ms", "share", "calls"],
            [
                [
                    f"`{op['name']}`",
                    f"{op['milliseconds']:.1f}",
                    f"{op['share']:.1%}",
                    str(op["calls"]),
                ]
                for op in report["profile"]["operators"]
            ],
        ),
    ]


def sampling_settings(reports: Path, name: str) -> list[str]:
    """The settings outside the grid of schedulers and steps."""
    report = benchmark(reports / f"{name}.json")
    if report is None:
        return [not_measured("The figures", COMMANDS[name])]
    rows = {row["name"]: row for row in report["rows"]}
    default = rows["default"]
    heads = ["settings", "scheduler, steps", "calls", "seconds a turn", "of default", "F1", "RSIM"]
    heads += [f"{column} less that of {report['many']}" for column in ("F1", "RSIM")]
    cells = [
        settings_row(row, default, report["many"])
        for row in report["rows"]
        if "figures" in row and not is_of_grid(row)
    ]
    lines = [f"{conditions(report)}; differences paired, with 95 % intervals.", "", *table(heads, cells)]
    if "with ICM guidance" in rows:
        lines += ["", guidance(default, rows["with ICM guidance"])]
    return lines


def settings_row(row: Report, default: Report, many: str) -> list[str]:
    differences = [
        interval(row["difference"][name], "+") if row["name"] != many else "" for name in ("f1", "rsim")
    ]
    return [
        row["name"],
        f"{row['scheduler'].removesuffix('Scheduler')}, {row['sampling']['num_inference_steps']}",
        str(row["calls"]),
        f"{row['seconds']:.3f}",
        f"{relative_seconds(row, default):.2f}",
        *(f"{row['figures'][name]['value']:.2f}" for name in ("f1", "rsim")),
        *differences,
    ]


def is_of_grid(row: Report) -> bool:
    """Whether the row is of the grid: the model's own settings except scheduler and steps."""
    return row["name"] == f"{row['scheduler']}, {row['sampling']['num_inference_steps']}"


def relative_seconds(row: Report, default: Report) -> float:
    """The median of the rounds' ratios of seconds to those of the default."""
    return median(a / b for a, b in zip(row["seconds_all"], default["seconds_all"], strict=True))


def guidance(default: Report, guided: Report) -> str:
    """Cost and gain of ICM guidance, where it is off by default."""
    gains = {
        name: guided["figures"][name]["value"] - default["figures"][name]["value"] for name in ("f1", "rsim")
    }
    changes = ", ".join(f"{COLUMNS[name]} {gain:+.2f}" for name, gain in gains.items())
    verdict = "" if max(gains.values()) >= WORTH_HAVING else ": not worth its price, and off by default"
    seconds = relative_seconds(guided, default)
    return f"ICM guidance takes {seconds:.2f} times the seconds and changes {changes}{verdict}."


def schedulers(reports: Path) -> list[str]:
    """Every scheduler at every number of steps: F1 / RSIM / seconds."""
    report = benchmark(reports / "bench_sampling.json")
    if report is None:
        return [not_measured("The table", COMMANDS["bench_sampling"])]
    grid = {
        (row["scheduler"], row["sampling"]["num_inference_steps"]): row
        for row in report["rows"]
        if is_of_grid(row)
    }
    numbers = sorted({number for _, number in grid})
    rows = [
        [
            scheduler.removesuffix("Scheduler"),
            *(grid_cell(grid.get((scheduler, number))) for number in numbers),
        ]
        for scheduler in dict.fromkeys(scheduler for scheduler, _ in grid)
    ]
    return [
        f"F1 / RSIM / seconds a turn; {conditions(report)}. Steps that a scheduler can't take are left out. "
        "In n steps KDPM2 calls the network 2 n - 1 times, PNDM n + 9 times, the others n times.",
        "",
        *table(["scheduler", *(f"{number} steps" for number in numbers)], rows),
    ]


def grid_cell(row: Report | None) -> str:
    if row is None or "figures" not in row:
        return ""
    f1, rsim = (row["figures"][name]["value"] for name in ("f1", "rsim"))
    return f"{f1:.2f} / {rsim:.2f} / {row['seconds']:.3f}"


def retrieval(file: Path) -> list[str]:
    """Each part of retrieval beside the bare computation that it needs."""
    report = json_report(file)
    if report is None:
        return [not_measured("The figures", COMMANDS["bench_retrieval"])]
    settings, evaluation, search = report["settings"], report["evaluation"], report["search"]
    bare = min(seconds for name, seconds in evaluation["seconds"].items() if name != "ours")
    rows = [
        [
            f"exact evaluation, {settings['queries']:,} queries against {settings['vectors']:,} vectors of "
            f"{settings['width']} dimensions; bare: a matmul and a top-k",
            f"{evaluation['seconds']['ours']:.2f} s",
            f"{bare:.2f} s",
            f"{evaluation['ratio']:.3f}",
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
    medians = {name: times["median"] for name, times in search.items() if name.startswith("ms a search")}
    sentences = [
        f"A search in the embedded store of {search['vectors']:,} vectors takes "
        f"{medians['ms a search']:.0f} ms (median; filtered by width "
        f"{medians['ms a search, filtered by width']:.0f}, by a tag "
        f"{medians['ms a search, filtered by a tag']:.0f})."
    ]
    if memory := report.get("memory"):
        sentences.append(
            f"Exact evaluation takes {memory['ours'] / 1e6:,.0f} MB beside the vectors, on a CPU; all "
            f"scores at once would take {memory['bare'] / 1e6:,.0f} MB."
        )
    if indexing := report.get("indexing"):
        sentences.append(
            f"Indexing takes in {indexing['pictures a second']:.0f} pictures a second; the model is at work "
            f"{indexing['share of the model']:.0%} of the time."
        )
    return [
        f"{machine(report)}; every time is the best of {settings['repeats']}, ours and the bare one in "
        "turns.",
        "",
        *table(["work", "ours", "bare", "ratio"], rows),
        "",
        " ".join(sentences),
    ]


def server(file: Path) -> list[str]:
    """The server with several callers beside a plain loop; nothing without a report."""
    report = benchmark(file)
    if report is None:
        return []
    heads = ["model, preset", "turns a second", "of a loop", "ratio", "a caller waits", "of a loop", "batch"]
    rows = [
        [
            f"{row['model']}{', ' + row['preset'] if row['preset'] else ''}",
            *(f"{row[name]['turns_a_second']:.2f}" for name in ("server", "loop")),
            f"{row['ratio']:.2f}",
            *(f"{row[name]['p50']:.2f} / {row[name]['p95']:.2f} s" for name in ("server", "loop")),
            f"{row['batch']:.1f}",
        ]
        for row in report["rows"]
    ]
    return [
        *("", "## Server", ""),
        f"{report['callers']} callers at once over HTTP, each asking for its next turn as soon as it has the "
        f"picture, at most {report['largest_batch']} turns in a pass ([server.md](server.md#batches)); "
        f"beside it a plain loop over the same dialogs, one turn at a time. {report['dtype']}, "
        f"{machine(report)}. Waiting: median / 95th percentile; batch: the mean of those that turns were "
        f"drawn in. `{COMMANDS['bench_server']}` measures it.",
        "",
        *table(heads, rows),
    ]


def studio(file: Path) -> list[str]:
    """How long a visitor of the studio waits; nothing without a report."""
    report = benchmark(file)
    if report is None:
        return []
    told = {
        "paint": "the page opens: first paint",
        "open": "the page opens: its picture is there",
        "preview": "Enter to the first preview",
        "turn": "Enter to the turn's picture",
    }
    rows = [
        [
            what,
            *(
                f"{figures['median']:.2f} / {figures['longest']:.2f} s" if figures else ""
                for figures in (report[part].get(name) for part in ("page", "first_visit", "alone"))
            ),
            f"{report['ratio'][name]:.2f}" if name in report["ratio"] else "",
        ]
        for name, what in told.items()
    ]
    return [
        *("", "## Studio", ""),
        f"{report['visits']} visits of the [studio](studio.md) in Chromium on the same machine, each with a "
        f"dialog of {len(report['dialog'])} turns by {', '.join(report['models'])}; alone: the same dialog "
        "by `DrawingSession`, without a page, after each visit. Median / longest; "
        f"{report['image_size']} pixels, {report['dtype']}, {machine(report)}. "
        f"`{COMMANDS['bench_studio']}` measures it.",
        "",
        *table(["", "a visit", "the first after the start", "alone", "ratio"], rows),
    ]


def conditions(report: Report) -> str:
    """Model, data and machine of a sampling benchmark, in words."""
    data = report["data"]
    return (
        f"{report['model']['name']}, the first {data['dialogs']} dialogs of split {data['split']}, seed "
        f"{report['seed']}, {report['image_size']} pixels, {report['dtype']}, {machine(report)}"
    )


def machine(report: Report) -> str:
    """The machine of a benchmark, in words."""
    found = report["machine"]
    return f"{found['threads']} threads of {found['cores']} cores ({found['name']}, {found['device']})"
