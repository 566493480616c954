"""From triplets to tensors: one training batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from cdd_icm.config import Config, ObjectiveConfig
from cdd_icm.data.augment import exchange, mirrored
from cdd_icm.data.picture import to_float
from cdd_icm.data.tensor_fields import TensorFields
from cdd_icm.data.triplets import PICTURES, Triplet, collate

RawBatch = Mapping[str, Tensor | list]
"""What `collate` makes of triplets."""
Asked = Sequence[tuple[str, Sequence[str]]]
"""Instructions, each with the earlier ones of its dialog, oldest first."""
Tokenize = Callable[[Asked], tuple[Int[Tensor, "B Nw"], Bool[Tensor, "B Nw"]]]
"""Token ids and mask of instructions with their history."""


class TruthEncoder(Protocol):
    """Encodes the true plan of each turn, in the loader processes."""

    def __call__(self, raw: RawBatch, no_op: Sequence[bool]) -> TensorFields:
        """The plan's part of a batch. `no_op`: items whose text asks for nothing; their reference is the
        target.

        Raises:
            InputError: a turn can't be encoded; the message names its dialog and turn.
        """


@dataclass
class Batch(TensorFields):
    """One training batch. Its pictures are uint8, 0..255, as loader processes make it, and in [-1, 1] once it
    is `on` the device that trains."""

    turns: list[tuple[str, int]]
    """The id of each item's dialog and the number of its turn, from 0."""
    reference: Tensor  # (B, 3, R, R)
    target: Tensor
    other: Tensor
    """Another turn of the same dialog: a hard negative."""
    ids: Int[Tensor, "B Nw"]
    mask: Bool[Tensor, "B Nw"]
    null_ids: Int[Tensor, "1 Nw"]
    """The empty text."""
    null_mask: Bool[Tensor, "1 Nw"]
    no_op: Bool[Tensor, " B"]
    """Where the text asks for nothing."""
    false_ids: Int[Tensor, "B Nw"] | None = None
    """The instruction with its antonyms exchanged, where the config names any."""
    false_mask: Bool[Tensor, "B Nw"] | None = None
    plan: TensorFields | None = None
    """The true plan as the model's kind of plan encodes it (`plan.protocol`), where it plans."""

    def on(self, device: torch.device) -> Batch:
        """The same batch on `device`, pictures in [-1, 1]."""
        batch = super().on(device)
        return replace(batch, **{name: to_float(getattr(batch, name)) for name in PICTURES})


NO_OP_TEXTS = ("keep everything as it is", "leave it as it is", "change nothing", "add nothing")
"""Instructions that ask for nothing."""
SIDES = (("left", "right"),)
"""The words that change sides in a mirror."""


def no_op_text(draw: int, objective: ObjectiveConfig) -> str | None:
    """The words with which the sample of this draw asks for nothing, or None where it asks for its turn."""
    share = draw / 2**31
    if share >= objective.no_op_share:
        return None
    return NO_OP_TEXTS[int(share / objective.no_op_share * len(NO_OP_TEXTS))]


class Collator:
    """What a data loader collates with: triplets -> `Batch`, on the CPU.

    Args:
        tokenize: of instructions with their history.
        encode_truth: of the kind of plan, None where nothing is planned.
        augment: changes made to triplets before all else, such as other words for the same turn.
    """

    def __init__(
        self,
        config: Config,
        tokenize: Tokenize,
        encode_truth: TruthEncoder | None = None,
        augment: Callable[[RawBatch], RawBatch] | None = None,
    ):
        self.config, self.tokenize, self.encode_truth, self.augment = config, tokenize, encode_truth, augment

    def __call__(self, items: Sequence[Triplet]) -> Batch:
        """
        Raises:
            InputError: see `TruthEncoder`.
        """
        objective, raw = self.config.objective, collate(items)
        if self.augment is not None:
            raw = self.augment(raw)
        if "mirror" in objective.augmentations:
            raw = mirrored(raw, SIDES)
        no_op_texts = [no_op_text(draw, objective) for draw in raw["draw"]]
        no_op = [text is not None for text in no_op_texts]
        asked = [
            (instruction, history) if text is None else (text, (*history, instruction))
            for instruction, history, text in zip(
                raw["instruction"], raw["history"], no_op_texts, strict=True
            )
        ]
        ids, mask = self.tokenize(asked)
        null_ids, null_mask = self.tokenize([("", ())])
        unchanged = torch.tensor(no_op)
        batch = Batch(
            turns=list(zip(raw["dialog"], raw["turn"], strict=True)),
            reference=torch.where(unchanged[:, None, None, None], raw["target"], raw["reference"]),
            target=raw["target"],
            other=raw["other"],
            ids=ids,
            mask=mask,
            null_ids=null_ids,
            null_mask=null_mask,
            no_op=unchanged,
        )
        if pairs := objective.antonym_negatives:
            # Only what is asked now becomes false: the history has happened.
            false = [(exchange(instruction, pairs), history) for instruction, history in asked]
            batch.false_ids, batch.false_mask = self.tokenize(false)
        if self.encode_truth is not None:
            batch.plan = self.encode_truth(raw, no_op)
        return batch
