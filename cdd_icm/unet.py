"""The conditional UNet: noisy picture, noise level, fused condition and reference pixels -> prediction."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from diffusers import ConfigMixin, ModelMixin, UNet2DConditionModel
from diffusers.configuration_utils import register_to_config
from diffusers.models.attention_processor import AttnProcessor
from diffusers.models.embeddings import Timesteps
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import interpolate, pixel_shuffle, pixel_unshuffle

from cdd_icm.fusion import Fused

NOISE_CHANNELS = 32
"""Width of the sinusoidal embedding of the reference's noise level."""


class Painting(NamedTuple):
    """What the UNet paints of a noisy picture."""

    prediction: Float[Tensor, "B 3 R R"]
    """In the parameterisation that the model is trained with, see `diffusion.to_sample`; in float32 whatever
    the weights are: pictures stay exact where the reference shows through."""
    mask: Float[Tensor, "B 1 R R"] | None
    """The logits of where its picture shows and not the reference, see `diffusion.composite`; None where the
    UNet has no mask."""


class Stamps(nn.Module):
    """Around each planned object a template of its class, and one of each of its looks, is laid down: every
    place knows what is to be painted there, and which part of it. It is a convolution of the plan's map with
    kernels so wide that it pays to do it only where the map is not 0."""

    def __init__(self, planes: int, channels: int, reach: int):
        super().__init__()
        self.reach = reach
        self.weight = nn.Parameter(0.1 * torch.randn(channels, planes, 2 * reach + 1, 2 * reach + 1))

    def forward(self, plan: Float[Tensor, "B P G G"]) -> Float[Tensor, "B D G G"]:
        """`plan` holds zeros and ones."""
        items, _, grid, _ = plan.shape
        side = grid + 2 * self.reach
        item, plane, y, x = plan.nonzero(as_tuple=True)  # (N,) each
        window = torch.arange(2 * self.reach + 1, device=plan.device)
        rows, columns = y[:, None, None] + window[:, None], x[:, None, None] + window
        at = (item[:, None, None] * side + rows) * side + columns  # (N, k, k)
        stamps = rearrange(self.weight, "d p h w -> p (h w) d")[plane]  # (N, k^2, D)
        ground = stamps.new_zeros(items * side**2, stamps.shape[-1])
        ground = ground.index_add(0, at.flatten(), stamps.flatten(0, 1))
        whole = rearrange(ground, "(b y x) d -> b d y x", y=side, x=side)
        return whole[..., self.reach : side - self.reach, self.reach : side - self.reach]


