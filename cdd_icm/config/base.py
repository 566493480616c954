"""What every section of a config is made of: a strict dataclass, and the types of its fields."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

import pydantic
from pydantic import BeforeValidator, Field

section = partial(
    pydantic.dataclasses.dataclass,
    frozen=True,
    config=pydantic.ConfigDict(extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True),
)
"""Decorator of a section: a frozen dataclass whose values pydantic checks, each key explained by the docstring
under its field."""


def _number(value: Any) -> Any:
    """YAML reads 1e-4 as text; there is no other way to mean it."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            pass
    return value


Number = Annotated[float, BeforeValidator(_number)]
Positive = Annotated[Number, Field(gt=0)]
NonNegative = Annotated[Number, Field(ge=0)]
Share = Annotated[Number, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]
AtLeastOne = Annotated[int, Field(ge=1)]

LARGEST_SEED = 2**63 - 1
"""The largest that torch takes."""
Seed = Annotated[int, Field(ge=0, le=LARGEST_SEED)]
