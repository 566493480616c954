"""Pretrained or jointly trained encoders of pictures and texts, one a file, all of them a `Backbone`."""

from __future__ import annotations

from pkgutil import resolve_name
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from retrieval.backbones.base import Backbone

BACKBONES = {"clip": "retrieval.backbones.clip:CLIPBackbone"}
"""Every backbone by the name under which a system asks for it: `module:class`."""


def find(name: str) -> type[Backbone]:
    """The class of that name, which is imported only now."""
    return resolve_name(BACKBONES[name])
