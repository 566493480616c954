"""Seeds and digests: all hashing is done here."""

from __future__ import annotations

import json
from collections.abc import Iterable
from hashlib import file_digest, sha256
from typing import Any, BinaryIO

import torch
from torch import Tensor


def derive_seed(*parts: int | str) -> int:
    """A seed below 2^56 that depends on `parts` alone, such as (run seed, sample). Similar parts give
    unrelated seeds."""
    return int.from_bytes(sha256("/".join(map(str, parts)).encode()).digest()[:7], "big")


def content_digest(content: bytes | str) -> str:
    """The SHA-256 of `content` as 64 hexadecimal digits, used as a cache key."""
    return sha256(content.encode() if isinstance(content, str) else content).hexdigest()


def stream_digest(stream: BinaryIO) -> str:
    """`content_digest` of the rest of a file opened for reading."""
    return file_digest(stream, sha256).hexdigest()


def fingerprint(value: Any) -> str:
    """16 hexadecimal digits that identify a JSON-serialisable value, to see whether two runs or reports have
    the same data or model."""
    return content_digest(json.dumps(value))[:16]


def tensor_digest(tensors: Iterable[tuple[str, Tensor]], header: str = "") -> str:
    """64 hexadecimal digits that identify `header` and named tensors: their names, number formats, shapes and
    bytes, in the given order."""
    digest = sha256(header.encode())
    for name, tensor in tensors:
        tensor = tensor.detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()
