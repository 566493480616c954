"""The only training loop. A `Recipe` gives it what differs between generator, detector and retrieval."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from cdd_icm.config import RunConfig
from cdd_icm.device import reuse_freed_memory
from cdd_icm.hashing import derive_seed, fingerprint
from cdd_icm.progress import Progress
from cdd_icm.train.checkpoint import claim_folder, restore, save
from cdd_icm.train.finite import FiniteCheck
from cdd_icm.train.log import Log, mean_of_each
from cdd_icm.train.optim import MAX_GRAD_NORM, clip_gradients
from cdd_icm.train.processes import Coordinator, make_accelerator
from cdd_icm.train.schedule import is_due, learning_rate_at, set_learning_rate
from cdd_icm.train.signals import StopSignal
from cdd_icm.train.state import EMA_HALF_LIFE, prepare, update_ema


class Part(NamedTuple):
    """A micro-batch of one process."""

    batch: Any
    first: int
    """The number of its first sample in the run."""
    step: int
    """That of the first sample of its step, in all processes."""


class Recipe(ABC):
    """What is trained, on what, and what comes of it. Everything random is a function of (seed, samples)."""

    unit = "images"
    """What the progress bar counts."""
    shown_losses: tuple[str, ...] = ("loss",)
    """The columns of the log that the progress bar shows."""
    mutable_keys: Mapping[str, Collection[str]] = {}
    """Config keys that may change when a run goes on, by section; "" is the top."""
    betas = (0.9, 0.99)
    """Of AdamW."""
    weight_decay = 0.01
    """Of AdamW, on matrices and kernels."""
    max_grad_norm = MAX_GRAD_NORM
    """Bound of the gradient norm of each of the `clipped_parts`."""
    ema_half_life = EMA_HALF_LIFE
    """Of the weight average, as a share of the samples seen; 0: no average."""
    gradient_accumulation = 1
    has_unused_parameters = False
    """Whether some weights that are trained have no gradient in some step: DDP must look for them then, which
    costs time in every step, and fails otherwise."""

    def __init__(self, config: Any, settings: RunConfig):
        """`config`: what the run's folder keeps; it has `output_dir` and `seed`."""
        self.config, self.settings, self.root = config, settings, Path(config.output_dir)

    @abstractmethod
    def build(self, accelerator: Accelerator) -> nn.Module:
        """The model before its first step. Its initialisation is seeded; all processes take part."""

    @abstractmethod
    def data_order(self) -> Sequence[Any]:
        """What decides the order of the samples, such as their ids: a run goes on with the same only."""

    @abstractmethod
    def batches(self, size: int, samples: int, rank: int, world: int) -> Iterator[Any]:
        """This process's micro-batches of `size`, endless, on its device, from sample `samples` on."""

    @abstractmethod
    def loss(self, model: nn.Module, part: Part, shared: Any) -> dict[str, Tensor]:
        """`loss` () and whatever else is logged, () or (n,). `shared`: what `share` gave for this part."""

    @abstractmethod
    def publish(self, average: nn.Module, samples: int, final: bool) -> None:
        """Validates the averaged model and writes what the run is for, in one process. A final call may come
        again when a finished run is started once more."""

    def batch_size(self, samples: int) -> int:
        """Samples of a micro-batch of one process from sample `samples` on."""
        return self.settings.batch_size // self.gradient_accumulation

    def learning_rate(self, samples: int) -> float:
        return learning_rate_at(samples, self.settings)

    def share(self, model: nn.Module, parts: Sequence[Part]) -> Sequence[Any]:
        """For each micro-batch of a step, what its loss needs to know of the others."""
        return [None] * len(parts)

    def clipped_parts(self, model: nn.Module) -> list[list[nn.Parameter]]:
        """The parameters of each part whose gradient norm is bounded by itself."""
        return [list(model.parameters())]

    def rehearse(self, average: nn.Module) -> None:  # noqa: B027 (most recipes have nothing to try)
        """After the first step, in one process: tries what would otherwise fail at the first validation."""

    def means(self, values: dict[str, Tensor]) -> dict[str, float | None]:
        """A line of the log from all values since the last one."""
        return mean_of_each(values)

    def names(self, batch: Any) -> list[str]:
        """The names of the batch's samples, for messages."""
        return []

    def culprits(self, names: list[str], out: dict[str, Tensor]) -> list[str]:
        """Those samples of a batch whose own loss is not finite."""
        return []


