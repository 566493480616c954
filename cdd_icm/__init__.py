"""Drawing by conversation: conditional denoising diffusion with image-compositional matching."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cdd_icm.config import Config, load_config
    from cdd_icm.data import load_dialogs
    from cdd_icm.sampling.pipeline import CDDICMPipeline
    from cdd_icm.sampling.session import DrawingSession

_MODULES = {
    "CDDICMPipeline": "cdd_icm.sampling.pipeline",
    "Config": "cdd_icm.config",
    "DrawingSession": "cdd_icm.sampling.session",
    "load_config": "cdd_icm.config",
    "load_dialogs": "cdd_icm.data",
}
__all__ = ["CDDICMPipeline", "Config", "DrawingSession", "load_config", "load_dialogs"]


def __getattr__(name: str):
    # torch and diffusers take seconds to import; import them only when drawing is asked for
    if name in _MODULES:
        return getattr(import_module(_MODULES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
