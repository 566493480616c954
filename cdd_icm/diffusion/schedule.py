"""The noise schedule x_t = alpha_t x + sigma_t eps, and the weight of the loss at each noise level."""

from __future__ import annotations

from diffusers import DDIMScheduler
from jaxtyping import Float, Int
from torch import Tensor

NUM_TRAIN_TIMESTEPS = 1000
"""T, the number of timesteps."""


def training_scheduler() -> DDIMScheduler:
    """The noise schedule with zero terminal SNR (Lin et al. 2023, arXiv 2305.08891): the last timestep is
    pure noise. Every sampler is made from this scheduler's config."""
    return DDIMScheduler(
        num_train_timesteps=NUM_TRAIN_TIMESTEPS,
        beta_schedule="squaredcos_cap_v2",
        prediction_type="v_prediction",  # every sampler supports it; the pipeline converts to it
        rescale_betas_zero_snr=True,
        timestep_spacing="trailing",
        clip_sample=True,
        clip_sample_range=1.0,
    )


def noise_levels(
    alphas_cumprod: Float[Tensor, " T"], timestep: Int[Tensor, " B"]
) -> tuple[Float[Tensor, "B 1 1 1"], Float[Tensor, "B 1 1 1"]]:
    """alpha_t and sigma_t, with alpha^2 + sigma^2 = 1."""
    squared = alphas_cumprod.to(timestep.device)[timestep].float()[:, None, None, None]
    return squared.sqrt(), (1 - squared).sqrt()


def snr_weight(
    alpha: Float[Tensor, "B 1 1 1"], sigma: Float[Tensor, "B 1 1 1"], bound: float
) -> Float[Tensor, "B 1 1 1"]:
    """min(SNR + 1, bound) with SNR = alpha^2 / sigma^2: the weight of the squared error of x. Without the
    bound it is the v-prediction objective; the bound is from min-SNR (Hang et al. 2023, arXiv 2303.09556)."""
    return (1 / sigma.square().clamp(min=1e-8)).clamp(max=bound)
