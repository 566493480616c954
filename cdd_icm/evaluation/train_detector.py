"""Training of the detector-localizer on true pictures, resumed by running the same command again."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Bool, Float, UInt8
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, pad

from cdd_icm.config import LARGEST_SEED, DataConfig, check_data_path, without_places
from cdd_icm.data import Dialog, Picture, PictureCache, ResumableSampler, SceneObject, load_dialogs
from cdd_icm.data.dialog import class_names
from cdd_icm.device import computes_in_bf16
from cdd_icm.errors import InputError
from cdd_icm.evaluation.detector import (
    DEPTH_LEVELS,
    Detections,
    Detector,
    DetectorOutput,
    Trunk,
    annotated,
    load_detector,
    to_input,
)
from cdd_icm.evaluation.metrics import precision_recall_f1
from cdd_icm.io import append_json, check_writable, load_tensors, read_json, replacing
from cdd_icm.progress import Progress
from cdd_icm.train.checkpoint import checkpoints, save_checkpoint
from cdd_icm.train.schedule import crossed
from cdd_icm.train.signals import StopSignal

FREE = {"total_samples", "checkpoint_samples", "validation_samples", "log_samples"}
"""Keys that may change when a run goes on."""


@dataclass(frozen=True)
class DetectorConfig:
    output_dir: str = "runs/detector"
    seed: int = 0
    data: DataConfig = field(default_factory=DataConfig)
    coordinates: int = 2
    """2 for x and y, 3 for x, y and depth."""
    widths: tuple[int, int, int] = (64, 128, 192)
    blocks: tuple[int, int, int] = (1, 1, 1)
    trunk: Trunk = "residual"
    """As of `detector.Detector`; an Inception-v3 has widths and blocks of its own, and only `widths[1]`, that
    of the heads, is used beside it."""
    batch_size: int = 64
    total_samples: int = 240_000
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    warmup_samples: int = 6_000
    heat_weight: float = 0.2
    """Weight of the cross-entropy that puts a class's heat into the cell of its object."""
    place_weight: float = 5.0
    shift: int = 6
    """Pictures are moved by up to so many pixels each way; the border is repeated."""
    gain: float = 0.06
    """Each colour channel is multiplied by a factor from [1 - gain, 1 + gain]."""
    noise: float = 0.04
    """Gaussian noise with a deviation drawn from [0, this], in units of [-1, 1] pixels."""
    checkpoint_samples: int = 16_000
    validation_samples: int = 48_000
    log_samples: int = 1_600

    def __post_init__(self):
        for key in ("batch_size", "total_samples", "checkpoint_samples", "validation_samples", "log_samples"):
            if getattr(self, key) < 1:
                raise InputError(f"config: {key} is {getattr(self, key)!r}, expected at least 1")
        if not 0 <= self.seed <= LARGEST_SEED:
            raise InputError(f"config: seed is {self.seed!r}, expected 0 to {LARGEST_SEED}")
        if self.coordinates not in (2, 3):
            raise InputError(f"config: coordinates is {self.coordinates!r}, expected 2 or 3")
        if self.data.image_size % 16:
            raise InputError(
                f"config: data.image_size is {self.data.image_size!r}, expected a multiple of 16"
            )
        if self.trunk == "inception_v3" and self.data.image_size < 96:
            raise InputError(
                f"config: data.image_size is {self.data.image_size!r}, expected at least 96 with "
                "trunk=inception_v3, which leaves less than 2x2 cells of it"
            )


