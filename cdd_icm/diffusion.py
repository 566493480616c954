"""The diffusion process: x_t = alpha_t x + sigma_t eps, its parameterisations, weights and loss."""

from __future__ import annotations

import difflib
from typing import get_args

import torch
from diffusers import (
    DDIMInverseScheduler,
    DDIMScheduler,
    DPMSolverMultistepInverseScheduler,
    HeunDiscreteScheduler,
    SchedulerMixin,
    schedulers,
)
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, max_pool2d

from cdd_icm.config import Balance, DiffusionConfig, Sampler
from cdd_icm.errors import InputError


def training_scheduler(config: DiffusionConfig) -> DDIMScheduler:
    """The noise schedule with zero terminal SNR (Lin et al. 2023, arXiv 2305.08891): at the last step there
    is only noise. Every sampler is made from this scheduler's config."""
    return DDIMScheduler(
        num_train_timesteps=config.num_train_timesteps,
        beta_schedule=config.beta_schedule,
        prediction_type="v_prediction",  # what every sampler takes; the pipeline converts to it
        rescale_betas_zero_snr=True,
        timestep_spacing="trailing",
        clip_sample=True,
        clip_sample_range=1.0,
    )


SAMPLERS = get_args(Sampler)


def scheduler_like(scheduler: SchedulerMixin, name: str) -> SchedulerMixin:
    """diffusers' sampler `name` on the noise schedule of `scheduler`.

    Raises:
        InputError: `name` is none of `SAMPLERS`, or that sampler can't take the schedule.
    """
    if name not in SAMPLERS:
        near = difflib.get_close_matches(name, SAMPLERS, n=1, cutoff=0.0)[0]
        raise InputError(f"scheduler: {name!r} can't be used; the nearest that can is {near}")
    config = dict(scheduler.config)
    if type(scheduler).__name__ != name:  # keys that several samplers have, each with values of its own
        config = {key: value for key, value in config.items() if key not in ("algorithm_type", "solver_type")}
    named = getattr(schedulers, name).from_config(config, prediction_type="v_prediction")
    check_scheduler(named)
    return named


def check_scheduler(scheduler: SchedulerMixin) -> None:
    """Raises InputError where a scheduler goes from the picture to the noise, can't begin where there is only
    noise, or its noise levels are not those of `training_scheduler`, in whose config it should have been
    made: the network would be told wrong ones."""
    name = type(scheduler).__name__
    if isinstance(scheduler, DDIMInverseScheduler | DPMSolverMultistepInverseScheduler):
        raise InputError(f"scheduler: {name} makes noise of pictures; take one of {', '.join(SAMPLERS)}")
    if isinstance(scheduler, HeunDiscreteScheduler):
        raise InputError(f"scheduler: {name} can't begin with pure noise; take one of {', '.join(SAMPLERS)}")
    trained = DDIMScheduler.from_config(scheduler.config).alphas_cumprod
    own = getattr(scheduler, "alphas_cumprod", None)
    if own is None or own.shape != trained.shape or (own.sqrt() - trained.sqrt()).abs().max() > 0.01:
        raise InputError(f"scheduler: {name} does not take the model's noise levels")


def set_steps(scheduler: SchedulerMixin, steps: int, device: torch.device | None = None) -> None:
    """Prepares the scheduler for so many steps. Raises InputError where it can't take so many, or so few."""
    name, most = type(scheduler).__name__, scheduler.config.num_train_timesteps
    if steps > most:  # of which some samplers would draw nonsense
        raise InputError(f"num_inference_steps is {steps}, expected at most {most}, as many as in training")
    try:
        scheduler.set_timesteps(steps, device=device)
    except ValueError as error:  # such as PNDM's, which needs four
        raise InputError(f"num_inference_steps: {name} can't take {steps}") from error
    if hasattr(scheduler, "set_begin_index"):  # with Karras' noise levels, the first timestep may come twice
        scheduler.set_begin_index(0)


def noise_levels(
    alphas_cumprod: Float[Tensor, " T"], timestep: Int[Tensor, " B"]
) -> tuple[Float[Tensor, "B 1 1 1"], Float[Tensor, "B 1 1 1"]]:
    """alpha_t and sigma_t, with alpha^2 + sigma^2 = 1."""
    squared = alphas_cumprod.to(timestep.device)[timestep].float()[:, None, None, None]
    return squared.sqrt(), (1 - squared).sqrt()


