"""The conditional UNet: predicts from a noisy picture, its noise level, the fused condition and the
reference."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from diffusers import ConfigMixin, ModelMixin, UNet2DConditionModel
from diffusers.configuration_utils import register_to_config
from diffusers.models.embeddings import Timesteps
from diffusers.models.resnet import ResnetBlock2D
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import interpolate, pixel_shuffle, pixel_unshuffle

from cdd_icm.model.attention import DeviceAttnProcessor
from cdd_icm.model.fusion import Fused

NOISE_CHANNELS = 32
"""Width of the sinusoidal embedding of the reference's noise level."""


class UNetOutput(NamedTuple):
    """The UNet's output for a batch of noisy pictures."""

    prediction: Float[Tensor, "B 3 R R"]
    """In the parameterisation of the training, see `to_sample`. Always float32, so that the composited
    reference is exact."""
    mask: Float[Tensor, "B 1 R R"] | None
    """Logits of the mask between the prediction and the reference, see `region.composite`; None if the UNet
    has no mask."""


class ConditionalUNet(ModelMixin, ConfigMixin):
    """A diffusers `UNet2DConditionModel` between a pixel-unshuffle and a pixel-shuffle.

    Args:
        image_size: R, the side in pixels. patch_size: p, the unshuffle factor.
        condition_width: D of the fused tokens and of the query.
        map_channels, map_size: P and h of a feature map that is concatenated with the input; 0 for none. If h
            is a multiple of R / p, the map is unshuffled, too.
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
        cross_attention: bool = True,
        reference: bool = True,
        map_channels: int = 0,
        map_size: int = 0,
    ):
        super().__init__()
        pixels, side = 3 * patch_size**2, image_size // patch_size
        self.map_patch = max(1, map_size // side)
        self.unet = UNet2DConditionModel(
            sample_size=side,
            in_channels=pixels * (2 if reference else 1) + map_channels * self.map_patch**2,
            out_channels=pixels + (patch_size**2 if reference else 0),
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
        self.unet.set_attn_processor(DeviceAttnProcessor())
        self.noise_embedding = Timesteps(NOISE_CHANNELS, flip_sin_to_cos=True, downscale_freq_shift=0)
        self.spatial_in = nn.Linear(condition_width, widths[-1])
        nn.init.zeros_(self.spatial_in.weight)
        nn.init.zeros_(self.spatial_in.bias)

    def forward(
        self,
        noisy: Float[Tensor, "B 3 R R"],
        timestep: Int[Tensor, " B"],
        fused: Fused,
        reference: Float[Tensor, "B 3 R R"],
        reference_noise: Float[Tensor, " B"],
        feature_map: Float[Tensor, "B P h h"] | None = None,
    ) -> UNetOutput:
        """One forward pass.

        Args:
            noisy: x_t. timestep: t, 0..T-1. fused: the condition.
            reference: r, in [-1, 1], with noise of standard deviation `reference_noise`.
            feature_map: the plan, see `Plan.feature_map`; required if `map_channels` is not 0.
        """
        c = self.config
        x = torch.cat([noisy, reference], dim=1) if c.reference else noisy
        x = pixel_unshuffle(x.to(self.dtype), c.patch_size)  # (B, C p^2, R/p, R/p)
        if c.map_channels:
            patches = pixel_unshuffle(feature_map, self.map_patch)
            patches = interpolate(patches, size=x.shape[-2:])  # (B, P map_patch^2, R/p, R/p)
            x = torch.cat([x, patches.to(x.dtype)], dim=1)
        noise_level = self.noise_embedding(reference_noise * 1000).to(fused.query.dtype)  # (B, 32)
        context = torch.cat([fused.text_tokens, fused.image_tokens], dim=1)  # (B, Nw + Nv, D)
        mask = torch.cat([fused.mask, fused.mask.new_ones(fused.image_tokens.shape[:2])], dim=1)
        if not c.cross_attention:
            context = torch.zeros_like(context)
        out = self.unet(
            x,
            timestep,
            encoder_hidden_states=context,
            encoder_attention_mask=mask,
            class_labels=torch.cat([fused.query, noise_level], dim=-1),
            down_intrablock_additional_residuals=self._adapter_features(fused.image_tokens, x),
        ).sample.float()
        out = pixel_shuffle(out, c.patch_size)  # (B, 3 or 4, R, R)
        return UNetOutput(out[:, :3], out[:, 3:] if c.reference else None)

    def train(self, mode: bool = True) -> ConditionalUNet:
        super().train(mode)
        for part in self.modules():
            if isinstance(part, ResnetBlock2D):
                # its dropout is 0, and in training mode it converts its input from channels_last
                part.training = False
        return self

    def _adapter_features(self, tokens: Float[Tensor, "B Nv D"], x: Tensor) -> list[Tensor]:
        """The image tokens as a feature map for the last down block, and zeros for the blocks before it, in
        diffusers' format for T2I-Adapter features (Mou et al. 2023, arXiv 2302.08453)."""
        side = math.isqrt(tokens.shape[1])
        grid = self.spatial_in(tokens).transpose(1, 2).unflatten(2, (side, side))  # (B, C, side, side)
        earlier = len(self.config.widths) - 1
        size = x.shape[-1] // 2**earlier
        if side != size:
            grid = interpolate(grid, size=(size, size), mode="bilinear")
        return [grid.new_zeros(())] * earlier + [grid]
