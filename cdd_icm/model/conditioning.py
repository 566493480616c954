"""Tokenizes instructions, and encodes and fuses the conditions of a training batch."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from cdd_icm.config import ObjectiveConfig
from cdd_icm.data.batch import Batch, Instructions
from cdd_icm.model.backbone import CLIPTowers, Encoded
from cdd_icm.model.fusion import Fused, GatedFusion
from cdd_icm.model.prompt import compose_text
from cdd_icm.model.tokenizer import tokenize


@dataclass(frozen=True)
class InstructionTokenizer:
    """From instructions with their history to token ids and mask, as `prompt.compose_text` writes them.

    Args:
        history: number of earlier instructions that are included.
        speaker: the tag of texts without one, see `compose_text`.
    """

    tokenizer: PreTrainedTokenizerBase
    history: int = 0
    speaker: str = ""

    def __call__(self, instructions: Instructions) -> tuple[Int[Tensor, "B Nw"], Bool[Tensor, "B Nw"]]:
        """An empty instruction without history gives the empty text, which means "no instruction"."""
        texts = [compose_text(text, tuple(past), self.history, self.speaker) for text, past in instructions]
        return tokenize(self.tokenizer, texts)


def dropped(
    drop: Float[Tensor, " B"], objective: ObjectiveConfig
) -> tuple[Bool[Tensor, " B"], Bool[Tensor, " B"]]:
    """Which items lose their text, and which their reference. The uniform numbers `drop` select, with s =
    `condition_dropout`: text only (s / 2), both (s / 4), reference only (s / 4) or neither (1 - s)."""
    share = objective.condition_dropout
    text, both = share / 2, share / 2 + share / 4
    return drop < both, (drop >= text) & (drop < both + share / 4)


@dataclass
class Conditions:
    """The condition of a training batch after condition dropout."""

    reference: Float[Tensor, "B 3 R R"]
    """In [-1, 1]; zeros if dropped."""
    noisy_reference: Float[Tensor, "B 3 R R"]
    reference_level: Float[Tensor, " B"]
    """Standard deviation of the noise on `noisy_reference`; 0 if the reference is dropped."""
    encoded: Encoded
    fused: Fused
    no_text: Bool[Tensor, " B"]
    no_reference: Bool[Tensor, " B"]

    @property
    def complete(self) -> Bool[Tensor, " B"]:
        """Items with both text and reference."""
        return ~(self.no_text | self.no_reference)


def encode_conditions(
    towers: CLIPTowers,
    fusion: GatedFusion,
    batch: Batch,
    drop: Float[Tensor, " B"],
    level: Float[Tensor, " B"],
    noise: Float[Tensor, "B 3 R R"],
    objective: ObjectiveConfig,
) -> Conditions:
    """Applies condition dropout, then encodes and fuses reference and text.

    Args:
        drop: uniform in [0, 1), see `dropped`.
        level, noise: standard deviation and unit noise of the UNet's reference.
    """
    no_text, no_reference = dropped(drop, objective)  # (B,) each
    reference = batch.reference.masked_fill(no_reference[:, None, None, None], 0.0)  # (B, 3, R, R)
    ids = torch.where(no_text[:, None], batch.null_ids, batch.ids)  # (B, Nw)
    mask = torch.where(no_text[:, None], batch.null_mask, batch.mask)  # (B, Nw)
    level = level.masked_fill(no_reference, 0.0)  # (B,)
    encoded = towers(reference, ids, mask)
    noisy_reference = reference + level[:, None, None, None] * noise  # (B, 3, R, R)
    return Conditions(reference, noisy_reference, level, encoded, fusion(encoded), no_text, no_reference)