class ConditionalUNet(ModelMixin, ConfigMixin):
    """A diffusers `UNet2DConditionModel` between a pixel-unshuffle and a pixel-shuffle.

    Args:
        image_size: R, the side in pixels. patch_size: p, the unshuffle factor.
        condition_width: D of the fused tokens and of the query.
        plan_planes: P, the planes of a plan's map, see `planning.plan_map`; 0 paints without one.
        plan_reach: how many cells around it a planned object tells of itself.
        plan_channels: the width of what it tells.
        The others: see `config.UNetConfig`.
    """

    @register_to_config
    def __init__(
        self,
        image_size: int = 128,
        condition_width: int = 256,
        patch_size: int = 4,
        widths: tuple[int, ...] = (96, 192, 320),
        layers_per_block: int = 1,
        attention: tuple[bool, ...] = (False, False, True),
        heads: int = 8,
        query: bool = True,
        cross_attention: bool = True,
        spatial: bool = True,
        reference: bool = True,
        composite: bool = True,
        plan_planes: int = 0,
        plan_reach: int = 0,
        plan_channels: int = 32,
    ):
        super().__init__()
        pixels = 3 * patch_size**2
        self.unet = UNet2DConditionModel(
            sample_size=image_size // patch_size,
            in_channels=pixels * (2 if reference else 1) + (plan_channels if plan_planes else 0),
            out_channels=pixels + (patch_size**2 if composite else 0),
            block_out_channels=tuple(widths),
            layers_per_block=layers_per_block,
            down_block_types=tuple("CrossAttnDownBlock2D" if a else "DownBlock2D" for a in attention),
            mid_block_type="UNetMidBlock2DCrossAttn",
            up_block_types=tuple("CrossAttnUpBlock2D" if a else "UpBlock2D" for a in reversed(attention)),
            attention_head_dim=heads,  # diffusers reads this as the number of heads
            cross_attention_dim=condition_width,
            class_embed_type="projection",
            projection_class_embeddings_input_dim=condition_width + NOISE_CHANNELS,
        )
        # The fused kernel's bf16 backward is several times slower than matmul and softmax on CPUs.
        self.unet.set_attn_processor(AttnProcessor())
        self.noise_embedding = Timesteps(NOISE_CHANNELS, flip_sin_to_cos=True, downscale_freq_shift=0)
        self.plan_in = Stamps(plan_planes, plan_channels, plan_reach) if plan_planes else None
        self.spatial_in = nn.Linear(condition_width, widths[-1]) if spatial else None
        if spatial:
            nn.init.zeros_(self.spatial_in.weight)
            nn.init.zeros_(self.spatial_in.bias)

    def forward(
        self,
        noisy: Float[Tensor, "B 3 R R"],
        timestep: Float[Tensor, " B"],
        fused: Fused,
        reference: Float[Tensor, "B 3 R R"],
        reference_noise: Float[Tensor, " B"],
        plan: Float[Tensor, "B P G G"] | None = None,
    ) -> Painting:
        """One forward pass.

        Args:
            noisy: x_t. timestep: t, 0..T-1. fused: the condition.
            reference: r, in [-1, 1], with noise of standard deviation `reference_noise`.
            plan: what is to be painted where; needed where `plan_planes` is not 0.
        """
        c = self.config
        x = torch.cat([noisy, reference], dim=1) if c.reference else noisy
        x = pixel_unshuffle(x.to(self.dtype), c.patch_size)  # (B, C p^2, R/p, R/p)
        if c.plan_planes:
            places = interpolate(self.plan_in(plan), size=x.shape[-2:])  # (B, plan_channels, R/p, R/p)
            x = torch.cat([x, places.to(x.dtype)], dim=1)
        x = x.contiguous(memory_format=torch.channels_last)
        noise_level = self.noise_embedding(reference_noise * 1000).to(fused.query.dtype)  # (B, 32)
        query = fused.query if c.query else torch.zeros_like(fused.query)
        context = torch.cat([fused.text_tokens, fused.image_tokens], dim=1)  # (B, Nw + Nv, D)
        mask = torch.cat([fused.mask, fused.mask.new_ones(fused.image_tokens.shape[:2])], dim=1)
        if not c.cross_attention:
            context = torch.zeros_like(context)
        out = self.unet(
            x,
            timestep,
            encoder_hidden_states=context,
            encoder_attention_mask=mask,
            class_labels=torch.cat([query, noise_level], dim=-1),
            down_intrablock_additional_residuals=self._in_place(fused.image_tokens, x) if c.spatial else None,
        ).sample.float()
        out = pixel_shuffle(out, c.patch_size)  # (B, 3 or 4, R, R)
        return Painting(out[:, :3], out[:, 3:] if c.composite else None)

    def _in_place(self, tokens: Float[Tensor, "B Nv D"], x: Tensor) -> list[Tensor]:
        """The image tokens as a feature map for the last down block, and nothing for the blocks before it:
        the form in which diffusers takes an adapter's features (Mou et al. 2023, arXiv 2302.08453)."""
        side = math.isqrt(tokens.shape[1])
        grid = self.spatial_in(tokens).transpose(1, 2).unflatten(2, (side, side))  # (B, C, side, side)
        earlier = len(self.config.widths) - 1
        size = x.shape[-1] // 2**earlier
        if side != size:
            grid = interpolate(grid, size=(size, size), mode="bilinear")
        return [grid.new_zeros(())] * earlier + [grid]
