"""The training loop. Generator, detector and retrieval each implement a `Recipe` for it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from cdd_icm.config import RunConfig
from cdd_icm.device import process_state, reuse_freed_memory
from cdd_icm.hashing import derive_seed, fingerprint
from cdd_icm.limits import MEMORY, PIXELS, WORKERS
from cdd_icm.lock import claimed
from cdd_icm.progress import Progress
from cdd_icm.signals import StopSignal
from cdd_icm.train.checkpoint import claim_folder, restore, save
from cdd_icm.train.finite import FiniteCheck
from cdd_icm.train.log import Log, mean_of_each
from cdd_icm.train.optim import MAX_GRAD_NORM, clip_gradients
from cdd_icm.train.processes import Coordinator, make_accelerator
from cdd_icm.train.schedule import is_due, learning_rate_at, set_learning_rate
from cdd_icm.train.state import EMA_HALF_LIFE, prepare, update_ema


class MicroBatch(NamedTuple):
    """A micro-batch of one process."""

    batch: Any
    first: int
    """The number of its first sample in the run."""
    step: int
    """The number of the first sample of its step, over all processes."""


class Recipe(ABC):
    """The model, data, loss and results of a training run. All randomness is a function of (seed,
    samples)."""

    unit = "images"
    """The progress bar's unit."""
    shown_losses: tuple[str, ...] = ("loss",)
    """The columns of the log that the progress bar shows."""
    mutable_keys: Mapping[str, Collection[str]] = {}
    """Config keys that may change when a run is resumed, by section; "" is the top level."""
    betas = (0.9, 0.99)
    """AdamW's betas."""
    weight_decay = 0.01
    """AdamW's weight decay of matrices and kernels."""
    max_grad_norm = MAX_GRAD_NORM
    """Bound of the gradient norm of each of the `clipped_parts`."""
    ema_half_life = EMA_HALF_LIFE
    """Half-life of the weight average, as a share of the samples seen; 0: no average."""
    gradient_accumulation = 1
    has_unused_parameters = False
    """Whether some trained parameters may have no gradient in a step. DDP then has to search for them in
    every step, which takes time, and fails otherwise."""

    def __init__(self, config: Any, settings: RunConfig):
        """`config`: saved in the run's folder; has `output_dir`, `seed` and `data`. `settings`: read by the
        loop. Raises InputError if pictures, batch or loader processes alone are over a limit."""
        self.config, self.settings, self.root = config, settings, Path(config.output_dir)
        side, batch, workers = config.data.image_size, settings.batch_size, config.data.num_workers
        PIXELS.check(side**2, f"data.image_size is {side}: a picture has")
        MEMORY.check(
            batch * 12 * side**2, f"training.batch_size is {batch}: pictures of {side}x{side} need at least"
        )
        WORKERS.check(workers, "data.num_workers asks for")

    @abstractmethod
    def build(self, accelerator: Accelerator) -> nn.Module:
        """The initial model. torch's seed is set before; all processes call it."""

    @abstractmethod
    def data_order(self) -> Sequence[Any]:
        """Values that determine the order of the samples, such as their ids; they must be the same on
        resumption."""

    @abstractmethod
    def batches(self, size: int, samples: int, rank: int, world: int) -> Iterator[Any]:
        """An endless stream of this process's micro-batches of `size`, on its device, starting at
        `samples`."""

    @abstractmethod
    def loss(self, model: nn.Module, part: MicroBatch, shared: Any) -> dict[str, Tensor]:
        """`loss` () and other values to log, () or (n,). `shared`: the result of `share` for this part."""

    @abstractmethod
    def publish(self, average: nn.Module, coordinator: Coordinator, samples: int, final: bool) -> None:
        """Validates the averaged model, which all processes share by `Coordinator.spread`, and writes the
        results in the main one. The final call is repeated if a finished run is started again."""

    def learning_rate(self, samples: int) -> float:
        """The learning rate at sample `samples`."""
        return learning_rate_at(samples, self.settings)

    def share(self, model: nn.Module, parts: Sequence[MicroBatch]) -> Sequence[Any]:
        """For each micro-batch of a step, data from the other micro-batches that its loss needs."""
        return [None] * len(parts)

    def clipped_parts(self, model: nn.Module) -> list[list[nn.Parameter]]:
        """The groups of parameters whose gradient norms are clipped separately."""
        return [list(model.parameters())]

    def validate_briefly(self, average: nn.Module, coordinator: Coordinator) -> None:  # noqa: B027 (optional)
        """Runs a short validation after the first step, so that errors show up early."""

    def means(self, values: dict[str, Tensor]) -> dict[str, float | None]:
        """The columns of a log line from all values since the last line."""
        return mean_of_each(values)

    def names(self, batch: Any) -> list[str]:
        """The names of the batch's samples, for error messages."""
        return []

    def culprits(self, names: list[str], out: dict[str, Tensor]) -> list[str]:
        """The names of the samples whose own loss is not finite."""
        return []


