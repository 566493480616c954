"""The detector's training recipe, on true pictures; rerunning it resumes exactly."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import send_to_device
from einops import rearrange
from jaxtyping import Bool, Float, UInt8
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, pad
from torch.utils.data import Dataset

from cdd_icm.config import (
    DataConfig,
    Precision,
    Rule,
    RunConfig,
    check,
    check_data_path,
    section,
    without_places,
)
from cdd_icm.config.base import AtLeastOne, Count, Positive, Seed
from cdd_icm.data import Dialog, Picture, PictureCache, ResumableSampler, SceneObject, load_dialogs
from cdd_icm.device import full_precision, process_state
from cdd_icm.errors import InputError
from cdd_icm.evaluation.detector import (
    DEPTH_LEVELS,
    Detections,
    Detector,
    DetectorOutput,
    Trunk,
    annotated,
    load_detector,
    look_classes,
    to_input,
)
from cdd_icm.evaluation.metrics import precision_recall_f1
from cdd_icm.io import read_json, replacing, to_json
from cdd_icm.model.size import without_memory
from cdd_icm.progress import Progress
from cdd_icm.train.batches import TRAIN, VALIDATION, make_loader
from cdd_icm.train.loop import MicroBatch, Recipe, fit
from cdd_icm.train.processes import Coordinator
from cdd_icm.train.schedule import learning_rate_at

Sizes = tuple[AtLeastOne, AtLeastOne, AtLeastOne]

HEAT_WEIGHT, PLACE_WEIGHT = 0.2, 5.0
"""Of the cross-entropy that puts a class's heat into the cell of its object, and of the coordinates."""
SHIFT = 6
"""Pictures are moved by up to so many pixels each way; the border is repeated."""
GAIN = 0.06
"""Each colour channel is multiplied by a factor from [1 - gain, 1 + gain]."""
NOISE = 0.04
"""Gaussian noise with a deviation drawn from [0, this], in units of [-1, 1] pixels."""


@section
class DetectorRunConfig(RunConfig):
    batch_size: AtLeastOne = 64
    total_samples: AtLeastOne = 240_000
    learning_rate: Positive = 2e-3
    warmup_samples: Count = 6_000
    mixed_precision: Precision = "auto"
    checkpoint_samples: AtLeastOne = 16_000
    log_samples: AtLeastOne = 1_600


@section
class DetectorConfig:
    """The config of `cdd-icm train-detector`."""

    output_dir: str = "runs/detector"
    """Folder of the run; the same command resumes the run in it."""
    seed: Seed = 0
    """Of all randomness."""
    data: DataConfig = Field(default_factory=DataConfig)
    class_traits: dict[str, str] = Field(default_factory=dict)
    """Traits of an object's look that are part of its class, such as {size: large}, each with its value for
    objects of which the data do not tell it: the classes are then "small blue cube", "large blue cube"."""
    coordinates: Literal[2, 3] = 2
    """2 for x and y, 3 for x, y and depth."""
    trunk: Trunk = "residual"
    """Architecture of the trunk, see `detector.Detector`. With inception_v3 only `widths[1]` is used, for the
    heads."""
    widths: Sizes = (64, 128, 192)
    """Channels at each resolution of the trunk."""
    blocks: Sizes = (1, 1, 1)
    """Residual blocks at each resolution of the trunk."""
    training: DetectorRunConfig = Field(default_factory=DetectorRunConfig)

    def __post_init__(self):
        check(self, RULES)


RULES = (
    Rule("data.image_size", lambda c: c.data.image_size % 16 == 0, "a multiple of 16"),
    Rule(
        "data.image_size",
        lambda c: c.trunk != "inception_v3" or c.data.image_size >= 96,
        "at least 96 with trunk=inception_v3, which leaves less than 2x2 cells of it",
    ),
)


