"""Evaluates a model on a split: generates every dialog, scores the pictures, writes the report."""

from __future__ import annotations

import json
import time
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from cdd_icm.config import SamplingConfig, from_dict, to_dict
from cdd_icm.data import Dialog, load_dialogs
from cdd_icm.device import device_name, find_device, find_dtype, process_state
from cdd_icm.diffusion.samplers import scheduler_like
from cdd_icm.errors import InputError
from cdd_icm.evaluation import fingerprint
from cdd_icm.evaluation.detector import load_detector, look_classes, shipped_detector
from cdd_icm.evaluation.edits import edits_of, evaluate_edits, words_of
from cdd_icm.evaluation.fidelity import fidelity, inception_weights
from cdd_icm.evaluation.protocol import (
    evaluate_no_op,
    evaluate_pictures,
    no_op_dialogs,
    squares,
    true_pictures,
)
from cdd_icm.evaluation.report import FORMAT, package_versions, write_report, write_worst
from cdd_icm.io import check_writable, read_json, replacing
from cdd_icm.lock import claimed
from cdd_icm.sampling.dialogs import generate_dialogs
from cdd_icm.sampling.folder import TRAINING, check_classes
from cdd_icm.sampling.loading import load_pipeline
from cdd_icm.sampling.pipeline import CDDICMPipeline
from cdd_icm.sampling.store import GeneratedFolder, file_name, generate_missing
from cdd_icm.train.batches import TRAIN

NO_OP_DIALOGS = 16
"""Number of dialogs, the first ones, on which `NO_OP_PHRASES` are tested."""


def evaluate_model(
    model: Path,
    data: Path,
    split: str,
    report: Path,
    *,
    limit: int | None = None,
    detector: Path | None = None,
    inception: str | None = None,
    wordings_of: Path | None = None,
    teacher_forced: bool = False,
    seed: int = 0,
    batch_size: int = 16,
    preset: str | None = None,
    sampling: dict[str, Any] | None = None,
    device: str = "auto",
    dtype: str = "auto",
) -> dict | None:
    """Evaluates the pipeline folder `model`, and writes and returns `report` (.json).

    Pictures are stored in `<report>.pictures`, so that a stopped evaluation can be resumed. Under `accelerate
    launch` every process generates its share; the main process scores and returns the report, the others
    None.

    Args:
        model: a pipeline folder. data: a data set, as for `load_dialogs`.
        limit: evaluate only the first dialogs of the split; None for all.
        detector: a detector's folder; None for the shipped one that knows the data's classes.
        inception: Inception weights for FID and KID, see `fidelity.inception_weights`.
        wordings_of: a data set; edits are also scored by whether its training texts have all words of a turn.
        teacher_forced: generate each turn from the true reference.
        preset: name of a preset of the model, instead of its default settings.
        sampling: settings that override both.
        device, dtype: as in `load_pipeline`.

    Raises:
        InputError: the model, data, detector or weights are invalid, the data is of another data set than the
            model's, existing pictures were generated with other settings or code, or another process is
            evaluating into this report.
        Stopped: after Ctrl-C or SIGTERM while drawing, once the current dialogs are saved.
    """
    state = process_state()
    torch_device, torch_dtype = find_device(device), find_dtype(dtype, device)
    check_writable(report)
    sampling = checked_sampling(sampling or {})
    whole_split = load_dialogs(data, split)
    check_classes(model, whole_split, data)
    dialogs = whole_split[:limit]
    detector_folder = detector or shipped_detector(dialogs)
    detector_model = load_detector(detector_folder).to(torch_device)
    if unknown := look_classes(dialogs, detector_model.class_traits) - set(detector_model.config.classes):
        raise InputError(
            f"{data}: objects: the detector {detector_folder} does not know the class {min(unknown)!r}"
        )
    edits = edits_of(dialogs, detector_model)
    known_words = None
    if wordings_of is not None:
        if edits is None:
            raise InputError(f"--wordings-of: the split {split} of {data} has no annotated edits to divide")
        known_words = words_of(
            turn.instruction for dialog in load_dialogs(wordings_of, TRAIN) for turn in dialog.turns
        )
    weights = inception_weights(inception) if inception else None
    settings = {
        "model": fingerprint.of_folder(model),
        "code": fingerprint.of_code(),
        "seed": seed,
        "teacher_forced": teacher_forced,
        "preset": preset,
        "sampling": sampling,
        "dtype": str(torch_dtype).removeprefix("torch."),
    }
    folder = report.with_suffix(".pictures")
    with claimed(folder) if state.is_main_process else nullcontext():
        pictures = GeneratedFolder(folder, settings, generated_and_true)
        no_op_pictures = GeneratedFolder(folder / "no-op", settings, generated_and_true)
        no_op = no_op_dialogs(dialogs[:NO_OP_DIALOGS])

        started, missing = time.monotonic(), pictures.missing(dialogs)
        if missing or no_op_pictures.missing(no_op):
            if state.is_main_process:
                _add_device(folder, device_name(torch_device))
            pipeline = _load(model, device, dtype, preset, sampling.get("scheduler"))
            options = {name: value for name, value in sampling.items() if name != "scheduler"}
            generate = partial(
                generate_dialogs, pipeline, batch_size=batch_size, seed=seed, progress=False, **options
            )
            generate_missing(dialogs, pictures, partial(generate, teacher_forced=teacher_forced), batch_size)
            generate_missing(no_op, no_op_pictures, generate, batch_size)
        state.wait_for_everyone()
        if not state.is_main_process:
            return None

        seconds = time.monotonic() - started
        generated = [pictures.load(dialog) for dialog in dialogs]
        side = detector_model.config.image_size
        figures = evaluate_pictures(dialogs, generated, detector_model, teacher_forced, seed)
        if edits is not None:
            kept = [dialog["preservation"] for dialog in figures["dialogs"]]
            scored = evaluate_edits(
                dialogs, edits, generated, kept, detector_model, teacher_forced, known_words, seed
            )
            for dialog, turns in zip(figures["dialogs"], scored["dialogs"], strict=True):
                dialog["edits"] = turns
            figures["edits"] = {"wordings_of": wordings_of and wordings_of.name, "rows": scored["rows"]}
        result = {
            "format": FORMAT,
            "model": {"name": model.name, "fingerprint": settings["model"], "config": _configs(model)},
            "data": {
                "name": data.name,
                "split": split,
                "dialogs": len(dialogs),
                "of": len(whole_split),
                "pictures": sum(figures["pictures_by_turn"]),
                "fingerprint": fingerprint.of_data(dialogs),
            },
            "detector": {"name": detector_folder.name, "fingerprint": fingerprint.of_folder(detector_folder)},
            "seed": seed,
            "teacher_forced": teacher_forced,
            "preset": preset,
            "sampling": sampling,
            "fidelity": fidelity(
                np.concatenate([true_pictures(dialog, side) for dialog in dialogs]),
                np.concatenate([squares(pictures_of_dialog, side) for pictures_of_dialog in generated]),
                detector_folder,
                weights,
                seed,
            ),
            "no_op": evaluate_no_op(no_op, [no_op_pictures.load(dialog) for dialog in no_op], detector_model),
            "versions": package_versions(),
            "code": settings["code"],
            "devices": {"drew": _devices(folder), "trained": training_device(model)},
            "dtype": settings["dtype"],
            "processes": state.num_processes,
            **figures,
        }
        result["seconds"] = {
            "drawing_in_this_run": round(seconds, 1),
            "pictures_drawn_in_this_run": sum(len(dialog.turns) for dialog in missing),
            "scoring": round(time.monotonic() - started - seconds, 1),
        }
        write_worst(report.with_suffix(".worst"), result, dialogs, generated)
        write_report(report, result)
        return result