def add_noise(x: Tensor, eps: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
    """x_t = alpha x + sigma eps."""
    return alpha * x + sigma * eps


def to_sample(prediction: Tensor, noisy: Tensor, alpha: Tensor, sigma: Tensor, kind: str) -> Tensor:
    """The clean picture that a prediction stands for. v = alpha eps - sigma x (Salimans and Ho 2022, arXiv
    2202.00512); `epsilon` says nothing about x where alpha is 0.
    """
    if kind == "sample":
        return prediction
    if kind == "v_prediction":
        return alpha * noisy - sigma * prediction
    return (noisy - sigma * prediction) / alpha.clamp(min=1e-3)


def from_sample(x: Tensor, noisy: Tensor, alpha: Tensor, sigma: Tensor, kind: str) -> Tensor:
    """The inverse of `to_sample`."""
    if kind == "sample":
        return x
    if kind == "v_prediction":
        return (alpha * noisy - x) / sigma.clamp(min=1e-3)
    return (noisy - alpha * x) / sigma.clamp(min=1e-3)


def composite(
    painted: Float[Tensor, "B 3 R R"],
    mask: Float[Tensor, "B 1 R R"] | None,
    reference: Float[Tensor, "B 3 R R"],
) -> Float[Tensor, "B 3 R R"]:
    """M c + (1 - M) r, M the sigmoid of the mask's logits: where a turn changes nothing, the clean reference
    shows through untouched, so that errors do not pile up over turns. Without a mask it is c."""
    if mask is None:
        return painted
    shown = mask.sigmoid()
    return shown * painted + (1 - shown) * reference


def snr_weight(
    alpha: Float[Tensor, "B 1 1 1"], sigma: Float[Tensor, "B 1 1 1"], bound: float
) -> Float[Tensor, "B 1 1 1"]:
    """min(alpha^2/sigma^2 + 1, bound): the weight of the squared error of x. Unbounded it is the
    v-objective; the bound is min-SNR's (Hang et al. 2023, arXiv 2303.09556)."""
    return (1 / sigma.square().clamp(min=1e-8)).clamp(max=bound)


def changed_region(
    reference: Float[Tensor, "B 3 R R"],
    target: Float[Tensor, "B 3 R R"],
    threshold: float = 0.12,
    grow: int = 9,
) -> Bool[Tensor, "B 1 R R"]:
    """Where |target - reference| exceeds `threshold` (of [-1, 1]) in some channel, dilated to `grow`
    pixels."""
    change = (target - reference).abs().amax(dim=1)
    # The batch as channels that lie last, rows before columns: so torch's pooling on CPUs takes a seventh of
    # the time.
    mask = (change > threshold).float()[None].contiguous(memory_format=torch.channels_last)
    mask = max_pool2d(mask, (grow, 1), stride=1, padding=(grow // 2, 0))
    mask = max_pool2d(mask, (1, grow), stride=1, padding=(0, grow // 2))
    return mask[0, :, None] > 0


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


def mask_loss(
    logits: Float[Tensor, "B 1 R R"], changed: Bool[Tensor, "B 1 R R"], balance: Balance = "regions"
) -> Float[Tensor, " B"]:
    """balanced(-log p(changed)) / 2, with c = 1."""
    loss = binary_cross_entropy_with_logits(logits, changed.float(), reduction="none")
    return balanced(loss, changed, 1.0, balance) / 2


def balanced(
    values: Float[Tensor, "B 1 R R"], changed: Bool[Tensor, "B 1 R R"], c: float, balance: Balance
) -> Float[Tensor, " B"]:
    """What the changed region and the rest count, per item.

    "regions": the mean of `values` outside + c the mean inside. A changed pixel then counts as much as many
    others, so that a small object is seen at all; but where the network can't know whether something is to
    vanish, that makes it vanish.
    "pixels": (the sum outside + c the sum inside) / the pixels inside (at least a hundredth of the picture).
    A changed pixel counts c others.
    """
    inside, outside = ((values * region).sum(dim=(1, 2, 3)) for region in (changed, ~changed))
    if balance == "regions":
        return outside / _pixels(~changed) + c * inside / _pixels(changed)
    return (outside + c * inside) / _pixels(changed).clamp(min=changed[0].numel() / 100)


def _pixels(region: Bool[Tensor, "B 1 R R"]) -> Int[Tensor, " B"]:
    return region.sum(dim=(1, 2, 3)).clamp(min=1)
