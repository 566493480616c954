"""A studio for the browser tests: `python serve.py PORT SESSIONS [NAME=VALUE ...]`, with limits to try,
`models`, `store`, `waiting` (turns in the queue), and `slow`: the seconds that each step takes longer, so
that a test can act meanwhile."""

import sys
import time
from dataclasses import replace
from functools import wraps
from pathlib import Path

ROOT = Path(__file__).parents[3]
sys.path.insert(0, str(ROOT))

import gradio as gr  # noqa: E402
import uvicorn  # noqa: E402

from cdd_icm.studio.api import build_api  # noqa: E402
from cdd_icm.studio.engine import Engines  # noqa: E402
from cdd_icm.studio.finder import InQueue  # noqa: E402
from cdd_icm.studio.limits import VisitorLimits  # noqa: E402
from cdd_icm.studio.page import build_page  # noqa: E402
from cdd_icm.studio.style import mount_options  # noqa: E402
from retrieval.finder import open_finder  # noqa: E402


def slower(scheduler, seconds):
    """Makes a scheduler's steps longer; what it computes is the same."""
    step = scheduler.step

    @wraps(step)  # with its signature, from which the pipeline learns that it takes a generator
    def slow_step(*given, **named):
        time.sleep(seconds)
        return step(*given, **named)

    scheduler.step = slow_step


def main():
    port, folder, *changed = sys.argv[1:]
    values = dict(each.split("=", 1) for each in changed)
    models, slow = values.pop("models", "blocks,iclevr").split(","), float(values.pop("slow", 0))
    store, waiting = values.pop("store", ""), int(values.pop("waiting", 64))
    limits = replace(VisitorLimits(), **{name: int(value) for name, value in values.items()})
    with Engines.load(
        [ROOT / "data" / "pretrained" / name for name in models], "cpu", limit=waiting
    ) as engines:
        for engine in engines:
            if slow:
                slower(engine.pipeline.scheduler, slow)
        finder = open_finder(store, None, "cpu") if store else None
        app = build_api(engines, finder, limits)
        page = build_page(engines, finder and InQueue(finder, engines[0].queue), limits, Path(folder))
        gr.mount_gradio_app(app, page, path="/", **mount_options())
        uvicorn.run(app, host="127.0.0.1", port=int(port), log_level="warning")


if __name__ == "__main__":
    main()
