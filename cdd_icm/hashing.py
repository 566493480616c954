"""Seeds and digests: the only place that turns something into a hash."""

from __future__ import annotations

import json
from collections.abc import Iterable
from hashlib import sha256
from typing import Any

import torch
from torch import Tensor


def derive_seed(*parts: int | str) -> int:
    """A seed below 2^56 that is a function of `parts` alone, such as (run seed, sample). Neighbouring parts
    give unrelated seeds, as generators need them."""
    return int.from_bytes(sha256("/".join(map(str, parts)).encode()).digest()[:7], "big")


def content_digest(content: bytes | str) -> str:
    """64 hexadecimal digits; the key of a picture or a text in a cache."""
    return sha256(content.encode() if isinstance(content, str) else content).hexdigest()


def fingerprint(value: Any) -> str:
    """16 hexadecimal digits of anything that JSON can write; tells whether two runs or reports are about the
    same thing."""
    return content_digest(json.dumps(value))[:16]


def tensor_digest(tensors: Iterable[tuple[str, Tensor]], header: str = "") -> str:
    """64 hexadecimal digits of a text and named tensors: names, number formats, shapes and bytes, in the
    order given."""
    digest = sha256(header.encode())
    for name, tensor in tensors:
        tensor = tensor.detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()
