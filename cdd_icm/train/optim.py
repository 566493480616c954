"""The optimiser and gradient clipping."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from cdd_icm.config import RunConfig

NORMS = (
    nn.LayerNorm,
    nn.GroupNorm,
    nn.RMSNorm,
    nn.modules.batchnorm._NormBase,
    nn.modules.instancenorm._InstanceNorm,
)

MAX_GRAD_NORM = 1.0
"""Maximal gradient norm of a part of the model."""


def make_optimizer(
    model: nn.Module, t: RunConfig, betas: tuple[float, float] = (0.9, 0.99), weight_decay: float = 0.01
) -> torch.optim.Optimizer:
    """AdamW on the trainable parameters, with weight decay on those of `decayed`."""
    decaying = decayed(model)
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    groups = [
        {"params": [p for name, p in trained.items() if name in decaying]},
        {"params": [p for name, p in trained.items() if name not in decaying], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(
        [group for group in groups if group["params"]],
        lr=t.learning_rate,
        betas=betas,
        weight_decay=weight_decay,
        fused=True,
    )


def decayed(model: nn.Module) -> set[str]:
    """The names of the parameters with weight decay: matrices and convolution kernels, but not biases, norms,
    scalars such as a temperature, or embeddings. As in timm, a module's method `no_weight_decay` can exclude
    further parameters of its own."""
    names = set()
    for prefix, module in model.named_modules():
        if isinstance(module, (nn.Embedding, *NORMS)):
            continue
        exempt = set(module.no_weight_decay()) if hasattr(module, "no_weight_decay") else set()
        for name, p in module.named_parameters(recurse=False):
            if p.ndim >= 2 and name not in exempt and not name.endswith(("embedding", "bias")):
                names.add(f"{prefix}.{name}" if prefix else name)
    return names


def clip_gradients(accelerator: Accelerator, parts: Sequence[Sequence[nn.Parameter]], bound: float) -> Tensor:
    """Clips the gradient norm of each part of a model separately, and returns the total norm before clipping,
    (). With a common bound, noisy gradients of one part would slow down the others."""
    accelerator.unscale_gradients()
    trained = [part for part in parts if any(p.grad is not None for p in part)]
    norms = [nn.utils.clip_grad_norm_(part, bound) for part in trained]
    norms = [norm.full_tensor() if isinstance(norm, DTensor) else norm for norm in norms]  # FSDP shards
    return torch.stack(norms).norm()
