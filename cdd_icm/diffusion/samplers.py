"""diffusers' samplers, set up for the training's noise schedule."""

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

from cdd_icm.config import Sampler
from cdd_icm.errors import InputError

SAMPLERS = get_args(Sampler)


def scheduler_like(scheduler: SchedulerMixin, name: str) -> SchedulerMixin:
    """diffusers' sampler `name` on the noise schedule of `scheduler`.

    Raises:
        InputError: `name` is not in `SAMPLERS`, or the sampler does not support the schedule.
    """
    if name not in SAMPLERS:
        near = difflib.get_close_matches(name, SAMPLERS, n=1, cutoff=0.0)[0]
        raise InputError(f"scheduler: {name!r} is not supported; the nearest supported one is {near}")
    config = dict(scheduler.config)
    if type(scheduler).__name__ != name:  # samplers share these keys, but not their values
        config = {key: value for key, value in config.items() if key not in ("algorithm_type", "solver_type")}
    named = getattr(schedulers, name).from_config(config, prediction_type="v_prediction")
    check_scheduler(named)
    return named


def check_scheduler(scheduler: SchedulerMixin) -> None:
    """Checks that a scheduler can sample from a model trained on `training_scheduler`'s noise levels.

    Raises:
        InputError: it inverts pictures to noise, can't start from pure noise, or has other noise levels.
    """
    name = type(scheduler).__name__
    if isinstance(scheduler, DDIMInverseScheduler | DPMSolverMultistepInverseScheduler):
        raise InputError(f"scheduler: {name} inverts pictures to noise; use one of {', '.join(SAMPLERS)}")
    if isinstance(scheduler, HeunDiscreteScheduler):
        raise InputError(f"scheduler: {name} can't start from pure noise; use one of {', '.join(SAMPLERS)}")
    trained = DDIMScheduler.from_config(scheduler.config).alphas_cumprod
    own = getattr(scheduler, "alphas_cumprod", None)
    if own is None or own.shape != trained.shape or (own.sqrt() - trained.sqrt()).abs().max() > 0.01:
        raise InputError(f"scheduler: {name} does not use the model's noise levels")


def set_steps(scheduler: SchedulerMixin, steps: int, device: torch.device | None = None) -> None:
    """Sets the number of inference steps. Raises InputError if it is too many or too few for the
    scheduler."""
    name, limit = type(scheduler).__name__, scheduler.config.num_train_timesteps
    if steps > limit:  # some samplers would silently fail
        raise InputError(f"num_inference_steps is {steps}, expected at most {limit}, the number in training")
    try:
        scheduler.set_timesteps(steps, device=device)
    except ValueError as error:  # such as PNDM, which needs four
        raise InputError(f"num_inference_steps: {name} does not support {steps}") from error
    if hasattr(scheduler, "set_begin_index"):  # Karras' noise levels may duplicate the first timestep
        scheduler.set_begin_index(0)
