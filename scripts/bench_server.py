"""Turns a second of the server with several callers at once, over HTTP, beside a plain loop of batch 1.

    python scripts/bench_server.py

For each model, with its own settings and each of its presets: every caller draws dialogs of its own, and asks
for the next turn as soon as it has the picture; the loop draws the same dialogs one after the other with
`DrawingSession`. The two take turns, round after round. Seconds are those that a caller waits for one turn,
with HTTP, PNG and base64. Nothing else should run on the machine. `--quick` only checks that the script runs.
"""

from __future__ import annotations

import argparse
import json
import socket
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import torch
import uvicorn
from benchmark import interleaved, machine, ratio, write

from cdd_icm.cli import positive
from cdd_icm.console import print_error, say
from cdd_icm.errors import InputError
from cdd_icm.evaluation import fingerprint
from cdd_icm.io import parse_json
from cdd_icm.sampling.session import DrawingSession
from cdd_icm.studio.api import build_api
from cdd_icm.studio.engine import Engine, Engines
from cdd_icm.studio.limits import VisitorLimits

ROOT = Path(__file__).parents[1]
REPORT = Path("reports/bench_server.json")
MODELS = [ROOT / "data" / "pretrained" / name for name in ("iclevr", "codraw", "blocks")]

BLOCKS = [
    "Add a blue cube at the center",
    "Add a red sphere behind it on the left",
    "Add a green cylinder in front of it on the right and in front of the blue cube on the right",
    "Add a yellow sphere behind it on the right and on the right of the blue cube",
    "Add a purple cube behind it on the left and behind the blue cube on the right",
]
CLIP_ART = [
    "big sun at the top left corner",
    "small apple tree on the right side",
    "in the middle a happy boy with his arms up facing right",
    "on the left a girl sitting with legs crossed facing right",
    "a dog in front of the boy on the right",
]
DIALOGS = {"codraw": CLIP_ART}
"""What is said to a model, by its name; to others `BLOCKS`."""


class Work:
    """One setting of one model: its dialogs through the server and through the loop, and what they took."""

    def __init__(self, engine: Engine, preset: str | None, url: str, callers: int, turns: int):
        self.engine, self.preset, self.url, self.callers = engine, preset, url, callers
        said = DIALOGS.get(engine.name, BLOCKS)
        self.said = [said[number % len(said)] for number in range(turns)]
        self.seconds: dict[str, list[float]] = {"loop": [], "server": []}
        self.batches: list[int] = []

    def loop(self) -> None:
        """Draws the dialog of each caller, one after the other."""
        pipeline = self.engine.with_preset(self.preset)
        for seed in range(self.callers):
            session = DrawingSession(pipeline, seed=seed)
            for text in self.said:
                start = time.perf_counter()
                session.say(text)
                self.seconds["loop"].append(time.perf_counter() - start)

    def server(self) -> None:
        """All callers at once."""
        with ThreadPoolExecutor(self.callers) as pool:
            list(pool.map(self._caller, range(self.callers)))

    def _caller(self, seed: int) -> None:
        canvas = None
        for number, text in enumerate(self.said):
            fields = {"model": self.engine.name, "preset": self.preset, "seed": seed, "instruction": text}
            start = time.perf_counter()
            drawn = ask(self.url, {**fields, "history": self.said[:number], "canvas": canvas})
            self.seconds["server"].append(time.perf_counter() - start)
            self.batches.append(drawn["batch"])
            canvas = drawn["picture"]

    def row(self, repeats: int) -> dict[str, Any]:
        """The figures, without the warm-up round. Each turn of a batch counts, so that the mean batch is that
        which a turn was drawn in."""
        times = interleaved({"loop": self.loop, "server": self.server}, repeats)
        counted = self.callers * len(self.said) * repeats
        row: dict[str, Any] = {"model": self.engine.name, "preset": self.preset, "turns": counted}
        for name, all_seconds in self.seconds.items():
            seconds = np.array(all_seconds[-counted:])
            row[name] = {
                "turns_a_second": round(counted / sum(times[name]), 3),
                "p50": round(float(np.percentile(seconds, 50)), 4),
                "p95": round(float(np.percentile(seconds, 95)), 4),
                "seconds_all": [round(value, 4) for value in times[name]],
            }
        return {
            **row,
            "batch": round(mean(self.batches[-counted:]), 2),
            "ratio": ratio(times, "loop", "server"),
        }


