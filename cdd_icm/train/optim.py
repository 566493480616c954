"""The optimiser, and the bound of its gradients."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from cdd_icm.config import RunConfig


def make_optimizer(
    model: nn.Module, t: RunConfig, betas: tuple[float, float] = (0.9, 0.99)
) -> torch.optim.Optimizer:
    """AdamW on the weights that are trained."""
    return torch.optim.AdamW(
        [p for p in model.parameters() if p.requires_grad],
        lr=t.learning_rate,
        betas=betas,
        weight_decay=t.weight_decay,
        fused=True,
    )


def clip_gradients(accelerator: Accelerator, parts: Sequence[nn.Module], t: RunConfig) -> Tensor:
    """Bounds the gradient norm of each part of a model by itself, and returns that of the whole before, ().
    With a common bound, one part's noise would decide how fast another learns."""
    accelerator.unscale_gradients()
    parameters = [list(part.parameters()) for part in parts]
    trained = [part for part in parameters if any(p.grad is not None for p in part)]
    norms = [nn.utils.clip_grad_norm_(part, t.max_grad_norm) for part in trained]
    norms = [norm.full_tensor() if isinstance(norm, DTensor) else norm for norm in norms]  # of FSDP's shards
    return torch.stack(norms).norm()
