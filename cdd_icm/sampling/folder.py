"""Checks pipeline folders before anything in them is loaded."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import diffusers
import transformers
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError
from huggingface_hub.utils import validate_repo_id
from PIL import Image
from torch import nn

from cdd_icm.config import (
    EncoderConfig,
    ObjectiveConfig,
    SamplingConfig,
    from_dict,
    with_preset,
)
from cdd_icm.data.dialog import Dialog
from cdd_icm.data.picture import decode
from cdd_icm.diffusion.parameterisation import PREDICTION_TYPES
from cdd_icm.diffusion.schedule import NUM_TRAIN_TIMESTEPS
from cdd_icm.errors import InputError, first_line
from cdd_icm.hub import load_tokenizer
from cdd_icm.io import load_tensors, read_json
from cdd_icm.limits import MEMBER, read_local
from cdd_icm.model.backbone import CLIPTowers
from cdd_icm.model.fusion import GatedFusion
from cdd_icm.model.matcher import Matcher
from cdd_icm.model.size import without_memory
from cdd_icm.model.tokenizer import check_tokenizer
from cdd_icm.model.unet import ConditionalUNet
from cdd_icm.plan.protocol import Plan
from cdd_icm.plan.registry import saved_kind
from cdd_icm.sources import check_links, local_path, path_within

CLASS_NAME = "cdd_icm.CDDICMPipeline"
"""`_class_name` in `model_index.json`: where the class is imported from, so that plain diffusers, which does
not know it, names it in its error. Folders saved before have the last part."""

CANVAS = "canvas.png"
"""File name of the canvas with which the training dialogs begin, at the model's image size."""

TRAINING = "training.json"
"""File name of {"device": name of the training device, "samples": ...}; it has no effect on pictures."""

MODELS = {"towers": CLIPTowers, "fusion": GatedFusion, "unet": ConditionalUNet, "matcher": Matcher}
LIBRARY_PARTS = {
    "scheduler": (diffusers, diffusers.SchedulerMixin),
    "tokenizer": (transformers, transformers.PreTrainedTokenizerBase),
}
PICKLES = {".bin", ".ckpt", ".pickle", ".pkl", ".pt", ".pth"}


def local_folder(name: str | os.PathLike, options: dict[str, Any]) -> Path:
    """The local folder `name`, or the downloaded model `name` of the Hugging Face Hub. The hub's options are
    removed from `options`.

    Raises:
        InputError: there is no such folder, and the name is not valid on the hub or can't be downloaded.
    """
    folder = local_path(name)
    if folder.is_dir():
        return folder
    try:
        validate_repo_id(str(folder))
    except HFValidationError:
        raise InputError(f"{folder}: no such folder") from None
    hub = ("cache_dir", "force_download", "local_files_only", "revision", "token")
    given = {key: options.pop(key) for key in hub if key in options}
    try:
        wanted = ["*.json", "*.txt", "*.safetensors", CANVAS]
        return Path(snapshot_download(str(name), allow_patterns=wanted, **given))
    except (OSError, ValueError, HfHubHTTPError) as error:  # no network, no such model, not allowed
        raise InputError(f"{name}: can't be downloaded ({first_line(error)})") from error


class CheckedFolder(NamedTuple):
    """What was read of a pipeline folder to check it."""

    index: dict[str, Any]
    """The content of `model_index.json`."""
    tokenizer: transformers.PreTrainedTokenizerBase


def check_folder(folder: Path) -> CheckedFolder:
    """Checks that configs and weights fit each other, and that all weights are finite.

    Raises:
        InputError: a missing folder or file, a link out of the folder, pickled weights, invalid JSON, an
            unexpected class, a truncated weights file, weights that don't fit their config, or parts of
            different models; the message names the file.
    """
    if not local_path(folder).is_dir():
        raise InputError(f"{folder}: no such folder")
    check_links(folder)
    for file in sorted(folder.rglob("*")):
        if file.suffix in PICKLES:
            raise InputError(f"{file}: pickled weights are refused; only safetensors are read")
    index_file = folder / "model_index.json"
    index = read_json(index_file)
    if index.get("_class_name") not in (CLASS_NAME, CLASS_NAME.rpartition(".")[2]):
        raise InputError(
            f"{index_file}: _class_name is {index.get('_class_name')!r}, expected {CLASS_NAME!r}"
        )
    prompt = {key: value for key, value in index.items() if key in ("history", "speaker")}
    from_dict(EncoderConfig, prompt, str(index_file))
    if (predicts := index.get("prediction_type", "sample")) not in PREDICTION_TYPES:
        raise InputError(
            f"{index_file}: prediction_type is {predicts!r}, expected {' or '.join(PREDICTION_TYPES)}"
        )
    from_dict(ObjectiveConfig, index.get("objective", {}), str(index_file), "objective.")
    from_dict(SamplingConfig, index.get("sampling", {}), str(index_file), "sampling.")
    presets = index.get("sampling_presets", {})
    if not isinstance(presets, dict):
        raise InputError(f"{index_file}: sampling_presets is {presets!r}, expected a section of presets")
    for name, preset in presets.items():
        with_preset(index.get("sampling", {}), preset, f"{index_file}: sampling_presets.{name}")
    parts: dict[str, Any] = {}
    for name, kind in MODELS.items():
        entry, expected = index.get(name), [kind.__module__, kind.__name__]
        if entry != expected:
            raise InputError(f"{index_file}: {name} is {entry!r}, expected {expected}")
        parts[name] = check_weights(folder / name, kind)
    if (entry := index.get("planner")) not in (None, [None, None]):
        if (plan := saved_kind(entry)) is None:
            raise InputError(f"{index_file}: planner is {entry!r}, expected a class of `plan.registry`")
        parts["planner"] = check_weights(folder / "planner", plan)
    for name, (library, kind) in LIBRARY_PARTS.items():
        entry = index.get(name)
        # diffusers would import any module or custom pipeline that is named here
        known = isinstance(entry, list) and len(entry) == 2 and entry[0] == library.__name__
        part_class = getattr(library, str(entry[1]), None) if known else None
        if not (isinstance(part_class, type) and issubclass(part_class, kind)):
            raise InputError(f"{index_file}: {name} is {entry!r}, expected a class of {library.__name__}")
        # diffusers itself writes -Infinity into those of schedulers
        own = read_json(folder / name / f"{name}_config.json", foreign=True)
        if (steps := own.get("num_train_timesteps", NUM_TRAIN_TIMESTEPS)) != NUM_TRAIN_TIMESTEPS:
            raise InputError(
                f"{folder / name / f'{name}_config.json'}: num_train_timesteps is {steps!r}, expected "
                f"{NUM_TRAIN_TIMESTEPS}, as in training"
            )
    for name, value in index.items():
        if isinstance(value, list) and name not in (*MODELS, "planner", *LIBRARY_PARTS):
            raise InputError(f"{index_file}: {name} is {value!r}, but the pipeline has no such part")
    _check_parts(folder, **parts)
    tokenizer = load_tokenizer(folder / "tokenizer")
    check_tokenizer(tokenizer, parts["towers"], folder / "tokenizer", index.get("vocabulary"))
    return CheckedFolder(index, tokenizer)


