"""Augmentation by mirror images, with left and right exchanged in the text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor

from cdd_icm.config import Config
from cdd_icm.data.dialog import Dialog, SceneObject
from cdd_icm.data.triplets import PICTURES
from cdd_icm.errors import InputError


def swap_words(text: str, pairs: tuple[tuple[str, str], ...]) -> str:
    """Replaces every word or phrase of a pair with the other one: "on the left" -> "on the right"."""
    partner = {a.lower(): b for pair in pairs for a, b in (pair, pair[::-1])}
    if not partner:
        return text
    longest_first = sorted(partner, key=len, reverse=True)
    pattern = r"\b(" + "|".join(map(re.escape, longest_first)) + r")\b"
    return re.sub(pattern, lambda m: partner[m[0].lower()], text, flags=re.IGNORECASE)


def mirror_half(
    raw: Mapping[str, Tensor | list], pairs: tuple[tuple[str, str], ...]
) -> Mapping[str, Tensor | list]:
    """Mirrors the pictures, objects and texts of half of the samples, chosen by their random integers."""
    # bit 20 is independent of the choice of no-op samples (high bits) and of the negative (low bits)
    flipped = [bool(draw >> 20 & 1) for draw in raw["draw"]]
    mask = torch.tensor(flipped)[:, None, None, None]
    out = dict(raw)
    for name in PICTURES:
        out[name] = torch.where(mask, raw[name].flip(-1), raw[name])
    for name, mirror in (
        ("former", _mirrored_objects),
        ("before", _mirrored_objects),
        ("after", _mirrored_objects),
        ("instruction", lambda text: swap_words(text, pairs)),
        ("history", lambda texts: tuple(swap_words(text, pairs) for text in texts)),
    ):
        out[name] = [mirror(value) if flip else value for value, flip in zip(raw[name], flipped, strict=True)]
    return out


def _mirrored_objects(objects: Sequence[SceneObject] | None) -> tuple[SceneObject, ...] | None:
    return objects if objects is None else tuple(obj.mirrored() for obj in objects)


def check_augmentation(config: Config, dialogs: Iterable[Dialog]) -> None:
    """Raises InputError where `objective.augmentations` are impossible with the data."""
    objects = all_objects(dialogs)
    if "join" in config.objective.augmentations and not objects:
        raise no_objects_error(config, "objective.augmentations without join")
    if "mirror" in config.objective.augmentations:
        check_flips(config, objects)


def all_objects(dialogs: Iterable[Dialog]) -> list[SceneObject]:
    """The annotated objects of all turns."""
    return [obj for dialog in dialogs for turn in dialog.turns for obj in turn.objects or ()]


def no_objects_error(config: Config, setting: str) -> InputError:
    """The error for data without annotated objects; `setting` is a key=value that does without them."""
    return InputError(f"{config.data.path}: no annotated objects; set {setting} to train without")


def check_flips(config: Config, objects: Iterable[SceneObject]) -> None:
    """Raises InputError if an object's trait `flip` is neither "0" nor "1"."""
    flips = {obj.look["flip"] for obj in objects if "flip" in obj.look}
    if not flips <= {"0", "1"}:
        raise InputError(
            f"{config.data.path}: look: flip: {', '.join(sorted(flips))}: expected 0 and 1, "
            "or objective.augmentations without mirror, and plan.recaption=0"
        )