def train_detector(config: DetectorConfig) -> dict:
    """Trains, writes the detector and `report.json` into `output_dir`, and returns the report.

    Weights are saved in half precision, and the report is that of the saved ones. A run that was stopped goes
    on from its last checkpoint, with the same samples and the same noise as if it had not been.

    Raises:
        InputError: the data has no annotation, a checkpoint in `output_dir` is of another config, or the disk
            refuses.
        KeyboardInterrupt: after Ctrl-C or SIGTERM, once a checkpoint is written.
    """
    folder = Path(config.output_dir)
    log = folder / "log.jsonl"
    check_data_path(config.data)
    check_writable(log)
    dialogs = load_dialogs(config.data.path, config.data.train_split)[: config.data.limit]
    classes = sorted(class_names(dialogs))
    data = annotated_pictures(dialogs, classes, config)
    held_out = annotated_pictures(
        load_dialogs(config.data.path, config.data.validation_split), classes, config
    )

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    fast = computes_in_bf16(device)
    torch.manual_seed(config.seed)
    detector = Detector(
        classes, config.coordinates, config.data.image_size, config.widths, config.blocks, config.trunk
    )
    detector.to(device, memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(detector.parameters(), weight_decay=config.weight_decay)
    root = folder / "checkpoints"
    settings = without_places(config)
    seen = _restore(root, detector, optimizer, settings)

    sampler = iter(ResumableSampler(len(data), config.batch_size, config.seed, start_sample=seen))
    with (
        StopSignal() as stop,
        Progress(total=config.total_samples, initial=seen, unit="pictures", desc="detector") as bar,
    ):
        while seen < config.total_samples:
            rows, draws = zip(*next(sampler), strict=True)
            pictures, coordinates = augment(
                to_input(data.pictures(rows)),
                torch.from_numpy(data.truth.coordinates[[*rows]]),
                draws,
                config,
            )
            present = torch.from_numpy(data.truth.present[[*rows]])
            rate = learning_rate(config, seen)
            for group in optimizer.param_groups:
                group["lr"] = rate
            detector.train()
            with torch.autocast(device.type, torch.bfloat16, enabled=fast):
                output = detector(pictures.to(device))
            losses = detector_losses(output, present.to(device), coordinates.to(device))
            loss = (
                losses["presence"]
                + config.heat_weight * losses["heat"]
                + config.place_weight * losses["place"]
            )
            if not loss.isfinite():
                raise FloatingPointError(f"{folder}: the loss is {loss.item()} after {seen} pictures")
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()

            before, seen = seen, seen + len(rows)
            bar.update(len(rows))
            if crossed(config.log_samples, before, seen):
                values = {name: round(value.item(), 5) for name, value in losses.items()}
                append_json(log, {"samples": seen, "lr": rate} | values)
                bar.set_postfix(values)
            if stop.seen or crossed(config.checkpoint_samples, before, seen):
                _save(root, detector, optimizer, seen, settings)
            if stop.seen:
                raise KeyboardInterrupt
            if crossed(config.validation_samples, before, seen):
                validation = scores(detector, held_out)
                append_json(log, {"samples": seen, "validation": validation})
                Progress.write(f"{seen} pictures: F1 {validation['f1']:.2f}")
    _save(root, detector, optimizer, seen, settings)

    detector.half().save_pretrained(folder)
    saved = load_detector(folder).to(device)
    report = {
        "validation": scores(saved, held_out),
        "validation_pictures": len(held_out),
        "parameters": saved.num_parameters(),
        "samples": seen,
        "config": settings,
    }
    with replacing(folder / "report.json") as file:
        file.write_text(json.dumps(report, indent=2) + "\n")
    return report


def learning_rate(config: DetectorConfig, seen: int) -> float:
    """Linear warm-up, then half a cosine down to zero, in samples."""
    if seen < config.warmup_samples:
        return config.learning_rate * (seen + 1) / config.warmup_samples
    rest = (seen - config.warmup_samples) / max(1, config.total_samples - config.warmup_samples)
    return config.learning_rate * 0.5 * (1 + np.cos(np.pi * min(1.0, rest)))


def detector_losses(
    output: DetectorOutput, present: Bool[Tensor, "B C"], coordinates: Float[Tensor, "B C K"]
) -> dict[str, Tensor]:
    """`presence`: binary cross-entropy summed over classes; `heat`: cross-entropy of the cell that holds the
    object's centre; `place`: absolute error. The last two are means over the objects that are there."""
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
    config: DetectorConfig,
) -> tuple[Float[Tensor, "B 3 S S"], Float[Tensor, "B C K"]]:
    """Moves each picture and its coordinates, and disturbs its colours a little; `draws` seed the chance.

    No flips: a mirrored picture would be right for the detector, but no true picture is one."""
    moved, places = [], coordinates.clone()
    side, shift = pictures.shape[-1], config.shift
    padded = pad(pictures, (shift,) * 4, mode="replicate")
    for index, draw in enumerate(draws):
        rng = torch.Generator().manual_seed(draw)
        dx, dy = torch.randint(-shift, shift + 1, (2,), generator=rng).tolist()
        gain = 1 + config.gain * (2 * torch.rand(3, 1, 1, generator=rng) - 1)
        noise = config.noise * torch.rand(1, generator=rng) * torch.randn(3, side, side, generator=rng)
        picture = padded[index, :, shift - dy : shift - dy + side, shift - dx : shift - dx + side]
        moved.append((picture + 1) * gain - 1 + noise)
        places[index, :, :2] += torch.tensor([dx, dy]) / side
    return torch.stack(moved).clamp(-1, 1).contiguous(memory_format=torch.channels_last), places


