"""The generator's training recipe, from a config to a pipeline folder; rerunning it resumes exactly."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from diffusers import SchedulerMixin
from jaxtyping import UInt8
from PIL import Image
from torch import Tensor, nn
from transformers import PreTrainedTokenizerBase

from cdd_icm.config import Config, SamplingConfig, check_data_path, to_dict, to_plain
from cdd_icm.data import Dialog, to_square
from cdd_icm.data.augment import check_augmentation
from cdd_icm.data.batch import Batch, Collator
from cdd_icm.device import device_name, process_state
from cdd_icm.diffusion.noise import RandomNumbers
from cdd_icm.diffusion.samplers import scheduler_like, set_steps
from cdd_icm.diffusion.schedule import training_scheduler
from cdd_icm.errors import InputError
from cdd_icm.io import load_tensors, replacing
from cdd_icm.model.cddicm import CDDICM
from cdd_icm.model.conditioning import InstructionTokenizer
from cdd_icm.plan.protocol import Plan
from cdd_icm.plan.registry import augmentation, plan_settings
from cdd_icm.progress import Progress
from cdd_icm.sampling.dialogs import dialog_sheet, generate_dialogs
from cdd_icm.sampling.folder import TRAINING, check_folder
from cdd_icm.sampling.pipeline import CDDICMPipeline
from cdd_icm.sources import local_path
from cdd_icm.train.batches import sample_order, training_batches, training_dialogs, validation_dialogs
from cdd_icm.train.checkpoint import checkpoints
from cdd_icm.train.log import means_by_noise_level
from cdd_icm.train.loop import MicroBatch, Recipe, fit
from cdd_icm.train.memory import check_memory, step_memory
from cdd_icm.train.processes import Coordinator
from cdd_icm.train.schedule import learning_rate_at
from cdd_icm.train.tokenizer import copy_tokenizer, run_tokenizer

VALIDATION_DIALOGS = 4
"""Number of dialogs in a validation sheet."""

MUTABLE_KEYS = {
    "": {"output_dir", "sampling_presets"},
    "data": {"path", "num_workers"},
    "training": {
        *("total_samples", "checkpoint_samples", "log_samples", "tracker"),
    },
    "sampling": {field.name for field in dataclasses.fields(SamplingConfig)},
}
"""Config keys, by section, that may change when a run is resumed. (For streamed data, `num_workers` may not:
the order of the samples depends on it.)"""


def train(config: Config) -> Path:
    """Trains to the end, resuming from the last checkpoint if there is one.

    Returns:
        The pipeline folder, `output_dir/pipeline`.

    Raises:
        InputError: invalid data, a config that differs from the run's original one, or a damaged checkpoint.
        FloatingPointError: a loss or gradient is not finite; the last checkpoint is kept.
        Stopped: after Ctrl-C or SIGTERM, once a checkpoint is written.
    """
    recipe = GeneratorRecipe(config)
    fit(recipe)
    process_state().destroy_process_group()
    return recipe.root / "pipeline"


def dry_run(config: Config) -> str:
    """What `train` would do: the data that it finds, its batch, and the memory that a step needs. Nothing is
    written.

    Raises:
        InputError: as `train`, as far as that is known without training.
    """
    recipe, device = GeneratorRecipe(config), process_state().device
    dialogs = training_dialogs(config.data)
    validation = validation_dialogs(config.data, dialogs)
    check_augmentation(config, dialogs)
    turns = sum(len(dialog.turns) for dialog in dialogs)
    t, size = recipe.settings, config.data.image_size
    plan = plan_settings(config, dialogs)
    first = f"the first {len(dialogs)} of a stream" if config.data.streams else f"{len(dialogs)}"
    return "\n".join(
        (
            f"data: {config.data.path}: {first} dialogs with {turns} turns; {len(validation)} to validate",
            f"batch: {t.batch_size} turns of {size}x{size} pixels, of which "
            f"{t.batch_size // recipe.gradient_accumulation} at once; {t.total_samples} turns in all",
            f"a step on {device.type}: {step_memory(config, plan, dialogs, device)}",
        )
    )


class GeneratorRecipe(Recipe):
    """Trains `CDDICM` and writes a `CDDICMPipeline`."""

    shown_losses = ("loss", "changed_error")

    def __init__(self, config: Config):
        """Raises InputError if the data's path or a sampler is invalid, before anything is loaded."""
        super().__init__(config, config.training)
        check_data_path(config.data)
        check_samplers(config)
        self.gradient_accumulation = config.training.gradient_accumulation
        self.mutable_keys = MUTABLE_KEYS
        self.has_unused_parameters = has_unused_parameters(config)
        if config.data.streams:
            self.mutable_keys = MUTABLE_KEYS | {"data": MUTABLE_KEYS["data"] - {"num_workers"}}

    def build(self, accelerator: Accelerator) -> nn.Module:
        config, root, main = self.config, self.root, accelerator.is_main_process
        self.device = accelerator.device
        self.dialogs = dialogs = training_dialogs(config.data)
        self.validation = validation_dialogs(config.data, dialogs)[:VALIDATION_DIALOGS]
        plan = plan_settings(config, dialogs)
        check_memory(config, plan, dialogs, self.device)
        self.canvas = Image.fromarray(to_square(dialogs[0].canvas.decode(), config.data.image_size))
        check_augmentation(config, dialogs)
        model = CDDICM(config, plan)
        started = bool(checkpoints(root / "checkpoints"))  # they replace any initialisation
        if config.init and not started:
            load_init_weights(model, local_path(config.init))
            if main:
                copy_tokenizer(Path(config.init), root)
        elif model.planner is not None and not started:
            model.planner.initialise(config, dialogs, progress=main)
        texts = [turn.instruction for dialog in dialogs for turn in dialog.turns]
        self.tokenizer = run_tokenizer(root, config.encoder, model.towers, texts, accelerator)
        self.collate = make_collator(config, dialogs, self.tokenizer, model.planner)
        return model

    def data_order(self) -> Sequence[Any]:
        return sample_order(self.config.data, self.dialogs)

    def batches(self, size: int, samples: int, rank: int, world: int) -> Iterator[Batch]:
        loader = training_batches(self.config, self.dialogs, self.collate, size, samples, rank, world)
        return (batch.on(self.device) for batch in loader)

    def share(self, model: nn.Module, parts: Sequence[MicroBatch]) -> Sequence[Any]:
        """For each micro-batch, its number and the vectors that ICM compares of all: negatives come from the
        whole batch."""
        if len(parts) == 1 or not self.config.objective.icm_weight:
            return [None] * len(parts)
        with torch.no_grad():
            cached = [model(*self._inputs(part), match_only=True) for part in parts]
        return [(number, cached) for number in range(len(parts))]

    def loss(self, model: nn.Module, part: MicroBatch, shared: tuple | None) -> dict[str, Tensor]:
        return model(*self._inputs(part), micro_batches=shared)

    def learning_rate(self, samples: int) -> float:
        return learning_rate_at(samples, self.settings, self.config.objective.text_warmup_samples)

    def clipped_parts(self, model: nn.Module) -> list[list[nn.Parameter]]:
        return list(model.parts().values())

    def means(self, values: dict[str, Tensor]) -> dict[str, float | None]:
        return means_by_noise_level(values)

    def names(self, batch: Batch) -> list[str]:
        return [f"{dialog} turn {turn}" for dialog, turn in batch.turns]

    def culprits(self, names: list[str], out: dict[str, Tensor]) -> list[str]:
        errors = out["changed_error"]  # only for samples that the UNet denoised
        denoised = names[:: len(names) // len(errors)]
        return [name for name, error in zip(denoised, errors, strict=True) if not error.isfinite()]

    def validate_briefly(self, average: nn.Module, coordinator: Coordinator) -> None:
        first_turns = [dataclasses.replace(dialog, turns=dialog.turns[:1]) for dialog in self.validation]
        self._generate(build_pipeline(average, self.tokenizer, self.config), first_turns, coordinator)

    def publish(self, average: nn.Module, coordinator: Coordinator, samples: int, final: bool) -> None:
        """Writes the pipeline's folder, replacing an earlier one, and a validation sheet."""
        pipeline = build_pipeline(average, self.tokenizer, self.config, self.canvas)
        if coordinator.main:
            with replacing(self.root / "pipeline") as folder:
                pipeline.save_pretrained(folder, safe_serialization=True)
                record = {"device": device_name(pipeline.device), "samples": samples}
                (folder / TRAINING).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        generated = self._generate(pipeline, self.validation, coordinator)
        if coordinator.main:
            with replacing(self.root / "validation" / f"{samples:09d}.png") as file:
                dialog_sheet(self.validation, generated).save(file)

    def _generate(
        self, pipeline: CDDICMPipeline, dialogs: Sequence[Dialog], coordinator: Coordinator
    ) -> list[UInt8[np.ndarray, "T R R 3"]]:
        def generate(share: Sequence[Dialog]) -> list[np.ndarray]:
            return generate_dialogs(pipeline, share, seed=self.config.seed, progress=False)

        return coordinator.spread(generate, dialogs)

    def _inputs(self, part: MicroBatch) -> tuple[Batch, RandomNumbers, bool]:
        draws = RandomNumbers.make(self.config, part.first, len(part.batch.turns), self.device)
        return part.batch, draws, self._text_warmup(part.step)

    def _text_warmup(self, samples: int) -> bool:
        """Whether UNet and matcher are trained on the first sample of each micro-batch only."""
        return samples < self.config.objective.text_warmup_samples


def has_unused_parameters(config: Config) -> bool:
    """Whether some trained parameters have no gradient, because their loss term has no weight or their input
    is detached."""
    return not (config.objective.icm_weight and config.objective.cdd_trains_fusion)


def load_init_weights(model: CDDICM, init: Path) -> None:
    """Loads the weights of a pipeline folder or a safetensors file whose names and shapes fit the model's.

    Raises:
        InputError: it is neither, or no weight fits.
    """
    if init.is_dir():
        check_folder(init)
        weights = {
            f"{part}.{name}": value.float()
            for part, _ in model.named_children()
            for file in sorted((init / part).glob("*.safetensors"))  # large parts have several
            for name, value in load_tensors(file).items()
        }
    elif init.is_file():
        weights = load_tensors(init)
    else:
        raise InputError(f"init: {init}: no such file or folder")
    own = model.state_dict()
    fitting = {
        name: value for name, value in weights.items() if name in own and own[name].shape == value.shape
    }
    if not fitting:
        raise InputError(f"init: {init}: none of its weights fit the model")
    model.load_state_dict(fitting, strict=False)
    Progress.write(f"{init}: {len(fitting)} of the model's {len(own)} tensors")


def make_collator(
    config: Config, dialogs: list[Dialog], tokenizer: PreTrainedTokenizerBase, planner: Plan | None
) -> Collator:
    """The collate function of a run on `dialogs`.

    Raises:
        InputError: the data lacks what the config needs.
    """
    tokenize = InstructionTokenizer(tokenizer, config.encoder.history, config.encoder.speaker)
    encode = None if planner is None else planner.truth_encoder(config, dialogs, tokenize)
    return Collator(config, tokenize, encode, augmentation(config, dialogs))


def make_scheduler(config: Config) -> SchedulerMixin:
    """The config's scheduler with the training's noise levels."""
    return scheduler_like(training_scheduler(), config.sampling.scheduler)


def check_samplers(config: Config) -> None:
    """Raises InputError if the sampler of the config or of a preset does not support the noise levels or its
    number of steps."""
    presets = {f"sampling_presets.{name}": preset for name, preset in config.sampling_presets.items()}
    for name, preset in {"sampling": {}, **presets}.items():
        settings = {**vars(config.sampling), **preset}
        try:
            scheduler = scheduler_like(training_scheduler(), settings["scheduler"])
            set_steps(scheduler, settings["num_inference_steps"])
        except InputError as error:
            raise InputError(f"{name}.{error}") from None


def build_pipeline(
    model: CDDICM, tokenizer: PreTrainedTokenizerBase, config: Config, canvas: Image.Image | None = None
) -> CDDICMPipeline:
    """A pipeline that shares the modules of `model`; `canvas` is the picture with which its dialogs begin."""
    sampling = to_dict(config.sampling)
    del sampling["scheduler"]
    return CDDICMPipeline(
        towers=model.towers,
        fusion=model.fusion,
        unet=model.unet,
        planner=model.planner,
        matcher=model.matcher,
        tokenizer=tokenizer,
        scheduler=make_scheduler(config),
        history=config.encoder.history,
        speaker=config.encoder.speaker,
        sampling=sampling,
        sampling_presets=to_plain(config.sampling_presets),
        objective={name: getattr(config.objective, name) for name in ("condition_dropout", "icm_weight")},
        canvas=canvas,
    )
