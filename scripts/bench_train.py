"""Measures the cost of a training step as ratios: the trainer to a bare loop, the bare loop to an
InstructPix2Pix step with the same UNet, the loader to the trainer; and profiles the step.

    python scripts/bench_train.py configs/generate/iclevr.yaml data.path=PATH/TO/iclevr

Nothing else should run on the machine. `--quick` only checks that the script runs.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import torch
from benchmark import interleaved, machine, ratio, synchronize, write
from diffusers import DDPMScheduler, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor, AttnProcessor2_0
from torch import Tensor
from torch.nn.functional import mse_loss, pad, pixel_unshuffle
from torch.profiler import ProfilerActivity, profile, record_function

from cdd_icm.cli import positive
from cdd_icm.config import Config, NoPlanConfig, load_config
from cdd_icm.console import print_error, say
from cdd_icm.data import Dialog, Triplet
from cdd_icm.data.batch import Batch, Collator
from cdd_icm.device import DTYPES, find_device, layout, mixed_precision, reuse_freed_memory
from cdd_icm.diffusion.noise import RandomNumbers
from cdd_icm.diffusion.schedule import NUM_TRAIN_TIMESTEPS
from cdd_icm.errors import InputError
from cdd_icm.io import parse_json
from cdd_icm.model.cddicm import CDDICM
from cdd_icm.model.tokenizer import clip_tokenizer, learn_tokenizer
from cdd_icm.plan.registry import plan_settings
from cdd_icm.text import read_text
from cdd_icm.train.batches import training_batches, training_dialogs
from cdd_icm.train.generator import make_collator, train
from cdd_icm.train.optim import make_optimizer

REPORT = Path("reports/bench_train.json")

TRAINER, BARE, WHOLE = "trainer", "bare loop", "bare loop, all of the batch denoised"
UNET = "bare loop, the UNet alone trained"
PLAIN, PLAIN_MATMUL = "InstructPix2Pix step", "InstructPix2Pix step, attention by matmul"
LOADER, BATCHES = "loader", "loader and tensors"


class BareLoop:
    """The same model and loss on synthetic tensors: forward, backward, optimiser, and nothing else."""

    def __init__(self, config: Config, dialogs: list[Dialog], device: torch.device, frozen: bool = False):
        """`dialogs`: of the training data. `frozen`: all but the UNet."""
        self.config, self.device = config, device
        torch.manual_seed(config.seed)
        self.model = (
            CDDICM(config, plan_settings(config, dialogs)).to(device, memory_format=layout(device)).train()
        )
        for name, parameters in self.model.parts().items():
            for parameter in parameters:
                if frozen and name != "unet":
                    parameter.requires_grad_(False)
        self.optimizer = make_optimizer(self.model, config.training)
        self.micro = config.training.batch_size // config.training.gradient_accumulation
        tokenizer = tokenizer_of(config, self.model.towers.context_length)
        self.make = make_collator(config, dialogs, tokenizer, self.model.planner)
        self.batch = synthetic_batch(config, self.make, dialogs, self.micro, device)
        self.draws = RandomNumbers.make(config, 0, self.micro, device)

    def step(self) -> None:
        for _ in range(self.config.training.gradient_accumulation):
            with record_function("forward"), autocast(self.config, self.device):
                loss = self.model(self.batch, self.draws)["loss"]
            with record_function("backward"):
                loss.backward()
        with record_function("optimiser"):
            self.optimizer.step()
            self.optimizer.zero_grad()


class PlainStep:
    """A training step as in diffusers' InstructPix2Pix example (Brooks et al. 2023, arXiv 2211.09800), with a
    UNet of the same parameters on the same unshuffled pixels: the reference beside the noisy picture, the
    text through a frozen tower, the squared error of the noise."""

    def __init__(self, bare: BareLoop, attention: type):
        self.config, self.device = bare.config, bare.device
        ours = bare.model.unet.unet
        self.unet = UNet2DConditionModel.from_config(ours.config).to(self.device).train()
        self.unet.set_attn_processor(attention())
        self.optimizer = make_optimizer(self.unet, self.config.training)
        self.scheduler = DDPMScheduler(NUM_TRAIN_TIMESTEPS)
        b, c = bare.batch, self.unet.config
        self.micro, self.target, self.reference = bare.micro, b.target, b.reference
        self.towers, self.ids = bare.model.towers, b.ids
        # in place of the tower's tokens, in the width that this UNet takes
        self.tokens = torch.randn(*b.ids.shape, c.cross_attention_dim, device=self.device)
        width = c.projection_class_embeddings_input_dim
        self.classes = torch.zeros(bare.micro, width, device=self.device)

    def step(self) -> None:
        patch = self.config.unet.patch_size
        for _ in range(self.config.training.gradient_accumulation):
            noise = torch.randn_like(self.target)
            steps = self.scheduler.config.num_train_timesteps
            timestep = torch.randint(steps, (self.micro,), device=self.device)
            noisy = self.scheduler.add_noise(self.target, noise, timestep)
            x = pixel_unshuffle(torch.cat([noisy, self.reference], dim=1), patch)  # (B, 6 p^2, R/p, R/p)
            # to as many channels as ours has
            x = pad(x, (0, 0, 0, 0, 0, self.unet.config.in_channels - x.shape[1]))
            with autocast(self.config, self.device):
                with torch.no_grad():
                    self.towers.encode_text(self.ids)
                out = self.unet(x, timestep, self.tokens, class_labels=self.classes).sample
            target = pixel_unshuffle(noise, patch)  # (B, 3 p^2, R/p, R/p)
            mse_loss(out[:, : target.shape[1]].float(), target).backward()
        self.optimizer.step()
        self.optimizer.zero_grad()


def unet_alone(config: Config) -> Config:
    """The config with the diffusion loss alone and without a plan, as InstructPix2Pix trains."""
    objective = dataclasses.replace(config.objective, cdd_every=1, icm_weight=0.0)
    return dataclasses.replace(config, objective=objective, plan=NoPlanConfig())


class Trainer:
    """Runs `cdd_icm.train.generator.train`, timed by its own log."""

    def __init__(self, config: Config, folder: Path, steps: int):
        self.config, self.folder, self.steps, self.done = config, folder, steps, 0

    def seconds(self) -> float:
        """Seconds of a step, averaged over `steps` of them after as many warm-up steps. Each round resumes
        the run of the one before; start-up, checkpoints and film strips are not counted."""
        size = self.config.training.batch_size
        line = self.steps * size
        self.done += 2 * line
        settings = dataclasses.replace(
            self.config.training,
            total_samples=self.done,
            log_samples=line,
            checkpoint_samples=10**9,
            tracker="none",
        )
        train(dataclasses.replace(self.config, output_dir=str(self.folder), training=settings))
        last = parse_json(read_text(self.folder / "log.jsonl").splitlines()[-1], "log.jsonl")
        return size / last["images_per_second"]


class Loader:
    """The trainer's own loader; with `tensors`, its batches are also moved to the device."""

    def __init__(self, bare: BareLoop, dialogs: list[Dialog], tensors: bool):
        config = bare.config
        self.batches = training_batches(config, dialogs, bare.make, bare.micro, 0, 0, 1)
        self.accumulation = config.training.gradient_accumulation
        self.device = bare.device if tensors else None

    def step(self) -> None:
        for _ in range(self.accumulation):
            batch = next(self.batches)
            if self.device:
                batch.on(self.device)


