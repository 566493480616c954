"""Digests: seeds that are functions of what they are for, and fingerprints of texts and of weights."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable

import torch
from torch import Tensor


def seed_of(*key: object) -> int:
    """A seed below 2^56 for a random number generator: a function of `key`, such as (seed, dialog, turn), and
    of nothing else. The parts are joined by "/"."""
    digest = hashlib.sha256("/".join(map(str, key)).encode()).digest()
    return int.from_bytes(digest[:7], "big")


def text_digest(parts: Iterable[str]) -> str:
    """16 hex digits of a sequence of texts; where one ends and the next begins counts."""
    return hashlib.sha256(json.dumps(list(parts)).encode()).hexdigest()[:16]


def tensor_digest(tensors: Iterable[tuple[str, Tensor]]) -> str:
    """64 hex digits of named tensors in their order: names, number formats, shapes and values."""
    digest = hashlib.sha256()
    for name, tensor in tensors:
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()
