"""What every section of a config is made of: a strict dataclass, and the types of its fields."""

from __future__ import annotations

import functools
from typing import Annotated, Any, dataclass_transform

import pydantic
from pydantic import BeforeValidator, Field

from cdd_icm.config.values import error_line
from cdd_icm.errors import InputError
from cdd_icm.number import real

SETTINGS = pydantic.ConfigDict(extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)


@dataclass_transform(frozen_default=True)
def section(cls: type) -> type:
    """Makes `cls` a section: a frozen dataclass whose values pydantic checks; the docstring under a field
    says what its key means. Its constructor raises InputError, one line, as `from_dict` does."""
    made = pydantic.dataclasses.dataclass(cls, frozen=True, config=SETTINGS)
    construct = made.__init__

    @functools.wraps(construct)
    def init(self, *args, **values) -> None:
        try:
            construct(self, *args, **values)
        except pydantic.ValidationError as error:
            raise InputError(error_line(made, error)) from None

    made.__init__ = init
    return made


def _number(value: Any) -> Any:
    """YAML reads 1e-4 as text; there is no other way to mean it."""
    if isinstance(value, str):
        try:
            return real(value)
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