def train_detector(config: DetectorConfig) -> dict:
    """Trains a detector, writes it and `report.json` to `output_dir`, and returns the report.

    Weights are saved in half precision, which the report evaluates. A stopped run resumes exactly from its
    last checkpoint.

    Raises:
        InputError: the data has no annotation, the run in `output_dir` began with another config, or a file
            can't be written.
        FloatingPointError: a loss or gradient is not finite; the last checkpoint is kept.
        Stopped: after Ctrl-C or SIGTERM, once a checkpoint is written.
    """
    recipe = DetectorRecipe(config)
    fit(recipe)
    process_state().destroy_process_group()
    return read_json(recipe.root / "report.json")


class DetectorRecipe(Recipe):
    """Trains a `Detector`."""

    unit = "pictures"
    shown_losses = ("presence", "heat", "place")
    betas = (0.9, 0.999)
    weight_decay = 0.05
    max_grad_norm = math.inf
    ema_half_life = 0.0
    mutable_keys = {
        "": {"output_dir"},
        "data": {"path", "num_workers"},
        "training": {"total_samples", "checkpoint_samples", "log_samples", "tracker"},
    }

    def __init__(self, config: DetectorConfig):
        """Loads the data. Raises InputError as `train_detector` does."""
        check_data_path(config.data)
        super().__init__(config, config.training)
        dialogs = load_dialogs(config.data.path, TRAIN)
        self.classes = sorted(look_classes(dialogs, config.class_traits))
        self.training = annotated_pictures(dialogs, self.classes, config)
        held_out = load_dialogs(config.data.path, VALIDATION)
        self.held_out = annotated_pictures(held_out, self.classes, config)

    def build(self, accelerator: Accelerator) -> nn.Module:
        c, self.device = self.config, accelerator.device
        settings = (
            self.classes,
            c.coordinates,
            c.data.image_size,
            c.widths,
            c.blocks,
            c.trunk,
            c.class_traits,
        )
        with without_memory():  # raises if it is too large
            Detector(*settings)
        return DetectorObjective(Detector(*settings))

    def learning_rate(self, samples: int) -> float:
        return learning_rate_at(samples, self.settings, minimum=0.0)

    def data_order(self) -> Sequence[Any]:
        return self.training.keys

    def batches(self, size: int, samples: int, rank: int, world: int) -> Iterator[DetectorBatch]:
        config, data = self.config, self.training
        sampler = ResumableSampler(len(data), size * world, config.seed, samples, rank, world)
        loader = make_loader(data, self.collate, config.data.num_workers, batch_sampler=sampler)
        return (send_to_device(batch, self.device, non_blocking=True) for batch in loader)

    def collate(self, items: Sequence[Annotated]) -> DetectorBatch:
        """Collates a batch of augmented pictures."""
        pictures, present, coordinates, draws = zip(*items, strict=True)
        pictures, coordinates = to_input(torch.stack(pictures)), torch.stack(coordinates)
        return DetectorBatch(*augment(pictures, coordinates, draws), torch.stack(present))

    def loss(self, model: nn.Module, part: MicroBatch, shared: None) -> dict[str, Tensor]:
        return model(part.batch)

    def publish(self, average: nn.Module, coordinator: Coordinator, samples: int, final: bool) -> None:
        """Writes the validation scores to `validation/<samples>.json`; for the final model, the detector in
        half precision and its report instead."""
        if not final:
            validation = scores(average.detector, self.held_out, coordinator)
            if coordinator.main:
                with replacing(self.root / "validation" / f"{samples:09d}.json") as file:
                    file.write_text(to_json(validation, indent=1) + "\n", encoding="utf-8")
                Progress.write(f"{samples} pictures: F1 {validation['f1']:.2f}")
            return
        if coordinator.main:
            whole = self.root / "detector"
            with replacing(whole) as folder:
                average.detector.half().save_pretrained(folder)
            for file in whole.iterdir():  # each is replaced at once
                file.replace(self.root / file.name)
            whole.rmdir()
        coordinator.wait()
        saved = load_detector(self.root).to(self.device)
        validation = scores(saved, self.held_out, coordinator)
        if not coordinator.main:
            return
        report = {
            "validation": validation,
            "validation_pictures": len(self.held_out),
            "parameters": saved.num_parameters(),
            "samples": samples,
            "config": without_places(self.config),
        }
        with replacing(self.root / "report.json") as file:
            file.write_text(to_json(report, indent=2) + "\n", encoding="utf-8")


