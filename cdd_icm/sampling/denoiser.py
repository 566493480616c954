"""The guided denoiser that the sampler calls at each timestep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from diffusers import SchedulerMixin
from jaxtyping import Float
from torch import Tensor

from cdd_icm.config import SamplingConfig
from cdd_icm.diffusion.guidance import branches, combine, icm_step
from cdd_icm.diffusion.parameterisation import from_sample, to_sample
from cdd_icm.diffusion.region import composite
from cdd_icm.diffusion.schedule import noise_levels
from cdd_icm.model.fusion import Fused
from cdd_icm.model.matcher import Matcher, log_match
from cdd_icm.model.unet import ConditionalUNet
from cdd_icm.plan.protocol import SampledPlans


@dataclass(frozen=True)
class Denoiser:
    """Predicts the denoised pictures of a batch with guidance.

    Args:
        prediction_type: the UNet's parameterisation, see `to_sample`. reference: in [-1, 1].
        conditions: the condition of each branch of `guidance.branches`; with ICM guidance also "image_only".
        plan: the sampled plans, None for a model without a plan.
    """

    unet: ConditionalUNet
    matcher: Matcher
    scheduler: SchedulerMixin
    prediction_type: str
    settings: SamplingConfig
    reference: Float[Tensor, "B 3 R R"]
    conditions: Mapping[str, Fused]
    plan: SampledPlans | None

    def __call__(self, latents: Float[Tensor, "B 3 R R"], t: Tensor) -> Float[Tensor, "B 3 R R"]:
        """The prediction at timestep t, in the scheduler's parameterisation; all branches in one forward
        pass."""
        settings, config = self.settings, self.scheduler.config
        noisy = self.scheduler.scale_model_input(latents, t)
        step = torch.full((len(noisy),), int(t), device=noisy.device, dtype=torch.long)
        alpha, sigma = noise_levels(self.scheduler.alphas_cumprod, step)  # (B, 1, 1, 1) each
        scales = (settings.guidance_scale, settings.image_guidance_scale)
        names = branches(*scales)
        samples = self._samples(names, noisy, step, alpha, sigma)
        sample = combine(dict(zip(names, samples, strict=True)), *scales)
        if settings.icm_guidance_scale:
            gradient = self._match_gradient(noisy, step)
            sample = icm_step(sample, gradient, alpha, sigma, settings.icm_guidance_scale)
        return from_sample(sample, noisy, alpha, sigma, config.prediction_type)

    def _samples(
        self, names: tuple[str, ...], noisy: Tensor, step: Tensor, alpha: Tensor, sigma: Tensor
    ) -> tuple[Float[Tensor, "B 3 R R"], ...]:
        """The clean picture predicted in each branch."""
        k, null = len(names), torch.zeros_like(self.reference)
        references = torch.cat([null if name == "nothing" else self.reference for name in names])
        plan_map = None
        if self.plan is not None:
            full_map = self.plan.feature_map
            null_map = torch.zeros_like(full_map)
            plan_map = torch.cat([full_map if name == "full" else null_map for name in names])
        output = self.unet(
            noisy.repeat(k, 1, 1, 1),
            step.repeat(k),
            Fused.cat([self._seen(name) for name in names]),
            references,
            references.new_zeros(len(references)),
            plan_map,
        )
        levels = (part.repeat(k, 1, 1, 1) for part in (noisy, alpha, sigma))
        denoised = to_sample(output.prediction, *levels, self.prediction_type)
        return composite(denoised, output.mask, references).chunk(k)

    def _seen(self, name: str) -> Fused:
        """The condition that the UNet sees in a branch."""
        planned = self.plan is not None and self.plan.replaces_text
        return self.conditions["image_only" if planned and name == "full" else name]

    @torch.inference_mode(False)
    @torch.enable_grad()
    def _match_gradient(self, noisy: Tensor, step: Tensor) -> Float[Tensor, "B 3 R R"]:
        """grad_{x_t} log p_ICM(match | x_t, f)."""
        noisy = noisy.clone().requires_grad_()  # copies: inference-mode tensors can't have a gradient
        queries = (self.conditions[name].query.clone() for name in ("full", "image_only"))
        score = log_match(self.matcher, noisy.to(self.matcher.dtype), step.clone(), *queries)
        return torch.autograd.grad(score.sum(), noisy)[0].float()
