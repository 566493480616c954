"""Augmentation that keeps the words true: mirror images, with left and right exchanged in the text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor

from cdd_icm.config import Config
from cdd_icm.data.dialog import Dialog, SceneObject
from cdd_icm.data.triplets import PICTURES
from cdd_icm.errors import InputError


def exchange(text: str, pairs: tuple[tuple[str, str], ...]) -> str:
    """Replaces every word or phrase of a pair by its partner: "on the left" -> "on the right"."""
    partner = {a.lower(): b for pair in pairs for a, b in (pair, pair[::-1])}
    if not partner:
        return text
    longest_first = sorted(partner, key=len, reverse=True)
    pattern = r"\b(" + "|".join(map(re.escape, longest_first)) + r")\b"
    return re.sub(pattern, lambda m: partner[m[0].lower()], text, flags=re.IGNORECASE)


def mirrored(
    raw: Mapping[str, Tensor | list], pairs: tuple[tuple[str, str], ...]
) -> Mapping[str, Tensor | list]:
    """Mirrors half of the samples, chosen by their draws: pictures, objects and words alike."""
    # A bit of the draw that chooses neither the no-op samples nor, but for dialogs of hundreds of turns, the
    # negative.
    turned = [bool(draw >> 20 & 1) for draw in raw["draw"]]
    at = torch.tensor(turned)[:, None, None, None]
    out = dict(raw)
    for name in PICTURES:
        out[name] = torch.where(at, raw[name].flip(-1), raw[name])
    for name, mirror in (
        ("before", _mirrored_objects),
        ("after", _mirrored_objects),
        ("instruction", lambda text: exchange(text, pairs)),
        ("history", lambda texts: tuple(exchange(text, pairs) for text in texts)),
    ):
        out[name] = [mirror(part) if turn else part for part, turn in zip(raw[name], turned, strict=True)]
    return out


def _mirrored_objects(objects: Sequence[SceneObject] | None) -> tuple[SceneObject, ...] | None:
    return objects if objects is None else tuple(thing.mirrored() for thing in objects)


def check_augmentation(config: Config, dialogs: Iterable[Dialog]) -> None:
    """Raises InputError where `objective.augmentations` can't be had of the data."""
    objects = all_objects(dialogs)
    if "join" in config.objective.augmentations and not objects:
        raise no_objects(config, "objective.augmentations without join")
    if "mirror" in config.objective.augmentations:
        check_flips(config, objects)


def all_objects(dialogs: Iterable[Dialog]) -> list[SceneObject]:
    """The annotated objects of all turns."""
    return [thing for dialog in dialogs for turn in dialog.turns for thing in turn.objects or ()]


def no_objects(config: Config, setting: str) -> InputError:
    """Raised where the data has no annotated objects and the config needs some; `setting` would not."""
    return InputError(f"{config.data.path}: no annotated objects; set {setting} to train without")


def check_flips(config: Config, objects: Iterable[SceneObject]) -> None:
    """Raises InputError where the trait `flip` has other values than "0" and "1"."""
    flips = {thing.look["flip"] for thing in objects if "flip" in thing.look}
    if not flips <= {"0", "1"}:
        raise InputError(
            f"{config.data.path}: look: flip: {', '.join(sorted(flips))}: expected 0 and 1, "
            "or objective.augmentations without mirror, and plan.recaption=0"
        )
