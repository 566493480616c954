"""A kind of plan without annotation: which quarter of the picture changes most."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from jaxtyping import Int
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, cross_entropy, one_hot

from cdd_icm.data.tensor_fields import TensorFields
from cdd_icm.plan.protocol import Plan, SampledPlans


@dataclass
class Quadrants(TensorFields):
    index: Int[Tensor, " B"]


def changed_quadrants(raw, no_op):
    change = (raw["target"].float() - raw["reference"].float()).abs().mean(dim=1, keepdim=True)
    return Quadrants(adaptive_avg_pool2d(change, 2).flatten(1).argmax(dim=1))


class QuadrantPlan(Plan, ModelMixin, ConfigMixin):
    @register_to_config
    def __init__(self, width: int, text_width: int, image_size: int):
        super().__init__()
        self.map_channels, self.map_size = 1, 2
        self.head = nn.Linear(width, 4)

    @classmethod
    def settings(cls, config, dialogs):
        return {"image_size": config.data.image_size}

    def truth_encoder(self, config, dialogs, tokenize):
        return changed_quadrants

    def feature_map(self, truth, items):
        return self._map(truth.index[items])

    def loss(self, truth, conditions, reference_noise, heads, encode_words, config):
        return {
            "quadrant": (
                cross_entropy(self.head(conditions.fused.query).float(), truth.index),
                config.plan.weight,
            )
        }

    def noise(self, generator):
        return -torch.empty(4, device=generator and generator.device).exponential_(generator=generator).log()

    def sample(self, condition, reference, noise, settings, instructions, histories, context):
        index = (self.head(condition.query) + settings.plan_temperature * noise).argmax(dim=1)
        return SampledPlans(self._map(index).to(self.dtype), torch.zeros(len(index), dtype=torch.bool))

    def _map(self, index):
        return one_hot(index, 4).float().view(-1, 1, 2, 2)
