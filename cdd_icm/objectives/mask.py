"""The mask objective: the UNet's mask is trained to cover the pixels that the turn changes."""

from __future__ import annotations

from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from cdd_icm.diffusion.region import Balance, balanced


def mask_loss(
    logits: Float[Tensor, "B 1 R R"], changed: Bool[Tensor, "B 1 R R"], balance: Balance = "regions"
) -> Float[Tensor, " B"]:
    """L_mask = balanced(-log p(changed)) / 2 with c = 1, see `region.balanced`."""
    loss = binary_cross_entropy_with_logits(logits, changed.float(), reduction="none")
    return balanced(loss, changed, 1.0, balance) / 2
