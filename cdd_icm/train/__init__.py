"""Training. The package can be called: `cdd_icm.train(config)` is `cdd_icm.train.generator.train(config)`,
because Python sets the attribute `train` of `cdd_icm` to this package, whatever else has that name."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cdd_icm.config import Config


class _Package(ModuleType):
    def __call__(self, config: Config) -> Path:
        from cdd_icm.train.generator import train

        return train(config)


sys.modules[__name__].__class__ = _Package
