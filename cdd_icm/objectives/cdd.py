"""The CDD objective: the weighted squared error of the denoised picture, L_CDD."""

from __future__ import annotations

from jaxtyping import Bool, Float
from torch import Tensor

from cdd_icm.diffusion.region import Balance, balanced, count_pixels


def cdd_loss(
    sample: Float[Tensor, "B 3 R R"],
    target: Float[Tensor, "B 3 R R"],
    changed: Bool[Tensor, "B 1 R R"],
    weight: Float[Tensor, "B 1 1 1"],
    changed_weight: float,
    balance: Balance = "regions",
) -> tuple[Float[Tensor, " B"], Float[Tensor, " B"]]:
    """The loss per item, and the unweighted squared error inside the changed region.

    The latter shows in the log whether the model draws what is asked.

    L_CDD = w_t balanced((x - x^)^2) with c = `changed_weight`, see `balanced`. Both kinds of balance keep the
    loss near 1, so that the other objectives do not dominate it in the shared modules.
    """
    error = (sample.float() - target).square().mean(dim=1, keepdim=True)  # (B, 1, R, R)
    inside = (error * changed).sum(dim=(1, 2, 3)) / count_pixels(changed)
    return weight.flatten() * balanced(error, changed, changed_weight, balance), inside
