"""Edits of a data set's scenes, as further training turns with pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from cdd_icm.data.batch import RawBatch
from cdd_icm.data.codraw_painter import ClipArt, PaintedPicture, Piece, in_painting_order
from cdd_icm.data.dialog import SceneObject
from cdd_icm.data.picture import to_square
from cdd_icm.plan.pieces.requests import Edit, names_of
from cdd_icm.plan.shared.object_tensors import drawn_objects

TRIES = 4
"""Number of edits that are written for a turn at most, until one changes the picture."""


@dataclass(frozen=True)
class Edited:
    """Replaces a random share of the turns with an edit of the scene that the turn leaves, painted.

    Args:
        share: of the turns. edit: writes the edit. moved_distance: see `Tuning`.
    """

    share: float
    edit: Edit
    clip_art: ClipArt
    moved_distance: float

    def __call__(self, raw: RawBatch) -> RawBatch:
        out = {name: list(value) for name, value in raw.items()}
        for i, draw in enumerate(raw["draw"]):
            rng = np.random.default_rng((draw, 1))
            former, scene = raw["before"][i], raw["after"][i]
            if former is None or scene is None or rng.random() >= self.share:
                continue
            touched = names_of(drawn_objects(former, scene, self.moved_distance))
            for _ in range(TRIES):
                request = self.edit(scene, touched, rng)
                if request.before != request.after:
                    break
            else:
                continue
            size = raw["target"].shape[-1]
            out["former"][i], out["before"][i], out["after"][i] = former, scene, request.after
            out["reference"][i], out["target"][i] = (
                self._painted(objects, size) for objects in (scene, request.after)
            )
            out["other"][i] = raw["reference"][i]
            out["history"][i] = (*raw["history"][i], raw["instruction"][i])
            out["instruction"][i] = request.instruction
        stacked = {name: torch.stack(out[name]) for name in ("reference", "target", "other")}
        return {**out, **stacked}

    def _painted(self, objects: Sequence[SceneObject], size: int) -> UInt8[Tensor, "3 size size"]:
        pieces = in_painting_order(map(Piece.of, objects))
        picture = to_square(PaintedPicture(self.clip_art, pieces).decode(), size)
        return torch.from_numpy(picture.transpose(2, 0, 1).copy())