def ask(url: str, fields: dict[str, Any]) -> dict[str, Any]:
    """The API's answer to a turn. Raises InputError if it is refused."""
    request = urllib.request.Request(
        f"{url}/api/turn", json.dumps(fields).encode(), {"content-type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=600) as answer:
            return answer_of(answer.read())
    except urllib.error.HTTPError as error:
        raise InputError(f"{url}: {error.code}: {answer_of(error.read())['error']}") from None


def answer_of(body: bytes) -> dict[str, Any]:
    return parse_json(body, "the server's answer")


@contextmanager
def serving(engines: Engines, limits: VisitorLimits) -> Iterator[str]:
    """The API in a thread of this process; gives its address."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(128)
        server = uvicorn.Server(
            uvicorn.Config(build_api(engines, None, limits), log_level="warning", access_log=False)
        )
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


def bench(a: argparse.Namespace) -> dict[str, Any]:
    """Measures everything and returns the report."""
    limits = VisitorLimits(requests_a_minute=10**9, waiting=10**4)
    own = {"limit": 10**4, "own": 10**4, "largest_batch": a.largest_batch}
    with Engines.load(a.models, a.device, "auto", **own) as engines, serving(engines, limits) as url:
        rows = []
        for engine in engines:
            for preset in [None, *engine.presets]:
                rows.append(Work(engine, preset, url, a.callers, a.turns).row(a.repeats))
        return {
            "quick": a.quick,
            "models": {engine.name: fingerprint.of_folder(Path(engine.path)) for engine in engines},
            "machine": machine(engines[0].pipeline.device),
            "dtype": str(engines[0].pipeline.unet.dtype).removeprefix("torch."),
            "callers": a.callers,
            "largest_batch": a.largest_batch,
            "repeats": a.repeats,
            "rows": rows,
        }


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", type=Path, nargs="+", default=MODELS, help="default: those shipped")
    parser.add_argument("--device", default="auto", help="default: %(default)s")
    parser.add_argument("--callers", type=positive, default=8, help="at once (default: %(default)s)")
    parser.add_argument("--turns", type=positive, default=5, help="of a dialog (default: %(default)s)")
    parser.add_argument("--repeats", type=positive, default=3, help="rounds (default: %(default)s)")
    parser.add_argument("--largest-batch", type=positive, default=8, help="default: %(default)s")
    parser.add_argument("--threads", type=positive, default=2, help="default: %(default)s")
    parser.add_argument("--report", type=Path, help=f"default: {REPORT}, in outputs/ with --quick")
    parser.add_argument("--quick", action="store_true", help="two callers, two turns, one round")
    a = parser.parse_args(argv)
    if a.quick:
        a.callers, a.turns, a.repeats = 2, 2, 1
    torch.set_num_threads(a.threads)
    try:
        report = bench(a)
    except InputError as error:
        print_error("bench_server", error)
        return 2
    except KeyboardInterrupt:
        say("bench_server: stopped", file=sys.stderr)
        return 130
    for row in report["rows"]:
        say(f"{row['model']} {row['preset'] or ''}: ratio {row['ratio']:.2f}, batch {row['batch']:.1f}")
        for name in ("loop", "server"):
            figures = row[name]
            waits = f"p50 {figures['p50']:.2f} s, p95 {figures['p95']:.2f} s"
            say(f"  {name:8}{figures['turns_a_second']:.2f} turns a second, {waits}")
    write(a.report or (Path("outputs") / REPORT.name if a.quick else REPORT), report)
    return 0


if __name__ == "__main__":
    sys.exit(main())
