"""What the benchmarks share: times of several works taken in turn, on a machine that is stated."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median

import torch
from tqdm import tqdm

from cdd_icm.device import device_name, processor_name
from cdd_icm.evaluation.report import package_versions
from cdd_icm.io import replacing


def interleaved(works: Mapping[str, Callable[[], float | None]], repeats: int) -> dict[str, list[float]]:
    """Seconds of every work, `repeats` of each, in turn: what else the machine does hits all alike. A work
    that takes its own time returns it. One more round comes first and is not counted."""
    times: dict[str, list[float]] = {name: [] for name in works}
    with tqdm(total=(repeats + 1) * len(works), unit="works") as bar:
        for _ in range(repeats + 1):
            for name, work in works.items():
                bar.set_description(name)
                start = time.perf_counter()
                taken = work()
                synchronize()
                times[name].append(time.perf_counter() - start if taken is None else taken)
                bar.update()
    return {name: values[1:] for name, values in times.items()}


def synchronize() -> None:
    """Waits for the accelerator, if there is one."""
    if torch.accelerator.is_available():
        torch.accelerator.synchronize()


def ratio(times: dict[str, list[float]], one: str, other: str) -> float:
    """The median of the rounds' own ratios: a machine that is slow for a while is slow for both."""
    return round(median(a / b for a, b in zip(times[one], times[other], strict=True)), 3)


def machine(device: torch.device) -> dict[str, str | int]:
    """On what times are taken."""
    name = processor_name() if device.type == "cpu" else device_name(device)
    return {"device": device.type, "name": name, "cores": os.cpu_count(), "threads": torch.get_num_threads()}


def write(path: Path, report: dict) -> None:
    with replacing(path) as unfinished:
        unfinished.write_text(json.dumps({**report, "versions": package_versions()}, indent=1) + "\n")
    print(path)
