"""The CDD objective: the weighted squared error of the denoised picture."""

from __future__ import annotations

from jaxtyping import Bool, Float
from torch import Tensor

from cdd_icm.diffusion.region import Balance, _pixels, balanced


def cdd_loss(
    sample: Float[Tensor, "B 3 R R"],
    target: Float[Tensor, "B 3 R R"],
    changed: Bool[Tensor, "B 1 R R"],
    weight: Float[Tensor, "B 1 1 1"],
    changed_weight: float,
    balance: Balance = "regions",
) -> tuple[Float[Tensor, " B"], Float[Tensor, " B"]]:
    """Loss per item, and the plain squared error inside the changed region, which tells whether it draws.

    L_CDD = w_t balanced((x - x^)^2), c = `changed_weight`, see `balanced`. Both ways make a small object
    count as much as a large one, and keep the loss near 1, where it can stand up to the other objectives in
    the modules that they share.
    """
    error = (sample.float() - target).square().mean(dim=1, keepdim=True)  # (B, 1, R, R)
    inside = (error * changed).sum(dim=(1, 2, 3)) / _pixels(changed)
    return weight.flatten() * balanced(error, changed, changed_weight, balance), inside