class DetectorBatch(NamedTuple):
    """A training batch; pictures in [-1, 1], coordinates in [0, 1]."""

    pictures: Float[Tensor, "B 3 S S"]
    coordinates: Float[Tensor, "B C K"]
    present: Bool[Tensor, "B C"]


class DetectorObjective(nn.Module):
    """The weighted sum of a detector's losses."""

    def __init__(self, detector: Detector):
        super().__init__()
        self.detector = detector

    def forward(self, batch: DetectorBatch) -> dict[str, Tensor]:
        """`loss` and the three terms of `detector_losses`, each ()."""
        output = self.detector(batch.pictures)
        with full_precision(batch.pictures.device):
            losses = detector_losses(output, batch.present, batch.coordinates)
            presence, heat, place = (losses[name] for name in ("presence", "heat", "place"))
            loss = presence + HEAT_WEIGHT * heat + PLACE_WEIGHT * place
        return {"loss": loss, **losses}


def detector_losses(
    output: DetectorOutput, present: Bool[Tensor, "B C"], coordinates: Float[Tensor, "B C K"]
) -> dict[str, Tensor]:
    """`presence`: binary cross-entropy, summed over classes; `heat`: cross-entropy of the cell with the
    object's centre; `place`: absolute error. The last two are means over present objects."""
    side = int(output.heat.shape[-1] ** 0.5)
    column, row = ((coordinates[..., axis] * side).long().clamp(0, side - 1) for axis in (0, 1))
    in_cell = output.heat.gather(-1, (row * side + column)[..., None])[..., 0]  # (B, C)
    error = (output.coordinates - coordinates).abs().mean(dim=-1)  # (B, C)
    objects = present.sum().clamp(min=1)
    presence = binary_cross_entropy_with_logits(output.logits, present.float(), reduction="none")
    return {
        "presence": presence.sum(dim=-1).mean(),
        "heat": -(in_cell * present).sum() / objects,
        "place": (error * present).sum() / objects,
    }


def augment(
    pictures: Float[Tensor, "B 3 S S"],
    coordinates: Float[Tensor, "B C K"],
    draws: Sequence[int],
    shift: int = SHIFT,
    gain: float = GAIN,
    noise: float = NOISE,
) -> tuple[Float[Tensor, "B 3 S S"], Float[Tensor, "B C K"]]:
    """Randomly shifts each picture with its coordinates, scales its colours and adds noise; `draws` are the
    seeds.

    Pictures are not mirrored: the detector could learn from that, but true pictures are never mirrored."""
    moved, places = [], coordinates.clone()
    side = pictures.shape[-1]
    padded = pad(pictures, (shift,) * 4, mode="replicate")
    for index, draw in enumerate(draws):
        rng = torch.Generator().manual_seed(draw)
        dx, dy = torch.randint(-shift, shift + 1, (2,), generator=rng).tolist()
        scale = 1 + gain * (2 * torch.rand(3, 1, 1, generator=rng) - 1)
        grain = noise * torch.rand(1, generator=rng) * torch.randn(3, side, side, generator=rng)
        picture = padded[index, :, shift - dy : shift - dy + side, shift - dx : shift - dx + side]
        moved.append((picture + 1) * scale - 1 + grain)
        places[index, :, :2] += torch.tensor([dx, dy]) / side
    return torch.stack(moved).clamp(-1, 1).contiguous(memory_format=torch.channels_last), places


