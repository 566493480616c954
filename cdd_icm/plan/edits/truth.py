"""Encodes annotated turns, and synthetic ones, in the loader processes, for the plan's loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from cdd_icm.data.batch import RawBatch, Tokenize
from cdd_icm.data.dialog import SceneObject
from cdd_icm.data.picture import to_float
from cdd_icm.data.tensor_fields import TensorFields
from cdd_icm.errors import InputError
from cdd_icm.plan.edits.changes import ObjectChange, changes_between, touched_by
from cdd_icm.plan.edits.decoding import look_of
from cdd_icm.plan.edits.requests import Asked, Placed, RequestEncoder, Requests, Scene, of_items
from cdd_icm.plan.edits.rewording import look_name, reword
from cdd_icm.plan.shared.shifted import shifted

PARTS = 4
"""Number of parts that a batch of requests is encoded in, by the lengths of their texts."""


@dataclass(frozen=True)
class SyntheticRequest:
    """A turn without pictures: the scene, which of its objects the turn before touched, what is asked for, in
    which words and with which intent (`intents.INTENTS`)."""

    scene: Sequence[SceneObject]
    touched: Sequence[int]
    changes: Sequence[ObjectChange]
    text: str
    intent: str


class World(Protocol):
    """What is known of a data set's world beyond its annotation."""

    def objects(self) -> list[SceneObject]:
        """An object of each class and look."""

    def request(self, rng: np.random.Generator) -> SyntheticRequest:
        """A random turn."""

    def write(
        self, scene: Sequence[SceneObject], changes: Sequence[ObjectChange], rng: np.random.Generator
    ) -> str | None:
        """A text that asks for the changes; None if there is none."""


@dataclass
class RequestPart(TensorFields):
    """Requests whose texts are alike in length, and the objects that they place."""

    requests: Requests
    placed: Placed


@dataclass
class EditTruth(TensorFields):
    """The true edits of a batch; further requests without pictures; and pictures to train the detector."""

    scene: Scene
    asked: Asked
    """Of the batch's own turns, (B, ...)."""
    ids: Int[Tensor, "B Nw"]
    mask: Bool[Tensor, "B Nw"]
    """The batch's own edits in the plan's words, see `reword`."""
    parts: tuple[RequestPart, ...]
    """The batch's own requests and the synthetic ones, in up to `PARTS` parts by the lengths of texts."""
    shifted: Tensor  # (B, 3, R, R)
    """Targets, shifted and mirrored; uint8, and in [-1, 1] after `on`."""
    shifted_looks: Int[Tensor, "B L"]
    """The cell of each look in them, or -1."""

    def on(self, device: torch.device) -> EditTruth:
        truth = super().on(device)
        return replace(truth, shifted=to_float(truth.shifted))


@dataclass(frozen=True)
class EditTruthEncoder:
    """Encodes annotated triplets.

    Args:
        encode: encodes requests. tokenize: for the model's own text tower.
        looks: L, classes times the combinations of traits.
        synthetic_turns: number of requests of `world` beside each item.
    """

    encode: RequestEncoder
    tokenize: Tokenize
    looks: int
    synthetic_turns: int
    world: World | None

    def __call__(self, raw: RawBatch, no_op: Sequence[bool]) -> EditTruth:
        """
        Raises:
            InputError: a turn has no annotated objects, or one of an unknown class or look.
        """
        items = [self._request(raw, i, no_op[i]) for i in range(len(no_op))]
        for draw in raw["draw"]:
            rng = np.random.default_rng((draw, 2))
            for _ in range(self.synthetic_turns):
                items.append(self.world.request(rng))
        requests = self.encode(
            [item.text for item in items],
            [item.scene for item in items],
            [item.touched for item in items],
            [item.changes for item in items],
            [item.intent for item in items],
        )
        own = slice(len(no_op))
        scene, asked = of_items(requests.scene, own), of_items(requests.asked, own)
        # texts alike in length together, so that little of what is computed is padding
        spoken = [i for i, item in enumerate(items) if item.text.strip()]
        spoken = spoken[: len(spoken) // PARTS * PARTS or None]
        lengths = requests.mask.sum(dim=1)
        order = torch.tensor(sorted(spoken, key=lambda i: int(lengths[i])), dtype=torch.long)
        parts = [
            requests[part].trimmed(int(lengths[part].max()))
            for part in order.tensor_split(PARTS)
            if len(part)
        ]
        reworded = [(self.reworded(item), ()) for item in items[own]]
        words = self.tokenize(reworded)
        placed = tuple(RequestPart(part, Placed.asked_by(part)) for part in parts)
        return EditTruth(scene, asked, *words, placed, *self._shifted(raw))

    def reworded(self, item: SyntheticRequest) -> str:
        """The changes of a turn in the plan's words, see `reword`."""

        def named(obj: SceneObject) -> str:
            look, traits = self.encode.traits_of(obj).tolist(), self.encode.traits.values()
            return look_name(obj.name, [values[k] for k, values in zip(look, traits, strict=True) if k])

        gone = [named(item.scene[number]) for number, _ in item.changes if number is not None]
        return reword(gone, [named(after) for _, after in item.changes if after is not None])

    def _request(self, raw: RawBatch, i: int, no_op: bool) -> SyntheticRequest:
        former, before, after = (raw[name][i] for name in ("former", "before", "after"))
        try:
            if former is None or before is None or after is None:
                raise InputError("objects: not annotated; set plan.kind=none to train without a plan")
            if no_op:
                return SyntheticRequest(after, (), (), "", "nothing")
            moved = self.encode.moved_distance
            changes = changes_between(before, after, moved)
            touched = touched_by(former, before, moved)
            intent = "change" if changes else "nothing"
            return SyntheticRequest(before, touched, changes, raw["instruction"][i], intent)
        except InputError as error:
            raise InputError(f"dialog {raw['dialog'][i]}, turn {raw['turn'][i] + 1}: {error}") from None

    def _shifted(self, raw: RawBatch) -> tuple[Tensor, Int[Tensor, "B L"]]:
        pictures, looks, encode = [], [], self.encode
        sizes = tuple(len(values) for values in encode.traits.values())
        for target, objects, draw in zip(raw["target"], raw["after"], raw["draw"], strict=True):
            picture, objects = shifted(target, objects, encode.grid, np.random.default_rng((draw, 3)))
            cells = torch.full((self.looks,), -1)
            for obj in objects:
                look = look_of(torch.tensor(encode.class_of(obj)), encode.traits_of(obj), sizes)
                cells[look] = encode.cell_of(obj)
            pictures.append(picture)
            looks.append(cells)
        return torch.stack(pictures), torch.stack(looks)


@dataclass(frozen=True)
class Reversed:
    """Takes back a random share of the turns: what was added is removed, what was moved moves back; the text
    is written anew."""

    share: float
    world: World

    def __call__(self, raw: RawBatch) -> RawBatch:
        out = {name: list(value) for name, value in raw.items()}
        for i, draw in enumerate(raw["draw"]):
            rng = np.random.default_rng((draw, 1))
            before, after = raw["before"][i], raw["after"][i]
            if before is None or after is None or rng.random() >= self.share:
                continue
            changes = changes_between(after, before, moved_distance=0.02)
            text = self.world.write(after, changes, rng)
            if text is not None:
                out["before"][i], out["after"][i] = after, before
                out["reference"][i], out["target"][i] = raw["target"][i], raw["reference"][i]
                out["former"][i] = after
                out["instruction"][i], out["history"][i] = text, ()
        stacked = {name: torch.stack(out[name]) for name in ("reference", "target", "other")}
        return {**out, **stacked}
