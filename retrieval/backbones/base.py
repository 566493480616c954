"""What a backbone is: pictures and texts in, tokens and pooled vectors out, with its own preprocessing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor, nn
from transformers import PreTrainedTokenizerBase

from cdd_icm.config import EncoderConfig


@dataclass(frozen=True)
class ImageFeatures:
    """The backbone's features of N pictures, and their pixels in [-1, 1]. Parts that a system does not use
    may be None."""

    pooled: Float[Tensor, "N E"] | None = None
    tokens: Float[Tensor, "N Nv Dv"] | None = None
    pixels: Float[Tensor, "N 3 R R"] | None = None

    def __len__(self) -> int:
        return next(len(part) for part in vars(self).values() if part is not None)

    def __getitem__(self, rows: slice | list[int] | Int[Tensor, " n"]) -> ImageFeatures:
        """Some of the pictures."""
        return ImageFeatures(*(None if part is None else part[rows] for part in vars(self).values()))

    @staticmethod
    def cat(batches: Sequence[ImageFeatures]) -> ImageFeatures:
        """Several batches as one; parts that one of them lacks are None."""
        columns = zip(*(vars(batch).values() for batch in batches), strict=True)
        return ImageFeatures(
            *(None if any(p is None for p in parts) else torch.cat(parts) for parts in columns)
        )


@dataclass(frozen=True)
class TextTokens:
    """N texts as a backbone's tokenizer gives them, and the texts themselves. `mask` is True at real tokens,
    False at padding."""

    ids: Int[Tensor, "N Nw"]
    mask: Bool[Tensor, "N Nw"]
    texts: tuple[str, ...] = ()


@dataclass(frozen=True)
class TextFeatures:
    """N texts: what the backbone computes of them, and the texts themselves. `mask` is True at real tokens,
    False at padding."""

    pooled: Float[Tensor, "N E"] | None = None
    tokens: Float[Tensor, "N Nw Dw"] | None = None
    mask: Bool[Tensor, "N Nw"] | None = None
    texts: tuple[str, ...] = ()


class Backbone(Protocol):
    """Encodes pictures and texts."""

    module: nn.Module
    """The module that holds the weights."""

    tokenizer: PreTrainedTokenizerBase

    image_size: int
    """R, the side in pixels of preprocessed pictures."""

    preprocessing: str
    """Name of the method of `preprocess`, part of the file names under which preprocessed pictures are
    cached."""

    width: int
    """E, of the pooled vectors."""

    image_tokens: int
    """Nv, tokens a picture."""

    image_width: int
    """Dv, of the picture's tokens."""

    text_width: int
    """Dw, of the text's tokens."""

    max_text_length: int
    """Nw, in tokens; longer texts are truncated at the end."""

    @classmethod
    def from_config(
        cls,
        config: EncoderConfig,
        image_size: int,
        make_tokenizer: Callable[[Any], PreTrainedTokenizerBase],
    ) -> Backbone:
        """A new backbone for training, with pretrained weights where the config names some.

        Args:
            make_tokenizer: takes the module and returns a tokenizer that fits it, learnt from the training
                texts if the config says so.

        Raises:
            InputError: no such architecture or weights; the message names the key.
        """

    @classmethod
    def from_settings(
        cls, settings: dict[str, Any], image_size: int, tokenizer: PreTrainedTokenizerBase
    ) -> Backbone:
        """The backbone with these `settings`, its weights still to be loaded.

        Raises:
            InputError: no backbone can be built from them.
        """

    def check_tokenizer(self, folder: Path, saved: str | None = None) -> None:
        """Raises InputError where the tokenizer, loaded from that folder, doesn't fit the weights, or is not
        that whose digest was `saved` with them."""

    @property
    def settings(self) -> dict[str, Any]:
        """The argument of `from_settings`, serialisable as JSON."""

    @property
    def fingerprint(self) -> str:
        """Hex digest of weights, settings and vocabulary: the same digest means the same features."""

    @property
    def dtype(self) -> torch.dtype: ...

    @property
    def device(self) -> torch.device: ...

    def train_last_blocks(self, blocks: int | None) -> None:
        """Makes only the last `blocks` blocks trainable; 0 freezes everything, None trains everything."""

    def preprocess(self, picture: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "R R 3"]:
        """Resizes, pads or crops a picture; a preprocessed one comes back unchanged."""

    def encode_image(self, pixels: Float[Tensor, "N 3 R R"]) -> ImageFeatures:
        """Features of preprocessed pictures in [-1, 1]."""

    def tokenize(self, texts: Sequence[str]) -> TextTokens:
        """Token ids and masks on the CPU, so that a loader process can make them; the empty text stands for
        "no text"."""

    def encode_text(self, tokens: TextTokens) -> TextFeatures:
        """Features of tokenized texts."""
