"""Multi-head attention, and the kernel that suits the device."""

from __future__ import annotations

from contextlib import nullcontext

import torch
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import rms_norm


def _attention_kernel(device: torch.device):
    """The fused kernel's bf16 backward is several times slower than plain matmul and softmax on CPUs."""
    return sdpa_kernel(SDPBackend.MATH) if device.type == "cpu" else nullcontext()


class Attention(nn.Module):
    """Multi-head attention as matmul and softmax: the fused kernel's bf16 backward is slow on CPUs.

    `normalised` bounds the scores by normalising queries and keys (Henry et al. 2020, arXiv 2010.04245).
    """

    def __init__(self, width: int, heads: int, normalised: bool = False):
        super().__init__()
        self.heads, self.normalised = heads, normalised
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
        """`x` looks at those of `y` that `mask` allows; `bias` is added to each head's scores."""
        q = rearrange(self.q(x), "b n (h d) -> b h n d", h=self.heads)
        k, v = rearrange(self.kv(y), "b m (two h d) -> two b h m d", two=2, h=self.heads)
        if self.normalised:
            q, k = (rms_norm(part, part.shape[-1:]) for part in (q, k))
        scores = q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5  # (B, h, N, M)
        if bias is not None:
            scores = scores + bias
        if mask is not None:
            scores = scores.masked_fill(~mask[:, None, None, :], -1e4)
        return self.out(rearrange(scores.softmax(dim=-1) @ v, "b h n d -> b n (h d)"))  # (B, N, D)