def fit(recipe: Recipe) -> None:
    """Trains to the end, resuming from the last checkpoint in the run's folder if there is one.

    Raises:
        InputError: a config that differs from the run's original one, a damaged checkpoint, a setting that
            this machine does not support, or another process trains in the folder.
        FloatingPointError: a loss or gradient is not finite; the last checkpoint is kept.
        Stopped: after Ctrl-C or SIGTERM, once a checkpoint is written.
    """
    with claimed(recipe.root) if process_state().is_main_process else nullcontext():
        _fit(recipe)


def _fit(recipe: Recipe) -> None:
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
    samples, unpublished = restore(root, model, ema, optimizer, accelerator, data)
    coordinator, check = Coordinator(accelerator), FiniteCheck(accelerator, root)
    log = Log(root / "log.jsonl", samples, accelerator, recipe.means)

    def with_average(function: Callable[..., None], *arguments: Any) -> None:
        function(ema.gather(), coordinator, *arguments)
        coordinator.wait()  # for the main process, which writes

    if unpublished:  # a process was killed or stopped before it had
        with_average(recipe.publish, samples, False)
    size = t.batch_size // accumulation  # of one process's micro-batch
    batches = recipe.batches(size, samples, rank, world)
    model.train()
    bar = Progress(total=t.total_samples, initial=samples, unit=recipe.unit, smoothing=0.05, disable=rank > 0)
    with StopSignal() as stop, bar:
        while samples < t.total_samples:
            before, learning_rate = samples, recipe.learning_rate(samples)
            set_learning_rate(optimizer, learning_rate)
            parts = [
                MicroBatch(next(batches), samples + (number * world + rank) * size, samples)
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
            check.before_step(optimizer.optimizer, recipe.culprits)
            optimizer.step()
            optimizer.zero_grad()
            samples += accumulation * size * world
            bar.update(samples - before)

            last, stopping = samples >= t.total_samples, coordinator.any(bool(stop.received))
            logging, saving, validating = (
                last or is_due(interval, before, samples)
                for interval in (t.log_samples, t.checkpoint_samples, t.validation_samples)
            )
            update_ema(
                ema.shards, accelerator.unwrap_model(model), samples, samples - before, recipe.ema_half_life
            )
            if before == 0 or logging or saving or validating or stopping:
                check.raise_if_not_finite(recipe.culprits)  # waits for a GPU
            if before == 0:
                with_average(recipe.validate_briefly)
            if logging:
                line = log.write(samples, learning_rate=learning_rate, grad_norm=float(norm))
                bar.set_postfix({name: f"{line[name]:.4f}" for name in recipe.shown_losses})
            if saving or stopping:
                save(root, model, ema, optimizer, accelerator, samples, data, validating and not last)
            if stopping:
                seen = f"{samples} of {t.total_samples} {recipe.unit}"
                stop.stop(f"{root}: stopped after {seen}, which are in a checkpoint")
            if validating and not last:
                with_average(recipe.publish, samples, False)
    with_average(recipe.publish, samples, True)
    for tracker in accelerator.trackers:
        tracker.finish()
