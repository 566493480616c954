"""The optimiser."""

from __future__ import annotations

import torch
from torch import nn

from cdd_icm.config import RunConfig

MAX_GRAD_NORM = 1.0
"""Bound of the gradient's norm; for the generator, of each of its parts."""


def make_optimizer(model: nn.Module, t: RunConfig) -> torch.optim.Optimizer:
    """AdamW on what is trained."""
    return torch.optim.AdamW(
        [p for p in model.parameters() if p.requires_grad],
        lr=t.learning_rate,
        betas=(0.9, 0.99),
        weight_decay=t.weight_decay,
        fused=True,
    )
