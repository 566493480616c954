"""Training of retrieval models. The package can be called, as `cdd_icm.train` can: `retrieval.train(config)`
is `retrieval.train.trainer.train(config)`."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from retrieval.config import RetrievalConfig


class _Package(ModuleType):
    def __call__(self, config: RetrievalConfig) -> Path:
        from retrieval.train.trainer import train

        return train(config)


sys.modules[__name__].__class__ = _Package