def _check_parts(
    folder: Path,
    towers: CLIPTowers,
    fusion: GatedFusion,
    unet: ConditionalUNet,
    matcher: Matcher,
    planner: Plan | None = None,
) -> None:
    """Raises InputError if the parts' configs do not fit each other."""
    width = fusion.config.width
    expected = [
        *(("fusion", name, getattr(towers, name)) for name in ("image_width", "text_width", "embed_dim")),
        ("unet", "condition_width", width),
        ("unet", "map_channels", planner.map_channels if planner else 0),
        ("unet", "map_size", planner.map_size if planner else 0),
        ("matcher", "query_width", width),
        ("matcher", "image_size", unet.config.image_size),
    ]
    if planner:
        expected += [("planner", "width", width), ("planner", "text_width", towers.embed_dim)]
        if "image_size" in planner.config:
            expected.append(("planner", "image_size", unet.config.image_size))
    parts = {"fusion": fusion, "unet": unet, "matcher": matcher, "planner": planner}
    for name, key, value in expected:
        own = getattr(parts[name].config, key)
        if own != value:
            raise InputError(
                f"{folder / name / 'config.json'}: {key} is {own!r}, but the other parts expect {value!r}"
            )


def check_classes(folder: Path, dialogs: Sequence[Dialog], data: Path) -> None:
    """Raises InputError if `dialogs`, read from `data`, are of another data set than that of the model in
    `folder` (`Plan.check_data`). A damaged model passes; loading reports the damage."""
    index, config = folder / "model_index.json", folder / "planner" / "config.json"
    if not (index.is_file() and config.is_file()):
        return
    kind = saved_kind(read_json(index).get("planner"))
    if kind is not None and (reason := kind.check_data(read_json(config), dialogs)):
        raise InputError(f"{data}: another data set than that of the model in {folder}: {reason}")


def read_canvas(folder: Path) -> Image.Image | None:
    """The folder's canvas, or None if there is none."""
    file = folder / CANVAS
    return Image.fromarray(decode(read_local(file, MEMBER), str(file))) if file.is_file() else None


def check_weights(folder: Path, kind: type) -> nn.Module:
    """Checks that one model's weights fit its config.json and are finite, and returns the model without
    weights (on the meta device).

    Raises:
        InputError: a file is missing, truncated or not JSON, the config is that of another class or not valid
            for `kind`, the model is too large, or the weights don't fit it or are not finite; the message
            names the file.
    """
    config_file = folder / "config.json"
    config = read_json(config_file)
    if (name := config.get("_class_name", kind.__name__)) != kind.__name__:
        raise InputError(f"{config_file}: _class_name is {name!r}, expected {kind.__name__!r}")
    try:
        with without_memory():
            model = kind.from_config(config)
        expected = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    except Exception as error:  # invalid numbers raise all kinds of error in open_clip and diffusers
        raise InputError(f"{config_file}: no valid {kind.__name__} config ({first_line(error)})") from error
    for file in folder.glob("*.index.json"):
        for name in read_json(file).get("weight_map", {}).values():
            path_within(str(name), f"{file}: weight_map")
    where: dict[str, Path] = {}
    for file in sorted(folder.glob("*.safetensors")):
        for key, tensor in load_tensors(file).items():
            shape = tuple(tensor.shape)
            where[key] = file
            if expected.get(key) != shape:
                reason = f"expects {expected[key]}" if key in expected else "has no such tensor"
                raise InputError(f"{file}: {key} is {shape}, but {config_file.name} {reason}")
    if not where:
        raise InputError(f"{folder}: no weights (.safetensors)")
    if missing := sorted(expected.keys() - where.keys()):
        raise InputError(f"{file}: {missing[0]} is missing, but {config_file.name} expects it")
    return model