class Annotated(NamedTuple):
    """A training sample."""

    picture: UInt8[Tensor, "3 S S"]
    present: Bool[Tensor, " C"]
    coordinates: Float[Tensor, "C K"]
    draw: int
    """Seeds its augmentation."""


@dataclass(frozen=True)
class AnnotatedPictures(Dataset):
    """Distinct decoded pictures and their annotation; `data[index, draw]` is a training sample."""

    keys: list[str]
    truth: Detections
    cache: PictureCache

    def __len__(self) -> int:
        return len(self.keys)

    def __getitem__(self, item: tuple[int, int]) -> Annotated:
        row, draw = item
        present, coordinates = (
            torch.from_numpy(part)[row] for part in (self.truth.present, self.truth.coordinates)
        )
        return Annotated(torch.from_numpy(np.array(self.cache[self.keys[row]])), present, coordinates, draw)

    def pictures(self, rows: Sequence[int]) -> UInt8[Tensor, "B 3 S S"]:
        """The pictures of some rows, 0..255."""
        return torch.from_numpy(np.stack([self.cache[self.keys[row]] for row in rows]))


def annotated_pictures(
    dialogs: Sequence[Dialog], classes: Sequence[str], config: DetectorConfig
) -> AnnotatedPictures:
    """The pictures of the dialogs. Raises InputError if a turn is not annotated or a class is not in
    `classes`."""
    pictures: dict[str, tuple[Picture, Sequence[SceneObject]]] = {}
    for dialog in dialogs:
        pictures.setdefault(dialog.canvas.key, (dialog.canvas, ()))
        for number, turn in enumerate(dialog.turns, 1):
            if turn.objects is None:
                raise InputError(f"{config.data.path}: {dialog.id}: turn {number} has no objects")
            pictures.setdefault(turn.picture.key, (turn.picture, turn.objects))
    return AnnotatedPictures(
        keys=list(pictures),
        truth=annotated(
            (objects for _, objects in pictures.values()),
            classes,
            config.class_traits,
            config.coordinates,
            config.data.path,
        ),
        cache=PictureCache.open_or_build(
            None, (picture for picture, _ in pictures.values()), config.data.image_size
        ),
    )


def scores(detector: Detector, data: AnnotatedPictures, coordinator: Coordinator, chunk: int = 512) -> dict:
    """Precision, recall and F1 against the annotation (in per cent, means over pictures); the mean absolute
    error of each coordinate over present objects (x and y in pixels, depth in levels); recall by class. The
    processes share the pictures."""

    def detect(starts: Sequence[int]) -> list[Detections]:
        rows = (range(start, min(start + chunk, len(data))) for start in starts)
        return [detector.detect(rearrange(data.pictures(r), "b c h w -> b h w c").numpy()) for r in rows]

    chunks = coordinator.spread(detect, range(0, len(data), chunk))
    present = np.concatenate([part.present for part in chunks])
    places = np.concatenate([part.coordinates for part in chunks])
    precision, recall, f1 = precision_recall_f1(data.truth.present, present)
    nonempty = data.truth.present.any(axis=1)  # F1 is undefined for the empty canvas
    units = np.array([detector.config.image_size, detector.config.image_size, DEPTH_LEVELS])
    error = np.abs(places - data.truth.coordinates)[data.truth.present].mean(axis=0)
    class_recall = (present & data.truth.present).sum(axis=0) / np.maximum(1, data.truth.present.sum(axis=0))
    return {
        "precision": round(100 * precision[nonempty].mean().item(), 3),
        "recall": round(100 * recall[nonempty].mean().item(), 3),
        "f1": round(100 * f1[nonempty].mean().item(), 3),
        "coordinate_error": [round(e, 4) for e in (error * units[: len(error)]).tolist()],
        "recall_by_class": {
            name: round(100 * share, 2)
            for name, share in sorted(
                zip(detector.config.classes, class_recall.tolist(), strict=True), key=lambda x: x[1]
            )
        },
    }