def autocast(config: Config, device: torch.device):
    """The trainer's autocast."""
    name = mixed_precision(config.training.mixed_precision, device)
    return contextlib.nullcontext() if name == "no" else torch.autocast(device.type, DTYPES[name])


def tokenizer_of(config: Config, context_length: int):
    """A tokenizer with the vocabulary size of the run."""
    if config.encoder.learnt_vocabulary is None:
        return clip_tokenizer(context_length)
    return learn_tokenizer(
        ["add a red cube on the left of it"], config.encoder.learnt_vocabulary, context_length
    )


def synthetic_batch(
    config: Config, make: Collator, dialogs: list[Dialog], size: int, device: torch.device
) -> Batch:
    """A batch whose pictures are noise, and in which each turn adds one object of the data."""
    rng = np.random.default_rng(config.seed)
    side = config.data.image_size

    def picture() -> Tensor:
        return torch.from_numpy(rng.integers(0, 256, (3, side, side), dtype=np.uint8))

    scenes = [turn.objects for dialog in dialogs for turn in dialog.turns]
    things = next((objects[:2] for objects in scenes if objects and len(objects) > 1), ())
    items = [
        Triplet(
            **{name: picture() for name in ("reference", "target", "other")},
            instruction="add a red cube on the left of it",
            history=("add a blue cube",),
            dialog="synthetic",
            turn=1,
            before=things[:1],
            after=things,
            draw=2**31 - 1,
        )
        for _ in range(size)
    ]
    return make(items).on(device)


def timed(step: Callable[[], None], steps: int) -> Callable[[], float]:
    """A task that returns the seconds of one step, averaged over `steps` of them."""

    def work() -> float:
        start = time.perf_counter()
        for _ in range(steps):
            step()
        synchronize()
        return (time.perf_counter() - start) / steps

    return work


