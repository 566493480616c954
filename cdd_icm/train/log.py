"""The log of a training run: `log.jsonl`, and the tracker if there is one."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import torch
from accelerate import Accelerator
from torch import Tensor

from cdd_icm.io import append_json, parse_json, replacing
from cdd_icm.text import read_lines

Means = Callable[[dict[str, Tensor]], dict[str, float | None]]
"""From values (n,) to the columns of a log line."""


def mean_of_each(values: dict[str, Tensor]) -> dict[str, float | None]:
    """The mean of each value."""
    return {name: value.mean().item() for name, value in values.items()}


def means_by_noise_level(values: dict[str, Tensor]) -> dict[str, float | None]:
    """The mean of each value, and of `cdd` and `changed_error` for each quarter of the noise levels, `_q1`
    with the least noise."""
    level = values.pop("level")
    means = mean_of_each(values)
    for quartile in range(4):
        for name in ("cdd", "changed_error"):
            chosen = values[name][(level * 4).long() == quartile]
            means[f"{name}_q{quartile + 1}"] = chosen.mean().item() if len(chosen) else None
    return means


class Log:
    """Writes lines with means over the samples since the last line or the start.

    Args:
        samples: the sample at which the run starts or resumes; later lines of an earlier attempt are removed.
        means: computes a line's columns from the values of all processes.
    """

    def __init__(self, path: Path, samples: int, accelerator: Accelerator, means: Means = mean_of_each):
        self.path, self.accelerator, self.means = path, accelerator, means
        self.parts: list[dict[str, Tensor]] = []
        self._begin(samples)
        if accelerator.is_main_process and path.exists():
            earlier = [f"{line}\n" for line in read_lines(path) if _samples(line) <= samples]
            with replacing(path) as rewritten:
                rewritten.write_text("".join(earlier), encoding="utf-8")

    def add(self, out: dict[str, Tensor]) -> None:
        """Adds the model's outputs for a batch: tensors () or (n,)."""
        self.parts.append({name: value.detach() for name, value in out.items()})

    def write(self, samples: int, **more: float) -> dict[str, float]:
        """Writes and returns a line at sample `samples`: means over all processes, `more`, and samples per
        second."""
        values = {
            name: torch.cat([torch.atleast_1d(part[name]) for part in self.parts]) for name in self.parts[0]
        }
        means = self.means({name: self.accelerator.gather(value).float() for name, value in values.items()})
        line = {"samples": samples, **means, **more}
        line["images_per_second"] = (samples - self.samples) / (time.perf_counter() - self.start)
        self._begin(samples)
        if self.accelerator.is_main_process:
            append_json(self.path, line)
        self.accelerator.log({k: v for k, v in line.items() if v is not None}, step=samples)
        return line

    def _begin(self, samples: int) -> None:
        self.parts, self.samples, self.start = [], samples, time.perf_counter()


def _samples(line: str) -> float:
    try:
        return float(parse_json(line, "")["samples"])
    except (ValueError, TypeError, LookupError):  # such as an incomplete line of a killed run
        return float("inf")


def seconds_logged(path: Path) -> float:
    """The training time of a run according to its log, without startup, checkpoints and validation."""
    lines = [parse_json(line, str(path)) for line in read_lines(path) if line]
    starts = [0, *(line["samples"] for line in lines)]
    return sum(
        (line["samples"] - start) / line["images_per_second"]
        for start, line in zip(starts, lines, strict=False)
    )
