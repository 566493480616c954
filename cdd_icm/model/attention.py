"""Multi-head attention with the fastest kernel for the device.

On CUDA this is torch's fused `scaled_dot_product_attention`. On CPUs the fused kernel's bfloat16 backward
pass is several times slower than matmul and softmax, so these are used instead.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from diffusers.models.attention_processor import Attention as UNetAttention
from diffusers.models.attention_processor import AttnProcessor, AttnProcessor2_0
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention

MASKED = -1e4
"""Score of masked positions. It is finite, so that a row with all positions masked is not NaN."""


def is_fused(device: torch.device) -> bool:
    """Whether attention on `device` uses the fused kernel."""
    return device.type == "cuda"


def attention_kernel(device: torch.device) -> AbstractContextManager:
    """A context in which other libraries' attention uses the fastest kernel for `device`."""
    return sdpa_kernel(SDPBackend.MATH) if device.type == "cpu" else nullcontext()


class Attention(nn.Module):
    """Multi-head attention (Vaswani et al. 2017, arXiv 1706.03762).

    Args:
        width: D. heads: h, a divisor of D.
    """

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.q, self.kv, self.out = (
            nn.Linear(width, width),
            nn.Linear(width, 2 * width),
            nn.Linear(width, width),
        )

    def forward(
        self,
        x: Float[Tensor, "B N D"],
        y: Float[Tensor, "B M D"],
        mask: Bool[Tensor, "B M"] | None = None,
        bias: Float[Tensor, "h N M"] | None = None,
    ) -> Float[Tensor, "B N D"]:
        """`x` attends to `y` where `mask` is True; `bias` is added to each head's scores."""
        q = rearrange(self.q(x), "b n (h d) -> b h n d", h=self.heads)
        k, v = rearrange(self.kv(y), "b m (two h d) -> two b h m d", two=2, h=self.heads)
        attend = fused_attention if is_fused(x.device) else plain_attention
        return self.out(rearrange(attend(q, k, v, mask, bias), "b h n d -> b n (h d)"))  # (B, N, D)


def plain_attention(
    q: Float[Tensor, "B h N d"],
    k: Float[Tensor, "B h M d"],
    v: Float[Tensor, "B h M d"],
    mask: Bool[Tensor, "B M"] | None,
    bias: Float[Tensor, "h N M"] | None,
) -> Float[Tensor, "B h N d"]:
    """softmax(q k^T / sqrt(d) + bias) v as matmul and softmax."""
    scores = q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5  # (B, h, N, M)
    if bias is not None:
        scores = scores + bias
    if mask is not None:
        scores = scores.masked_fill(~mask[:, None, None, :], MASKED)
    return scores.softmax(dim=-1) @ v


def fused_attention(
    q: Float[Tensor, "B h N d"],
    k: Float[Tensor, "B h M d"],
    v: Float[Tensor, "B h M d"],
    mask: Bool[Tensor, "B M"] | None,
    bias: Float[Tensor, "h N M"] | None,
) -> Float[Tensor, "B h N d"]:
    """`plain_attention` by torch's fused kernel."""
    scores = None if bias is None else bias[None]  # (1, h, N, M)
    if mask is not None:
        masked = ~mask[:, None, None, :]  # (B, 1, 1, M)
        empty = q.new_zeros(()) if scores is None else scores
        scores = torch.where(masked, MASKED, empty).expand(len(q), -1, q.shape[2], -1)  # (B, 1 or h, N, M)
    return scaled_dot_product_attention(q, k, v, attn_mask=None if scores is None else scores.to(q.dtype))


class DeviceAttnProcessor:
    """diffusers' attention with the fastest kernel for the device of its input."""

    def __init__(self):
        self.plain, self.fused = AttnProcessor(), AttnProcessor2_0()

    def __call__(
        self,
        attn: UNetAttention,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        temb: Tensor | None = None,
    ) -> Tensor:
        process = self.fused if is_fused(hidden_states.device) else self.plain
        return process(attn, hidden_states, encoder_hidden_states, attention_mask, temb)
