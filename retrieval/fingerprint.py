"""A digest that tells whether two models give the same vectors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from torch import nn
from transformers import PreTrainedTokenizerBase

from cdd_icm.config import to_plain
from cdd_icm.hashing import tensor_digest
from cdd_icm.io import parse_json


def content_hash(module: nn.Module, settings: Mapping[str, Any], tokenizer: PreTrainedTokenizerBase) -> str:
    """Hex digest of a module's tensors, its settings and its tokenizer's vocabulary."""
    # without the padding, which depends on the last call
    backend = parse_json(tokenizer.backend_tokenizer.to_str(), "tokenizer", foreign=True)
    vocabulary = {"model": backend["model"], "normalizer": backend["normalizer"]}
    header = json.dumps(to_plain(dict(settings)), sort_keys=True)
    header += json.dumps([vocabulary, tokenizer.model_max_length], sort_keys=True)
    return tensor_digest(sorted(module.state_dict().items()), header)