@dataclass(frozen=True)
class AnnotatedPictures:
    """Distinct pictures, decoded once, and what is in them."""

    keys: list[str]
    truth: Detections
    cache: PictureCache

    def __len__(self) -> int:
        return len(self.keys)

    def pictures(self, rows: Sequence[int]) -> UInt8[Tensor, "B 3 S S"]:
        return torch.from_numpy(np.stack([self.cache[self.keys[row]] for row in rows]))


def annotated_pictures(
    dialogs: Sequence[Dialog], classes: Sequence[str], config: DetectorConfig
) -> AnnotatedPictures:
    """Raises InputError where a turn has no annotation, or an object whose class is not among `classes`."""
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
            (objects for _, objects in pictures.values()), classes, config.coordinates, config.data.path
        ),
        cache=PictureCache.open_or_build(
            config.data.cache_dir, (picture for picture, _ in pictures.values()), config.data.image_size
        ),
    )


def scores(detector: Detector, data: AnnotatedPictures, chunk: int = 512) -> dict:
    """Precision, recall and F1 (per cent, per-image means) against the annotation; the mean absolute error of
    each coordinate over the objects that are there (x and y in pixels, depth in levels); recall by class."""
    found = []
    for start in range(0, len(data), chunk):
        pictures = data.pictures(range(start, min(start + chunk, len(data))))
        found.append(detector.detect(rearrange(pictures, "b c h w -> b h w c").numpy()))
    present = np.concatenate([part.present for part in found])
    places = np.concatenate([part.coordinates for part in found])
    precision, recall, f1 = precision_recall_f1(data.truth.present, present)
    nonempty = data.truth.present.any(axis=1)  # the empty canvas has no F1
    units = np.array([detector.config.image_size, detector.config.image_size, DEPTH_LEVELS])
    error = np.abs(places - data.truth.coordinates)[data.truth.present].mean(axis=0)
    caught = (present & data.truth.present).sum(axis=0) / np.maximum(1, data.truth.present.sum(axis=0))
    return {
        "precision": round(100 * precision[nonempty].mean().item(), 3),
        "recall": round(100 * recall[nonempty].mean().item(), 3),
        "f1": round(100 * f1[nonempty].mean().item(), 3),
        "coordinate_error": [round(e, 4) for e in (error * units[: len(error)]).tolist()],
        "recall_by_class": {
            name: round(100 * share, 2)
            for name, share in sorted(
                zip(detector.config.classes, caught.tolist(), strict=True), key=lambda x: x[1]
            )
        },
    }


def _save(
    root: Path, detector: Detector, optimizer: torch.optim.Optimizer, seen: int, settings: dict
) -> None:
    state = optimizer.state_dict()["state"]
    flat = {f"{index}.{name}": value for index, values in state.items() for name, value in values.items()}
    tensors = {"detector": detector.state_dict(), "optimizer": flat}
    save_checkpoint(root, seen, tensors, {"samples": seen, "config": settings}, keep=1)


def _restore(root: Path, detector: Detector, optimizer: torch.optim.Optimizer, settings: dict) -> int:
    """Loads the newest checkpoint, if any, and returns how many pictures it has seen."""
    found = checkpoints(root)
    if not found:
        return 0
    said = read_json(found[-1] / "state.json")
    # what a run of an earlier version does not say is as it is by default
    before = without_places(DetectorConfig()) | said.get("config", settings)
    for key in sorted(settings.keys() - FREE):
        if before.get(key) != settings[key]:
            raise InputError(
                f"{found[-1]}: {key} was {before.get(key)!r} there, but is {settings[key]!r} now; "
                "move it away"
            )
    try:
        detector.load_state_dict(load_tensors(found[-1] / "detector.safetensors"))
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise InputError(f"{found[-1]}: not a checkpoint of this config; move it away ({reason})") from error
    state: dict[int, dict[str, Tensor]] = defaultdict(dict)
    for key, value in load_tensors(found[-1] / "optimizer.safetensors").items():
        index, _, name = key.partition(".")
        state[int(index)][name] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    return said["samples"]
