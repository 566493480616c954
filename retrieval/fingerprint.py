"""A digest that tells whether two models give the same vectors."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedTokenizerBase

from cdd_icm.config import to_plain


def content_hash(module: nn.Module, settings: Mapping[str, Any], tokenizer: PreTrainedTokenizerBase) -> str:
    """Hex digest of a module's tensors, its settings and the vocabulary of its texts."""
    digest = hashlib.sha256(json.dumps(to_plain(dict(settings)), sort_keys=True).encode())
    backend = json.loads(tokenizer.backend_tokenizer.to_str())  # its padding is that of the last call
    vocabulary = {"model": backend["model"], "normalizer": backend["normalizer"]}
    digest.update(json.dumps([vocabulary, tokenizer.model_max_length], sort_keys=True).encode())
    for name, value in sorted(module.state_dict().items()):
        value = value.detach().cpu().contiguous()
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()
