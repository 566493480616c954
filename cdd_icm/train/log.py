"""The log of a training run: `log.jsonl`, and the tracker if the run has one."""

from __future__ import annotations

import json
import time
from pathlib import Path

import torch
from accelerate import Accelerator
from torch import Tensor

from cdd_icm.io import append_json, replacing


class Log:
    """A line every so many samples, averaged over what came since the last, or since the run went on. Lines
    past the checkpoint from which a run goes on, at sample `samples`, are dropped."""

    def __init__(self, path: Path, samples: int, accelerator: Accelerator):
        self.path, self.accelerator = path, accelerator
        self.parts: list[dict[str, Tensor]] = []
        self._begin(samples)
        if accelerator.is_main_process and path.exists():
            kept = [line for line in path.read_text().splitlines(keepends=True) if _samples(line) <= samples]
            with replacing(path) as rewritten:
                rewritten.write_text("".join(kept))

    def add(self, out: dict[str, Tensor]) -> None:
        """Takes what the model returned for a batch, tensors () or (n,)."""
        self.parts.append({name: value.detach() for name, value in out.items()})

    def write(self, samples: int, **more: float) -> dict[str, float]:
        """Writes a line at sample `samples`, and returns it: means over all processes, and samples a
        second."""
        values = {
            name: torch.cat([torch.atleast_1d(part[name]) for part in self.parts]) for name in self.parts[0]
        }
        means = self.means({name: self.accelerator.gather(of).float() for name, of in values.items()})
        line = {"samples": samples, **means, **more}
        line["images_per_second"] = (samples - self.samples) / (time.perf_counter() - self.start)
        self._begin(samples)
        if self.accelerator.is_main_process:
            append_json(self.path, line)
        self.accelerator.log({k: v for k, v in line.items() if v is not None}, step=samples)
        return line

    def means(self, values: dict[str, Tensor]) -> dict[str, float | None]:
        """What a line says of all processes' values."""
        return {name: of.mean().item() for name, of in values.items()}

    def _begin(self, samples: int) -> None:
        self.parts, self.samples, self.start = [], samples, time.perf_counter()


class DenoisingLog(Log):
    """A log that shows `cdd` and `changed_error` also by quartile of the noise level, the cleanest first."""

    def means(self, values: dict[str, Tensor]) -> dict[str, float | None]:
        level = values.pop("level")
        means = super().means(values)
        for quartile in range(4):
            for name in ("cdd", "changed_error"):
                chosen = values[name][(level * 4).long() == quartile]
                means[f"{name}_q{quartile + 1}"] = chosen.mean().item() if len(chosen) else None
        return means


def _samples(line: str) -> float:
    try:
        return float(json.loads(line)["samples"])
    except (ValueError, TypeError, LookupError):  # a run was killed while it wrote the line, say
        return float("inf")


def seconds_logged(path: Path) -> float:
    """How long a run has trained, by the lines of its log: without starting, checkpoints and film strips."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    starts = [0, *(line["samples"] for line in lines)]
    return sum(
        (line["samples"] - start) / line["images_per_second"]
        for start, line in zip(starts, lines, strict=False)
    )
