"""Training batches: collates triplets to tensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from cdd_icm.config import Config, ObjectiveConfig
from cdd_icm.data.augment import mirror_half
from cdd_icm.data.picture import to_float
from cdd_icm.data.tensor_fields import TensorFields
from cdd_icm.data.triplets import PICTURES, Triplet, collate

RawBatch = Mapping[str, Tensor | list]
"""The output of `collate`."""
Instructions = Sequence[tuple[str, Sequence[str]]]
"""(instruction, earlier instructions of the same dialog, oldest first)."""
Tokenize = Callable[[Instructions], tuple[Int[Tensor, "B Nw"], Bool[Tensor, "B Nw"]]]
"""From instructions with their history to token ids and mask."""


class TruthEncoder(Protocol):
    """Encodes the true plan of each turn; runs in the loader processes."""

    def __call__(self, raw: RawBatch, no_op: Sequence[bool]) -> TensorFields:
        """Returns `Batch.plan`.

        Args:
            no_op: whether each item's text asks for no change; the reference is then the target.

        Raises:
            InputError: a turn can't be encoded; the message names its dialog and turn.
        """


@dataclass
class Batch(TensorFields):
    """One training batch. The loader processes make its pictures as uint8, 0..255; `on` moves them to the
    training device as float32 in [-1, 1]."""

    turns: list[tuple[str, int]]
    """The dialog id and turn number, from 0, of each item."""
    reference: Tensor  # (B, 3, R, R)
    target: Tensor
    other: Tensor
    """Another turn of the same dialog: a hard negative."""
    ids: Int[Tensor, "B Nw"]
    mask: Bool[Tensor, "B Nw"]
    null_ids: Int[Tensor, "1 Nw"]
    """The tokens of the empty text."""
    null_mask: Bool[Tensor, "1 Nw"]
    no_op: Bool[Tensor, " B"]
    """Items whose text asks for no change."""
    plan: TensorFields | None = None
    """The true plan as the model's plan encodes it (`plan.protocol`); None for a model without a plan."""

    def on(self, device: torch.device) -> Batch:
        """The same batch on `device`, pictures in [-1, 1]."""
        batch = super().on(device)
        return replace(batch, **{name: to_float(getattr(batch, name)) for name in PICTURES})


NO_OP_TEXTS = ("keep everything as it is", "leave it as it is", "change nothing", "add nothing")
"""Instructions that ask for nothing."""
SIDES = (("left", "right"),)
"""The words that change sides in a mirror."""


def no_op_text(draw: int, objective: ObjectiveConfig) -> str | None:
    """The text that asks for no change, for `objective.no_op_share` of the random integers; else None."""
    share = draw / 2**31
    if share >= objective.no_op_share:
        return None
    return NO_OP_TEXTS[int(share / objective.no_op_share * len(NO_OP_TEXTS))]


class Collator:
    """The data loader's collate function: triplets to a `Batch` on the CPU.

    Args:
        tokenize: from instructions with their history to token ids and mask.
        encode_truth: encodes the true plans; None for a model without a plan.
        augment: changes the triplets before they are encoded, such as new captions.
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
        if "mirror" in objective.augmentations:
            raw = mirror_half(raw, SIDES)
        if self.augment is not None:
            raw = self.augment(raw)
        no_op_texts = [no_op_text(draw, objective) for draw in raw["draw"]]
        no_op = [text is not None for text in no_op_texts]
        instructions = [
            (instruction, history) if text is None else (text, (*history, instruction))
            for instruction, history, text in zip(
                raw["instruction"], raw["history"], no_op_texts, strict=True
            )
        ]
        ids, mask = self.tokenize(instructions)
        null_ids, null_mask = self.tokenize([("", ())])
        no_op_mask = torch.tensor(no_op)
        batch = Batch(
            turns=list(zip(raw["dialog"], raw["turn"], strict=True)),
            reference=torch.where(no_op_mask[:, None, None, None], raw["target"], raw["reference"]),
            target=raw["target"],
            other=raw["other"],
            ids=ids,
            mask=mask,
            null_ids=null_ids,
            null_mask=null_mask,
            no_op=no_op_mask,
        )
        if self.encode_truth is not None:
            batch.plan = self.encode_truth(raw, no_op)
        return batch
