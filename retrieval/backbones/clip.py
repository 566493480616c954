"""open_clip's CLIP models, pretrained or trained from scratch (see `cdd_icm.model.backbone`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from cdd_icm.config import EncoderConfig, to_plain
from cdd_icm.data.picture import METHOD, to_square
from cdd_icm.model.backbone import CLIPTowers
from cdd_icm.model.size import without_memory
from cdd_icm.model.tokenizer import check_tokenizer, tokenize
from retrieval.backbones.base import ImageFeatures, TextFeatures, TextTokens
from retrieval.fingerprint import content_hash


class CLIPBackbone:
    """A `Backbone` around the two towers that the generator also uses.

    Args:
        image_size: R; the image tower resizes to its own size and normalises by itself.
    """

    preprocessing = METHOD

    def __init__(self, towers: CLIPTowers, tokenizer: PreTrainedTokenizerBase, image_size: int):
        self.module, self.tokenizer, self.image_size = towers, tokenizer, image_size
        self.width = towers.embed_dim
        self.image_tokens, self.image_width = towers.image_tokens, towers.image_width
        self.text_width, self.max_text_length = towers.text_width, tokenizer.model_max_length

    @classmethod
    def from_config(
        cls,
        config: EncoderConfig,
        image_size: int,
        make_tokenizer: Callable[[CLIPTowers], PreTrainedTokenizerBase],
    ) -> CLIPBackbone:
        towers = CLIPTowers.from_settings(config)
        return cls(towers, make_tokenizer(towers), image_size)

    @classmethod
    def from_settings(
        cls, settings: dict[str, Any], image_size: int, tokenizer: PreTrainedTokenizerBase
    ) -> CLIPBackbone:
        with without_memory():  # raises if they are too large
            CLIPTowers(**settings)
        return cls(CLIPTowers(**settings), tokenizer, image_size)

    def check_tokenizer(self, folder: Path, saved: str | None = None) -> None:
        check_tokenizer(self.tokenizer, self.module, folder, saved)

    @property
    def settings(self) -> dict[str, Any]:
        return {name: to_plain(self.module.config[name]) for name in ("model", "mean", "std")}

    @property
    def fingerprint(self) -> str:
        settings = {"towers": self.settings, "image_size": self.image_size}
        return content_hash(self.module, settings, self.tokenizer)

    @property
    def dtype(self) -> torch.dtype:
        return self.module.dtype

    @property
    def device(self) -> torch.device:
        return self.module.device

    def train_last_blocks(self, blocks: int | None) -> None:
        self.module.requires_grad_(True)
        self.module.clip.logit_scale.requires_grad_(False)  # it belongs to CLIP's own loss, which is not ours
        self.module.freeze_all_but(blocks)

    def preprocess(self, picture: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "R R 3"]:
        return to_square(picture, self.image_size)

    def encode_image(self, pixels: Float[Tensor, "N 3 R R"]) -> ImageFeatures:
        tokens, pooled = self.module.encode_image(pixels.to(self.dtype))
        return ImageFeatures(pooled, tokens, pixels)

    def tokenize(self, texts: Sequence[str]) -> TextTokens:
        return TextTokens(*tokenize(self.tokenizer, list(texts)), tuple(texts))

    def encode_text(self, tokens: TextTokens) -> TextFeatures:
        features, pooled = self.module.encode_text(tokens.ids.to(self.device))
        return TextFeatures(pooled, features, tokens.mask.to(self.device), tokens.texts)
