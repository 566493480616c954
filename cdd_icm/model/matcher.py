"""The noise-aware matcher: scores how well a noisy picture matches the composition of reference and text."""

from __future__ import annotations

import math

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from diffusers.models.embeddings import TimestepEmbedding, Timesteps
from diffusers.models.resnet import Downsample2D, ResnetBlock2D
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import logsigmoid, normalize, pixel_unshuffle


class Matcher(ModelMixin, ConfigMixin):
    """s(x_t, t, f) = exp(tau) <h(x_t, t), W f> with unit vectors h and W f, and exp(tau) learnt and bounded.

    Args:
        image_size: R. query_width: D of the query f. width: channels at the first resolution.
        temperature: initial 1 / exp(tau). max_logit_scale: upper bound of exp(tau).
    """

    @register_to_config
    def __init__(
        self,
        image_size: int = 128,
        query_width: int = 256,
        width: int = 96,
        temperature: float = 0.07,
        max_logit_scale: float = 100.0,
    ):
        super().__init__()
        patch, side, time = image_size // 16, 8, 4 * width
        self.patch = patch
        self.time_proj = Timesteps(width, flip_sin_to_cos=True, downscale_freq_shift=0)
        self.time_embedding = TimestepEmbedding(width, time)
        self.stem = nn.Conv2d(3 * patch**2, width, 1)
        self.blocks = nn.ModuleList(
            [
                ResnetBlock2D(in_channels=width, temb_channels=time, groups=16),
                Downsample2D(width, use_conv=True, out_channels=2 * width, name="op"),
                ResnetBlock2D(in_channels=2 * width, temb_channels=time, groups=16),
                ResnetBlock2D(in_channels=2 * width, temb_channels=time, groups=16),
            ]
        )
        # no pooling: positions matter as much as features
        self.squeeze = nn.Conv2d(2 * width, 32, 1)
        self.image_out = nn.Sequential(nn.LayerNorm(32 * side**2), nn.Linear(32 * side**2, query_width))
        self.query_out = nn.Linear(query_width, query_width)
        self.log_scale = nn.Parameter(torch.tensor(math.log(1 / temperature)))

    def embed_image(
        self, noisy: Float[Tensor, "B 3 R R"], timestep: Int[Tensor, " B"]
    ) -> Float[Tensor, "B E"]:
        """h(x_t, t), of unit length."""
        x = self.stem(pixel_unshuffle(noisy, self.patch))  # (B, width, 16, 16)
        temb = self.time_embedding(self.time_proj(timestep).to(x.dtype))
        for block in self.blocks:
            x = block(x) if isinstance(block, Downsample2D) else block(x, temb)
        x = self.image_out(self.squeeze(x).flatten(1))
        return normalize(x.float(), dim=-1)

    def embed_query(self, query: Float[Tensor, "B D"]) -> Float[Tensor, "B E"]:
        """W f, of unit length."""
        return normalize(self.query_out(query).float(), dim=-1)

    @property
    def scale(self) -> Float[Tensor, ""]:
        """exp(tau), at most `max_logit_scale`."""
        return self.log_scale.exp().clamp(max=self.config.max_logit_scale)

    def forward(
        self, noisy: Float[Tensor, "B 3 R R"], timestep: Int[Tensor, " B"], query: Float[Tensor, "B D"]
    ) -> Float[Tensor, " B"]:
        """s(x_t, t, f), item by item."""
        return self.scale * (self.embed_image(noisy, timestep) * self.embed_query(query)).sum(dim=-1)


def log_match(
    matcher: Matcher,
    noisy: Float[Tensor, "B 3 R R"],
    timestep: Int[Tensor, " B"],
    query: Float[Tensor, "B D"],
    other_query: Float[Tensor, "B D"],
) -> Float[Tensor, " B"]:
    """log p_ICM(match | x_t, f) = log sigmoid(s(x_t, t, f) - s(x_t, t, f')): the InfoNCE posterior of the
    query f against one alternative f', the query of the same reference with the empty text."""
    image = matcher.embed_image(noisy, timestep)
    difference = matcher.embed_query(query) - matcher.embed_query(other_query)
    return logsigmoid(matcher.scale * (image * difference).sum(dim=-1))
