"""One model on one split: draw every dialog, read the pictures back, write the report."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import cdd_icm
from cdd_icm.config import SamplingConfig, from_dict, to_dict
from cdd_icm.data import Dialog, load_dialogs
from cdd_icm.data.dialog import class_names
from cdd_icm.device import find_device, find_dtype, process_state
from cdd_icm.diffusion.samplers import scheduler_like
from cdd_icm.errors import InputError
from cdd_icm.evaluation import fingerprint
from cdd_icm.evaluation.detector import load_detector
from cdd_icm.evaluation.fidelity import fidelity, inception_weights
from cdd_icm.evaluation.protocol import (
    evaluate_no_op,
    evaluate_pictures,
    no_op_dialogs,
    squares,
    true_pictures,
)
from cdd_icm.evaluation.report import FORMAT, package_versions, write_report, write_worst
from cdd_icm.io import check_writable, read_json
from cdd_icm.sampling.dialogs import draw_dialogs
from cdd_icm.sampling.folder import check_classes
from cdd_icm.sampling.loading import load_pipeline
from cdd_icm.sampling.store import DrawnFolder, draw_missing, file_name

NO_OP_DIALOGS = 20


def evaluate_model(
    model: Path,
    data: Path,
    split: str,
    report: Path,
    *,
    limit: int | None = None,
    detector: Path | None = None,
    inception: str | None = None,
    teacher_forced: bool = False,
    seed: int = 0,
    batch_size: int = 16,
    preset: str | None = None,
    sampling: dict[str, Any] | None = None,
    device: str = "auto",
    dtype: str = "auto",
) -> dict | None:
    """Evaluates the pipeline folder `model`, writes `report` (.json) and what goes with it, and returns it.

    Pictures are kept beside the report, in `<report>.pictures`: the same command goes on where it was
    stopped, and under `accelerate launch` every process draws its share. Only the main process scores and
    returns. `detector` is a folder (None: the shipped one that knows the data's classes); `inception` is what
    `fidelity.inception_weights` takes; `preset` names settings stored with the model, to be used in place of
    its own; `sampling` overrides either; `limit` takes the first so many dialogs; `device` and `dtype` are
    those of `load_pipeline`.

    Raises:
        InputError: the model, data, detector or weights can't be used, the data are of another data set than
            the model's, or pictures are there from other settings.
    """
    state = process_state()
    place, number = find_device(device), find_dtype(dtype, device)
    check_writable(report)
    sampling = checked_sampling(sampling or {})
    dialogs = load_dialogs(data, split)
    check_classes(model, dialogs, data)
    whole = len(dialogs)
    dialogs = dialogs[:limit]
    detector = detector or shipped_detector(dialogs)
    reader = load_detector(detector).to(place)
    if unknown := class_names(dialogs) - set(reader.config.classes):
        raise InputError(f"{data}: objects: the detector {detector} does not know the class {min(unknown)!r}")
    weights = inception_weights(inception) if inception else None
    settings = {
        "model": fingerprint.of_folder(model),
        "code": fingerprint.of_code(),
        "seed": seed,
        "teacher_forced": teacher_forced,
        "preset": preset,
        "sampling": sampling,
        "dtype": str(number).removeprefix("torch."),
    }
    folder = report.with_suffix(".pictures")
    drawn, idle = (DrawnFolder(root, settings, two_trees) for root in (folder, folder / "no-op"))
    still = no_op_dialogs(dialogs[:NO_OP_DIALOGS])

    started, missing = time.monotonic(), drawn.missing(dialogs)
    if missing or idle.missing(still):
        pipeline = load_pipeline(model, device, dtype)
        if preset is not None:
            pipeline.use_preset(preset)
        options = dict(sampling)
        if scheduler := options.pop("scheduler", None):
            pipeline.scheduler = scheduler_like(pipeline.scheduler, scheduler)
        draw = partial(draw_dialogs, pipeline, batch_size=batch_size, seed=seed, progress=False, **options)
        draw_missing(dialogs, drawn, partial(draw, teacher_forced=teacher_forced), batch_size)
        draw_missing(still, idle, draw, batch_size)
    state.wait_for_everyone()
    if not state.is_main_process:
        return None

    drawing = time.monotonic() - started
    generated = [drawn.load(dialog) for dialog in dialogs]
    result = evaluate_pictures(dialogs, generated, reader, teacher_forced, seed)
    side = reader.config.image_size
    result = {
        "format": FORMAT,
        "model": {"name": model.name, "fingerprint": settings["model"], "config": _configs(model)},
        "data": {
            "name": data.name,
            "split": split,
            "dialogs": len(dialogs),
            "of": whole,
            "pictures": sum(result["pictures_by_turn"]),
            "fingerprint": fingerprint.of_data(dialogs),
        },
        "detector": {"name": detector.name, "fingerprint": fingerprint.of_folder(detector)},
        "seed": seed,
        "teacher_forced": teacher_forced,
        "preset": preset,
        "sampling": sampling,
        "fidelity": fidelity(
            np.concatenate([true_pictures(dialog, side) for dialog in dialogs]),
            np.concatenate([squares(pictures, side) for pictures in generated]),
            detector,
            weights,
            seed,
        ),
        "no_op": evaluate_no_op(still, [idle.load(dialog) for dialog in still], reader),
        "versions": package_versions(),
        "code": settings["code"],
        "device": str(place),
        "dtype": settings["dtype"],
        "processes": state.num_processes,
        **result,
    }
    result["seconds"] = {
        "drawing_in_this_run": round(drawing, 1),
        "pictures_drawn_in_this_run": sum(len(dialog.turns) for dialog in missing),
        "scoring": round(time.monotonic() - started - drawing, 1),
    }
    write_worst(report.with_suffix(".worst"), result, dialogs, generated)
    write_report(report, result)
    return result


def two_trees(dialog: Dialog) -> tuple[str, str]:
    """Where the pictures of a dialog lie: `fidelity --input1 <folder>/drawn --input2 <folder>/true
    --samples-find-deep --fid` reads both. A dialog that has changed since has another place."""
    name = f"{file_name(dialog.id)}-{fingerprint.of_dialog(dialog)}"
    return f"drawn/{name}", f"true/{name}"


def checked_sampling(sampling: dict[str, Any]) -> dict[str, Any]:
    """The given settings, in plain values.

    Raises:
        InputError: a setting that `SamplingConfig` doesn't have, a wrong type, or an unknown scheduler.
    """
    checked = to_dict(from_dict(SamplingConfig, sampling, "sampling"))
    return {name: checked[name] for name in sampling}


def shipped_detector(dialogs: Sequence[Dialog]) -> Path:
    """The folder under data/pretrained of the detector that knows all classes of these dialogs.

    Raises:
        InputError: there is none, or the dialogs have no annotation to tell by.
    """
    named = class_names(dialogs)
    if not named:
        raise InputError(
            "the data names no classes, so no shipped detector can be chosen: give --detector DIR"
        )
    root = Path(cdd_icm.__file__).parents[1] / "data" / "pretrained"
    for config in sorted(root.glob("detector_*/config.json")):
        if named <= set(json.loads(config.read_text())["classes"]):
            return config.parent
    raise InputError(
        f"{root}: no shipped detector knows the class {min(named)!r} and the data's {len(named) - 1} others: "
        "give --detector DIR"
    )


def _configs(model: Path) -> dict[str, Any]:
    """The settings that lie in the model folder itself."""
    return {file.name: read_json(file) for file in sorted(model.glob("*.json"))}
