"""How long a visitor of the studio waits, in a real Chromium on the same machine.

    python scripts/bench_studio.py

Each visit opens the page and draws a dialog; then the same dialog is drawn with `DrawingSession` alone, in
this process. Seconds are those from opening the page to its first paint and to its picture, and from Enter to
the first preview of a turn and to its picture. The first visit after the start is told apart. It needs
Playwright and Chromium. Nothing else should run on the machine. `--quick` only checks that the script runs.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from cdd_icm.cli import positive  # before torch, so that its threads wait here as in the command

# isort: split

from benchmark import machine, ratio, write
from studio_visitor import Visitor, chromium, served

from cdd_icm.console import print_error, say
from cdd_icm.errors import InputError
from cdd_icm.evaluation import fingerprint
from cdd_icm.progress import Progress
from cdd_icm.sampling.loading import load_pipeline
from cdd_icm.sampling.pipeline import CDDICMPipeline
from cdd_icm.sampling.session import DrawingSession

ROOT = Path(__file__).parents[1]
REPORT = Path("reports/bench_studio.json")
MODEL = ROOT / "data" / "pretrained" / "blocks"
DIALOG = ["a red ball in the middle", "put a small blue box to the left of it", "add a yellow cylinder"]
BOTH = ("preview", "turn")
NAMES = ("paint", "open", *BOTH)

WATCH = """() => {
  window.shown = [];
  new MutationObserver(() => {
    const picture = document.querySelector('#stage img');
    if (picture) shown.push([performance.now() - window.entered, picture.alt]);
  }).observe(document.querySelector('#stage'), {subtree: true, childList: true, attributes: true});
  document.querySelector('#say textarea').addEventListener('keydown', event => {
    if (event.key === 'Enter') { window.entered = performance.now(); shown.length = 0; }
  }, true);
}"""
PAINT = "() => performance.getEntriesByName('first-contentful-paint')[0].startTime / 1000"

Seconds = dict[str, list[float]]


def visit(browser: Any, address: str) -> Seconds:
    """Opens the page and draws the dialog."""
    start = time.perf_counter()
    me = Visitor(browser, address)
    seconds: Seconds = {"open": [time.perf_counter() - start], "paint": [me.page.evaluate(PAINT)]}
    me.page.evaluate(WATCH)
    for text in DIALOG:
        me.say(text)
        shown = [(ms / 1000, alt) for ms, alt in me.page.evaluate("shown") if alt.endswith(f": {text}")]
        for name, alt_begins in (("preview", "Being drawn"), ("turn", "The picture after")):
            seconds.setdefault(name, []).append(next(at for at, alt in shown if alt.startswith(alt_begins)))
    me.close()
    return seconds


def alone(pipeline: CDDICMPipeline) -> Seconds:
    """Draws the dialog without a page."""
    session, seconds = DrawingSession(pipeline, seed=1), {"preview": [], "turn": []}
    for text in DIALOG:
        steps: list[float] = []
        start = time.perf_counter()
        session.say(text, callback_on_step_end=lambda *_, at=steps: at.append(time.perf_counter()))
        seconds["turn"].append(time.perf_counter() - start)
        seconds["preview"].append(steps[0] - start)
    return seconds


def bench(a: argparse.Namespace) -> dict[str, Any]:
    """Measures everything and returns the report."""
    pipeline = load_pipeline(a.model, "cpu")
    pipeline.set_progress_bar_config(disable=True)
    alone(pipeline)
    page: list[Seconds] = []
    bare: list[Seconds] = []
    with served([a.model]) as address, chromium() as browser:
        for _ in Progress(range(a.visits + 1), unit="visit"):
            page.append(visit(browser, address))
            bare.append(alone(pipeline))
    return {
        "quick": a.quick,
        "models": {a.model.name: fingerprint.of_folder(a.model)},
        "machine": machine(pipeline.device),
        "dtype": str(pipeline.unet.dtype).removeprefix("torch."),
        "image_size": pipeline.image_size,
        "visits": a.visits,
        "dialog": DIALOG,
        **summary(page, bare),
    }


def summary(page: Sequence[Seconds], bare: Sequence[Seconds]) -> dict[str, Any]:
    """The figures of visits, the first told apart, and of the same dialogs drawn alone."""
    first, page, bare = page[0], page[1:], bare[1:]
    return {
        "page": {name: figures(page, name) for name in NAMES},
        "first_visit": {name: figures([first], name) for name in NAMES},
        "alone": {name: figures(bare, name) for name in BOTH},
        "ratio": {
            name: ratio({"page": joined(page, name), "alone": joined(bare, name)}, "page", "alone")
            for name in BOTH
        },
    }


def joined(visits: Sequence[Seconds], name: str) -> list[float]:
    return [seconds for each in visits for seconds in each[name]]


def figures(visits: Sequence[Seconds], name: str) -> dict[str, float]:
    seconds = joined(visits, name)
    return {"median": round(median(seconds), 3), "longest": round(max(seconds), 3), "times": len(seconds)}


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, default=MODEL, help="default: the shipped blocks")
    parser.add_argument("--visits", type=positive, default=10, help="default: %(default)s")
    parser.add_argument("--report", type=Path, help=f"default: {REPORT}, in outputs/ with --quick")
    parser.add_argument("--quick", action="store_true", help="one visit")
    a = parser.parse_args(argv)
    if a.quick:
        a.visits = 1
    try:
        report = bench(a)
    except InputError as error:
        print_error("bench_studio", error)
        return 2
    except KeyboardInterrupt:
        say("bench_studio: stopped", file=sys.stderr)
        return 130
    for what in ("page", "first_visit", "alone"):
        told = [f"{name} {s['median']:.3f} (longest {s['longest']:.3f})" for name, s in report[what].items()]
        say(f"{what:12}{', '.join(told)}")
    write(a.report or (Path("outputs") / REPORT.name if a.quick else REPORT), report)
    return 0


if __name__ == "__main__":
    sys.exit(main())
