"""Composed image retrieval: "this picture, but with ..." over a collection of pictures."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from retrieval.config import RetrievalConfig
    from retrieval.index.store import Store
    from retrieval.model import RetrievalModel
    from retrieval.session import RetrievalSession

_HOMES = {
    "RetrievalConfig": "retrieval.config",
    "RetrievalModel": "retrieval.model",
    "RetrievalSession": "retrieval.session",
    "Store": "retrieval.index.store",
}
__all__ = ["RetrievalConfig", "RetrievalModel", "RetrievalSession", "Store"]


def __getattr__(name: str):
    # as in `cdd_icm`: torch is imported only when one of these is used
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