def profiled(bare: BareLoop, steps: int, operators: int = 15) -> dict:
    """Milliseconds of a step of the bare loop, by phase and by operator (excluding the operators that it
    calls)."""
    on_gpu = bare.device.type == "cuda"
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_gpu else [])]
    with profile(activities=activities) as found:
        for _ in range(steps):
            bare.step()
        synchronize()
    kind = "device" if on_gpu else "cpu"
    phases = ("forward", "backward", "optimiser")
    events = {event.key: event for event in found.key_averages()}
    # on a GPU a phase only launches its kernels; see the operators there
    by_phase = {name: round(events[name].cpu_time_total / 1000 / steps, 2) for name in phases}
    own = {
        key: (getattr(event, f"self_{kind}_time_total") / 1000 / steps, event.count // steps)
        for key, event in events.items()
        if key not in phases
    }
    total = sum(time for time, _ in own.values())
    longest = sorted(own, key=lambda key: -own[key][0])[:operators]
    return {
        "phases": by_phase,
        "operators": [
            {
                "name": key,
                "milliseconds": round(own[key][0], 2),
                "share": round(own[key][0] / total, 4),
                "calls": own[key][1],
            }
            for key in longest
        ],
    }


def bench(config: Config, name: str, overrides: list[str], steps: int, repeats: int, quick: bool) -> dict:
    """Measures everything and returns the report, which lists the config's `overrides` except those of
    `data`."""
    reuse_freed_memory()
    device = find_device("auto")
    dialogs = training_dialogs(config.data)
    # Without the text warm-up: in it the trainer would denoise less than the bare loop.
    objective = dataclasses.replace(config.objective, text_warmup_samples=0)
    config = dataclasses.replace(config, objective=objective)
    bare = BareLoop(config, dialogs, device)
    whole = dataclasses.replace(config, objective=dataclasses.replace(objective, cdd_every=1))
    # torch's fused attention is diffusers' default
    plain, matmul = PlainStep(bare, AttnProcessor2_0), PlainStep(bare, AttnProcessor)
    with tempfile.TemporaryDirectory() as folder:
        tasks = {
            TRAINER: Trainer(config, Path(folder) / "run", steps).seconds,
            BARE: timed(bare.step, steps),
            PLAIN: timed(plain.step, steps),
            PLAIN_MATMUL: timed(matmul.step, steps),
            UNET: timed(BareLoop(unet_alone(config), dialogs, device, frozen=True).step, steps),
            LOADER: timed(Loader(bare, dialogs, tensors=False).step, steps),
            BATCHES: timed(Loader(bare, dialogs, tensors=True).step, steps),
        }
        if objective.cdd_every > 1:
            tasks[WHOLE] = timed(BareLoop(whole, dialogs, device).step, steps)
        times = interleaved(tasks, repeats)
    ours = (
        WHOLE if WHOLE in times else BARE
    )  # compare with every picture of the batch denoised, as in InstructPix2Pix
    pairs = [(TRAINER, BARE), (ours, PLAIN), (ours, PLAIN_MATMUL), (BARE, PLAIN), (PLAIN, PLAIN_MATMUL)]
    pairs += [(UNET, PLAIN), (UNET, PLAIN_MATMUL), (TRAINER, LOADER), (TRAINER, BATCHES)]
    size = config.training.batch_size
    return {
        "quick": quick,
        "config": name,
        "overrides": [each for each in overrides if not each.startswith("data.")],
        "image_size": config.data.image_size,
        "batch_size": size,
        "cdd_every": objective.cdd_every,
        "mixed_precision": mixed_precision(config.training.mixed_precision, device),
        "steps": steps,
        "repeats": repeats,
        "machine": machine(device),
        "parameters": {
            "model": sum(p.numel() for p in bare.model.parameters()),
            "unet": sum(p.numel() for p in bare.model.unet.unet.parameters()),
            "InstructPix2Pix unet": sum(p.numel() for p in plain.unet.parameters()),
        },
        "seconds_a_step": {key: [round(value, 5) for value in values] for key, values in times.items()},
        "images_a_second": {key: round(size / median(values), 2) for key, values in times.items()},
        "ratios": {f"{one} / {other}": ratio(times, one, other) for one, other in dict.fromkeys(pairs)},
        "profile": profiled(bare, max(1, steps // 2)),
    }


QUICK = ("training.batch_size=4", "training.gradient_accumulation=1")


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("config", type=Path)
    parser.add_argument("overrides", nargs="*", metavar="key=value")
    parser.add_argument(
        "--steps", type=positive, default=5, help="steps in each measurement, default: %(default)s"
    )
    parser.add_argument("--repeats", type=positive, default=5, help="default: %(default)s")
    parser.add_argument("--threads", type=positive, default=2, help="default: %(default)s")
    parser.add_argument(
        "--report", type=Path, help=f"default: {REPORT}, in outputs/ with --quick", metavar="FILE.json"
    )
    parser.add_argument("--quick", action="store_true", help="one step of four pictures")
    a = parser.parse_intermixed_args(argv)
    torch.set_num_threads(a.threads)
    try:
        overrides = [*a.overrides, *(QUICK if a.quick else ())]
        steps, repeats = (1, 1) if a.quick else (a.steps, a.repeats)
        report = bench(load_config(a.config, overrides), a.config.name, overrides, steps, repeats, a.quick)
    except InputError as error:
        print_error("bench_train", error)
        return 2
    for name, value in report["ratios"].items():
        say(f"{value:8.3f}  {name}")
    write(a.report or (Path("outputs") / REPORT.name if a.quick else REPORT), report)
    return 0


if __name__ == "__main__":
    sys.exit(main())
