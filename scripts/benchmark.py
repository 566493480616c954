"""Shared by the benchmarks: timing several tasks in turn, and describing the machine."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median

import torch

from cdd_icm.console import say
from cdd_icm.device import device_name, processor_name
from cdd_icm.evaluation.report import package_versions
from cdd_icm.io import replacing
from cdd_icm.progress import Progress


def interleaved(tasks: Mapping[str, Callable[[], float | None]], repeats: int) -> dict[str, list[float]]:
    """Seconds of each task in each of `repeats` rounds. The tasks take turns within a round, so that other
    load on the machine affects all of them alike. A task may measure and return its own seconds. A warm-up
    round comes first."""
    times: dict[str, list[float]] = {name: [] for name in tasks}
    with Progress(total=(repeats + 1) * len(tasks), unit="task") as bar:
        for _ in range(repeats + 1):
            for name, task in tasks.items():
                bar.set_description_str(name)
                start = time.perf_counter()
                own_seconds = task()
                synchronize()
                times[name].append(time.perf_counter() - start if own_seconds is None else own_seconds)
                bar.update()
    return {name: values[1:] for name, values in times.items()}


def synchronize() -> None:
    """Waits for the accelerator, if there is one."""
    if torch.accelerator.is_available():
        torch.accelerator.synchronize()


def ratio(times: dict[str, list[float]], one: str, other: str) -> float:
    """The median of the rounds' ratios: a machine that is slow for a while slows both tasks."""
    return round(median(a / b for a, b in zip(times[one], times[other], strict=True)), 3)


def machine(device: torch.device) -> dict[str, str | int]:
    """The device and processor on which times are measured."""
    name = processor_name() if device.type == "cpu" else device_name(device)
    return {"device": device.type, "name": name, "cores": os.cpu_count(), "threads": torch.get_num_threads()}


def write(path: Path, report: dict) -> None:
    """Writes a benchmark's report, with the versions of the packages, and prints its path."""
    with replacing(path) as unfinished:
        unfinished.write_text(
            json.dumps({**report, "versions": package_versions()}, indent=1) + "\n", encoding="utf-8"
        )
    say(path)
