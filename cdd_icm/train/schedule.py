"""Learning-rate schedule and intervals, as functions of the samples seen."""

from __future__ import annotations

import math

import torch

from cdd_icm.config import RunConfig

MIN_LEARNING_RATE = 1e-5
"""The learning rate at the end of the cosine."""


def learning_rate_at(
    samples: int, t: RunConfig, restart: int = 0, minimum: float = MIN_LEARNING_RATE
) -> float:
    """Linear warm-up, then cosine decay to `minimum`, or to the peak if that is lower. The schedule is run
    once up to sample `restart`, and again from there on (Loshchilov & Hutter 2017, arXiv 1608.03983). It does
    not depend on the number of processes."""
    restart = min(restart, t.total_samples)
    end = restart if samples < restart else t.total_samples - restart
    samples -= 0 if samples < restart else restart
    if samples < t.warmup_samples:
        return t.learning_rate * (samples + 1) / t.warmup_samples
    done = (samples - t.warmup_samples) / max(1, end - t.warmup_samples)
    minimum = min(minimum, t.learning_rate)
    return minimum + (t.learning_rate - minimum) * (1 + math.cos(math.pi * min(1, done))) / 2


def set_learning_rate(optimizer: torch.optim.Optimizer, learning_rate: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = learning_rate


def is_due(interval: int, before: int, samples: int) -> bool:
    """Whether a step from sample `before` to `samples` reached or passed a multiple of `interval`."""
    return samples // interval > before // interval
