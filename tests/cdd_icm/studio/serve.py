"""A studio for the browser tests: `python serve.py PORT SESSIONS [NAME=VALUE of a limit ...]`. The engine is
the smallest that the page needs; the real one has its own tests."""

import sys
import threading
import time
from collections import deque
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).parents[3]
sys.path.insert(0, str(ROOT))

import gradio as gr  # noqa: E402
import uvicorn  # noqa: E402
from fastapi import FastAPI  # noqa: E402

from cdd_icm.errors import InputError  # noqa: E402
from cdd_icm.sampling.loading import load_pipeline  # noqa: E402
from cdd_icm.studio.page import build_page  # noqa: E402
from cdd_icm.studio.style import mount_options  # noqa: E402
from cdd_icm.studio.visits import VisitorLimits  # noqa: E402

MOST = 100


class Ticket:
    def __init__(self, queue, function):
        self.queue, self.function = queue, function

    @property
    def position(self):
        waiting = list(self.queue.waiting)
        return waiting.index(self) + 1 if self in waiting else 0

    def cancel(self):
        if self in self.queue.waiting:
            self.queue.waiting.remove(self)


class Queue:
    def __init__(self):
        self.waiting, self.some = deque(), threading.Semaphore(0)
        threading.Thread(target=self.work, daemon=True).start()

    def submit(self, function):
        if len(self.waiting) >= MOST:
            raise InputError(f"{MOST} requests wait already; try again in a moment")
        ticket = Ticket(self, function)
        self.waiting.append(ticket)
        self.some.release()
        return ticket

    def work(self):
        while True:
            self.some.acquire()
            if self.waiting:
                self.waiting.popleft().function()


class Engine:
    def __init__(self, name, queue, slow):
        self.name, self.queue = name, queue
        self.path = str(ROOT / "data" / "pretrained" / name)
        self.pipeline = load_pipeline(self.path)
        self.pipeline.set_progress_bar_config(disable=True)
        if slow:  # so that a test can act in mid-drawing; the pictures are the same
            step = self.pipeline.scheduler.step
            self.pipeline.scheduler.step = lambda *a, **k: (time.sleep(slow), step(*a, **k))[1]


def main():
    port, folder, *changed = sys.argv[1:]
    values = dict(each.split("=") for each in changed)
    slow, models = float(values.pop("slow", 0)), values.pop("models", "blocks,iclevr").split(",")
    limits = replace(VisitorLimits(), **{name: int(value) for name, value in values.items()})
    queue = Queue()
    page = build_page([Engine(name, queue, slow) for name in models], None, limits, Path(folder))
    options = mount_options() | {"max_file_size": limits.upload}
    app = gr.mount_gradio_app(FastAPI(), page, path="/", **options)
    uvicorn.run(app, host="127.0.0.1", port=int(port), log_level="warning")


if __name__ == "__main__":
    main()
