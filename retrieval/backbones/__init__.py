"""Encoders of pictures and texts, one `Backbone` a file."""

from __future__ import annotations

from pkgutil import resolve_name
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from retrieval.backbones.base import Backbone

BACKBONES = {"clip": "retrieval.backbones.clip:CLIPBackbone"}
"""`module:class` of every backbone, by the name that `System.backbone` gives."""


def find(name: str) -> type[Backbone]:
    """The class of that name, imported on first use."""
    return resolve_name(BACKBONES[name])
