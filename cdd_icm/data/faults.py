"""How a reader handles faults: it stops at the first one, or the caller collects them."""

from __future__ import annotations

from collections.abc import Callable

from cdd_icm.errors import InputError

OnFault = Callable[[InputError], None]
"""Called with each fault; if it returns, the reader skips the faulty dialog and continues."""


def stop(fault: InputError) -> None:
    """The default: raises the first fault."""
    raise fault