def _load(model: Path, device: str, dtype: str, preset: str | None, scheduler: str | None) -> CDDICMPipeline:
    pipeline = load_pipeline(model, device, dtype)
    if preset is not None:
        pipeline.use_preset(preset)
    if scheduler is not None:
        pipeline.scheduler = scheduler_like(pipeline.scheduler, scheduler)
    return pipeline


def _devices(folder: Path) -> list[str]:
    """The devices that generated the pictures in `folder`; several if the work was resumed on another
    device."""
    file = folder / "devices.json"
    return read_json(file)["drew"] if file.exists() else []


def _add_device(folder: Path, name: str) -> None:
    names = sorted({*_devices(folder), name})
    with replacing(folder / "devices.json") as path:
        path.write_text(json.dumps({"drew": names}) + "\n", encoding="utf-8")


def training_device(model: Path) -> str | None:
    """The device that trained a model, from its `training.json`; None if that is missing."""
    file = model / TRAINING
    return read_json(file).get("device") if file.exists() else None


def generated_and_true(dialog: Dialog) -> tuple[str, str]:
    """A layout of two parallel trees, suitable for `fidelity --input1 <folder>/generated --input2
    <folder>/true --samples-find-deep --fid`. The fingerprint gives a changed dialog another folder."""
    name = f"{file_name(dialog.id)}-{fingerprint.of_dialog(dialog)}"
    return f"generated/{name}", f"true/{name}"


def checked_sampling(sampling: dict[str, Any]) -> dict[str, Any]:
    """`sampling`, validated and as plain values.

    Raises:
        InputError: an unknown key, a value of the wrong type, or an unknown scheduler.
    """
    checked = to_dict(from_dict(SamplingConfig, sampling, "sampling"))
    return {name: checked[name] for name in sampling}


def _configs(model: Path) -> dict[str, Any]:
    """The JSON files at the top of a model folder, by name."""
    return {file.name: read_json(file) for file in sorted(model.glob("*.json"))}
