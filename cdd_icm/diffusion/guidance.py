"""Guidance during sampling: two-scale classifier-free guidance, and guidance by the matcher's gradient."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor


def classifier_free(
    full: Float[Tensor, "B C H W"],
    image_only: Float[Tensor, "B C H W"],
    nothing: Float[Tensor, "B C H W"],
    guidance_scale: float,
    image_guidance_scale: float,
) -> Float[Tensor, "B C H W"]:
    """Two-scale guidance, equation 3 of InstructPix2Pix (Brooks et al. 2023, arXiv 2211.09800).

    p(0,0) + s_I (p(r,0) - p(0,0)) + s_T (p(r,m) - p(r,0)), with r the reference and m the text; it is p(r,m)
    if both scales are 1.

    Args:
        full, image_only, nothing: the predictions p(r,m), p(r,0) and p(0,0).
        guidance_scale: s_T. image_guidance_scale: s_I.
    """
    return nothing + image_guidance_scale * (image_only - nothing) + guidance_scale * (full - image_only)


def branches(guidance_scale: float, image_guidance_scale: float) -> tuple[str, ...]:
    """The branches, of "full", "image_only" and "nothing", that these scales need."""
    if image_guidance_scale != 1:
        return ("full", "image_only", "nothing")
    return ("full", "image_only") if guidance_scale != 1 else ("full",)


def combine(predictions: dict[str, Tensor], guidance_scale: float, image_guidance_scale: float) -> Tensor:
    """`classifier_free` on the predictions of the `branches`; the missing ones have weight 0."""
    full = predictions["full"]
    image_only = predictions.get("image_only", full)
    return classifier_free(
        full, image_only, predictions.get("nothing", image_only), guidance_scale, image_guidance_scale
    )


def icm_step(
    sample: Float[Tensor, "B C H W"],
    gradient: Float[Tensor, "B C H W"],
    alpha: Float[Tensor, "B 1 1 1"],
    sigma: Float[Tensor, "B 1 1 1"],
    icm_guidance_scale: float,
    max_rms: float = 0.1,
) -> Float[Tensor, "B C H W"]:
    """Classifier guidance (Dhariwal and Nichol 2021, arXiv 2105.05233) on the predicted clean picture.

    eps' = eps - w sigma_t g with g = grad log p_ICM(match | x_t, f) is x' = x + w (sigma_t^2 / alpha_t) g.
    Near pure noise 1 / alpha_t diverges and g carries little information, so the step is bounded: its root
    mean square over an item is at most `max_rms`, in units of [-1, 1] pixels.
    """
    step = icm_guidance_scale * sigma.square() / alpha.clamp(min=1e-3) * gradient
    rms = step.square().mean(dim=(1, 2, 3), keepdim=True).sqrt()
    return sample + step * (max_rms / rms.clamp(min=max_rms))