def fit(recipe: Recipe) -> None:
    """Trains to the end, or goes on from the last checkpoint in the run's folder.

    Raises:
        InputError: a config that differs from the one the run began with, a damaged checkpoint, or a setting
            that this machine can't fulfil.
        FloatingPointError: a loss or gradient is not finite; the last checkpoint is kept.
        KeyboardInterrupt: after Ctrl-C or SIGTERM, once a checkpoint is written.
    """
    t, root, accumulation = recipe.settings, recipe.root, recipe.gradient_accumulation
    accelerator = make_accelerator(root, t, accumulation, recipe.has_unused_parameters)
    rank, world = accelerator.process_index, accelerator.num_processes
    reuse_freed_memory()
    claim_folder(root, recipe.config, recipe.mutable_keys, accelerator)
    torch.manual_seed(recipe.config.seed)
    model, ema, optimizer = prepare(
        accelerator, recipe.build(accelerator), t, recipe.betas, recipe.weight_decay
    )
    data = fingerprint(recipe.data_order())
    samples = restore(root, model, ema, optimizer, accelerator, data)
    coordinator, check = Coordinator(accelerator), FiniteCheck(accelerator, root)
    log = Log(root / "log.jsonl", samples, accelerator, recipe.means)

    def with_average(use: Callable[..., None], *given: Any) -> None:
        if average := ema.gather():  # in the main process; the others wait for as long as it takes
            use(average, *given)
        coordinator.wait()

    size, batches = 0, iter(())
    model.train()
    bar = Progress(total=t.total_samples, initial=samples, unit=recipe.unit, smoothing=0.05, disable=rank > 0)
    with StopSignal() as stop, bar:
        while samples < t.total_samples:
            before, learning_rate = samples, recipe.learning_rate(samples)
            set_learning_rate(optimizer, learning_rate)
            if size != recipe.batch_size(samples):
                size = recipe.batch_size(samples)
                batches = recipe.batches(size, samples, rank, world)
            parts = [
                Part(next(batches), samples + (number * world + rank) * size, samples)
                for number in range(accumulation)
            ]
            for part, shared in zip(parts, recipe.share(model, parts), strict=True):
                start = part.first - rank * size
                torch.manual_seed(derive_seed(recipe.config.seed, start, rank))  # for dropout
                with accelerator.accumulate(model):
                    out = recipe.loss(model, part, shared)
                    accelerator.backward(out["loss"])
                log.add(out)
                check.add_loss(start, recipe.names(part.batch), out)
            norm = clip_gradients(
                accelerator, recipe.clipped_parts(accelerator.unwrap_model(model)), recipe.max_grad_norm
            )
            check.add_norm(before, norm)
            optimizer.step()
            optimizer.zero_grad()
            samples += accumulation * size * world
            bar.update(samples - before)

            last, stopping = samples >= t.total_samples, coordinator.any(stop.received)
            logging, saving, validating = (
                last or is_due(interval, before, samples)
                for interval in (t.log_samples, t.checkpoint_samples, t.validation_samples)
            )
            if last or is_due(t.ema_samples, before, samples):
                interval = max(t.ema_samples, samples - before)
                unwrapped = accelerator.unwrap_model(model)
                update_ema(ema.shards, unwrapped, samples, interval, recipe.ema_half_life)
            if before == 0 or logging or saving or validating or stopping:
                check.raise_if_not_finite(recipe.culprits)  # the only place where a GPU is waited for
            if before == 0:
                with_average(recipe.rehearse)
            if logging:
                line = log.write(samples, learning_rate=learning_rate, grad_norm=float(norm))
                bar.set_postfix({name: f"{line[name]:.4f}" for name in recipe.shown_losses})
            if saving or stopping:
                save(root, model, ema, optimizer, accelerator, samples, data)
            if stopping:
                raise KeyboardInterrupt
            if validating and not last:
                with_average(recipe.publish, samples, False)
    with_average(recipe.publish, samples, True)
    for tracker in accelerator.trackers:
        tracker.finish()
