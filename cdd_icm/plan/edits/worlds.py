"""The registry of worlds, of which synthetic requests can be made."""

from __future__ import annotations

from collections.abc import Sequence

from cdd_icm.config import Config
from cdd_icm.data.dialog import Dialog, class_names
from cdd_icm.errors import InputError
from cdd_icm.plan.edits.blocks.world import CLASSES, BlocksWorld
from cdd_icm.plan.edits.truth import World


def world_of(config: Config, dialogs: Sequence[Dialog]) -> World:
    """The world of the dialogs' objects.

    Raises:
        InputError: there is none for a class.
    """
    names = class_names(dialogs)
    if names <= set(CLASSES):
        return BlocksWorld()
    raise InputError(
        f"{config.data.path}: no synthetic requests for objects such as {min(names - set(CLASSES))!r}, only "
        "for i-CLEVR's; set plan.synthetic_turns=0 and plan.reversed=0"
    )
