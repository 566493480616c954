"""What a reader does with a fault: stop at the first, or collect them all."""

from __future__ import annotations

from collections.abc import Callable

from cdd_icm.errors import InputError

OnFault = Callable[[InputError], None]
"""Called with each fault; where it returns, the reader leaves out the faulty dialog and goes on."""


def stop(fault: InputError) -> None:
    """The default: the first fault ends the reading."""
    raise fault
