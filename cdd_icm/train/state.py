"""The training state: model, exponential moving average and optimiser."""

from __future__ import annotations

import copy
from dataclasses import dataclass

from accelerate import Accelerator
from accelerate.optimizer import AcceleratedOptimizer
from accelerate.utils import fsdp2_prepare_model
from torch import nn
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict
from torch.distributed.fsdp.wrap import transformer_auto_wrap_policy
from torch.optim.swa_utils import get_ema_multi_avg_fn

from cdd_icm.config import RunConfig
from cdd_icm.device import layout
from cdd_icm.train.optim import make_optimizer

EMA_HALF_LIFE = 0.05
"""Half-life of the weight average, as a share of the samples seen so far."""


@dataclass(frozen=True)
class Average:
    """The exponential moving average of a model, as a separate model. Under FSDP `shards` has this process's
    part of the weights; otherwise it is `whole` itself."""

    shards: nn.Module
    whole: nn.Module
    accelerator: Accelerator

    def gather(self) -> nn.Module:
        """The complete average, in all processes, which must all call it."""
        if self.shards is not self.whole:
            tensors = get_model_state_dict(self.shards, options=StateDictOptions(full_state_dict=True))
            self.whole.to(self.accelerator.device).load_state_dict(tensors)
        return self.whole


def prepare(
    accelerator: Accelerator, model: nn.Module, t: RunConfig, betas: tuple[float, float], weight_decay: float
) -> tuple[nn.Module, Average, AcceleratedOptimizer]:
    """The model on its device, wrapped for DDP or FSDP; its average; its optimiser."""
    if not accelerator.is_fsdp2:
        model.to(memory_format=layout(accelerator.device))
    whole = shards = copy.deepcopy(model).requires_grad_(False).eval()
    whole.to("cpu" if accelerator.is_fsdp2 else accelerator.device)
    if accelerator.is_fsdp2:
        plugin = accelerator.state.fsdp_plugin
        # FSDP gathers a module in its forward; the model's _no_split_modules lists suitable classes
        plugin.auto_wrap_policy, plugin.transformer_cls_names_to_wrap = transformer_auto_wrap_policy, None
        plugin.cpu_ram_efficient_loading = False  # each process has built the complete model
        plugin.mixed_precision_policy = None  # autocast is used instead, as without FSDP
        for part in model.modules():  # FSDP can't shard scalars
            for name, number in part.named_parameters(recurse=False):
                if number.ndim == 0:
                    setattr(part, name, nn.Parameter(number[None].detach(), number.requires_grad))
        shards = fsdp2_prepare_model(accelerator, copy.deepcopy(model).requires_grad_(False))
        model.forward = accelerator.autocast()(model.forward)
    model, optimizer = accelerator.prepare(model, make_optimizer(model, t, betas, weight_decay))
    return model, Average(shards, whole, accelerator), optimizer


def update_ema(
    ema: nn.Module, model: nn.Module, samples: int, step: int, half_life: float = EMA_HALF_LIFE
) -> None:
    """Updates an exponential moving average whose `half_life` is a share of the samples seen (Karras et al.
    2024, EDM2, arXiv 2312.02696).

    Args:
        step: samples since the last update. half_life: 0 copies the weights.
    """
    decay = 0.5 ** (step / max(half_life * samples, 1)) if half_life else 0.0
    average = get_ema_multi_avg_fn(decay)
    average(list(ema.parameters()), [p.detach() for p in model.parameters()], None)
    for averaged, buffer in zip(ema.buffers(), model.buffers(), strict=True):
        averaged.copy_(buffer)
