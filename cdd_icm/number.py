"""Which numbers are taken from a text: in JSON, in YAML and on the command line alike.

Not a number, the infinities, what overflows to them, and minus zero are refused: each would go on as a number
and give a wrong answer far from where it was written.
"""

from __future__ import annotations

import math


class RefusedNumber(ValueError):
    """A number that is not taken; the message names it as it was written."""


def real(text: str) -> float:
    """The number that a text writes, with a decimal point or exponent or without.

    Raises:
        ValueError: it is none, or refused; the message names it.
    """
    try:
        number = float(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a number") from None
    return checked_number(number, text)


def whole(text: str) -> int:
    """The whole number that a text writes. Raises ValueError as `real` does, and where it needs more than 64
    bits."""
    if len(text) > 40 and text.lstrip("+-").isdecimal():  # Python itself refuses thousands of digits
        raise RefusedNumber(f"{text[:40]} needs more than 64 bits")
    try:
        number = int(text)
    except ValueError:
        raise ValueError(f"{text[:40]!r} is not a whole number") from None
    if not -(2**63) <= number < 2**63:
        raise RefusedNumber(f"{text[:40]} needs more than 64 bits")
    return checked_number(number, text)


def checked_number(number: float, text: str) -> float:
    """`number`, which was written as `text`. Raises ValueError if it is refused."""
    if isinstance(number, float) and not math.isfinite(number):
        raise RefusedNumber(f"{text} is not a finite number")
    if number == 0 and text.strip().startswith("-"):
        raise RefusedNumber(f"{text} is minus zero, expected 0")
    return number


def refuse_constant(text: str) -> None:
    """For what JSON calls NaN, Infinity and -Infinity. Raises ValueError."""
    raise RefusedNumber(f"{text} is not a finite number")
