"""Encodes annotated turns, and requests without pictures, in the loader processes, for the plan's loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Int
from tokenizers import Tokenizer
from torch import Tensor

from cdd_icm.data.batch import RawBatch
from cdd_icm.data.dialog import SceneObject
from cdd_icm.data.picture import to_float
from cdd_icm.data.tensor_fields import TensorFields
from cdd_icm.errors import InputError
from cdd_icm.model.prompt import compose_text
from cdd_icm.plan.pieces.requests import Request, names_of
from cdd_icm.plan.pieces.scene import Changes, Scene, changes_of
from cdd_icm.plan.shared.intents import INTENTS
from cdd_icm.plan.shared.object_tensors import drawn_objects
from cdd_icm.plan.shared.shifted import shifted
from cdd_icm.plan.shared.words import encode_texts


@dataclass(frozen=True)
class RequestEncoder:
    """Encodes requests as tensors.

    Args:
        classes, traits, grid, speaker, tokenizer: see `PiecePlan`. moved_distance: see `Tuning`.
    """

    classes: tuple[str, ...]
    traits: Mapping[str, Sequence[str]]
    grid: int
    moved_distance: float
    speaker: str
    tokenizer: Tokenizer

    def words(self, texts: Sequence[str]) -> tuple[Int[Tensor, "B Nw"], Bool[Tensor, "B Nw"]]:
        """Token ids and mask."""
        return encode_texts(self.tokenizer, [compose_text(text, (), 0, self.speaker) for text in texts])

    def scene(self, objects: Sequence[SceneObject], touched: Sequence[str] = ()) -> Scene:
        """One picture's objects."""
        return Scene.of(objects, self.classes, self.traits, self.grid, touched)

    def changes(self, request: Request) -> Changes:
        """What one request changes."""
        return changes_of(
            request.before,
            request.after,
            self.classes,
            self.traits,
            self.grid,
            self.moved_distance,
            INTENTS.index(request.intent),
        )

    def __call__(self, requests: Sequence[Request]) -> Spoken:
        """
        Raises:
            InputError: an object of an unknown class or with an unknown trait.
        """
        scenes = [self.scene(request.before, request.touched) for request in requests]
        changes = [self.changes(request) for request in requests]
        words = self.words([request.instruction for request in requests])
        return Spoken(*words, Scene.concatenated(scenes), Changes.concatenated(changes))


@dataclass
class Spoken(TensorFields):
    """Requests as tensors."""

    ids: Int[Tensor, "B Nw"]
    mask: Bool[Tensor, "B Nw"]
    scene: Scene
    changes: Changes


@dataclass
class PieceTruth(TensorFields):
    """The true changes of a batch, and what else the plan learns from."""

    spoken: Spoken
    """The batch's own requests, then those without pictures."""
    drawn: Scene
    """What the batch's own turns draw; its `cells` are places in the feature map."""
    gone: Scene
    """The same of what has to go from the references."""
    max_objects: int
    """The largest of the numbers of objects drawn and gone in the batch."""
    shifted: Tensor  # (B, 3, R, R)
    """Targets, shifted and mirrored; uint8, and in [-1, 1] after `on`."""
    shifted_scene: Scene

    def on(self, device: torch.device) -> PieceTruth:
        truth = super().on(device)
        return replace(truth, shifted=to_float(truth.shifted))


@dataclass(frozen=True)
class PieceTruthEncoder:
    """Encodes annotated triplets.

    Args:
        encode: encodes requests. places: the side of the feature map.
        requests: number of requests of `source` beside each item.
    """

    encode: RequestEncoder
    places: int
    requests: int
    source: Callable[[np.random.Generator], Request]

    def __call__(self, raw: RawBatch, no_op: Sequence[bool]) -> PieceTruth:
        """
        Raises:
            InputError: a turn has no annotated objects, or one of an unknown class or look.
        """
        own = [self._request(raw, i, no_op[i]) for i in range(len(no_op))]
        beside = [
            self.source(np.random.default_rng((draw, 2, number)))
            for draw in raw["draw"]
            for number in range(self.requests)
        ]
        spoken = self.encode([*own, *beside])
        at = replace(self.encode, grid=self.places)
        changes = Changes.concatenated([at.changes(request) for request in own])
        before = Scene.concatenated([at.scene(request.before) for request in own])
        gone = replace(before, cells=before.cells.where(changes.gone(before), -1))
        most = max(int(scene.exists.sum()) for scene in (changes.drawn, gone))
        return PieceTruth(spoken, changes.drawn, gone, most, *self._shifted(raw))

    def _request(self, raw: RawBatch, i: int, no_op: bool) -> Request:
        former, before, after = (raw[name][i] for name in ("former", "before", "after"))
        where = f"dialog {raw['dialog'][i]}, turn {raw['turn'][i] + 1}"
        if former is None or before is None or after is None:
            raise InputError(f"{where}: objects: not annotated; set plan.kind=none to train without a plan")
        if no_op:
            request = Request(raw["instruction"][i], (), after, after, "nothing")
        else:
            touched = names_of(drawn_objects(former, before, self.encode.moved_distance))
            intent = "change" if before != after else "nothing"
            request = Request(raw["instruction"][i], touched, before, after, intent)
        try:
            self.encode.changes(request), self.encode.scene(before)
        except InputError as error:
            raise InputError(f"{where}: {error}") from None
        return request

    def _shifted(self, raw: RawBatch) -> tuple[Tensor, Scene]:
        pictures, scenes = [], []
        for target, objects, draw in zip(raw["target"], raw["after"], raw["draw"], strict=True):
            picture, objects = shifted(target, objects, self.encode.grid, np.random.default_rng((draw, 3)))
            pictures.append(picture)
            scenes.append(self.encode.scene(objects))
        return torch.stack(pictures), Scene.concatenated(scenes)
