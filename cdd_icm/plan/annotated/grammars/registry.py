"""The registry of grammars, which write instructions from a data set's annotation."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

import numpy as np

from cdd_icm.data.codraw_painter import CODRAW_CLASSES
from cdd_icm.data.dialog import SceneObject
from cdd_icm.data.readers.iclevr import ICLEVR_CLASSES
from cdd_icm.errors import InputError
from cdd_icm.plan.annotated.grammars.codraw import CoDrawGrammar
from cdd_icm.plan.annotated.grammars.iclevr import HORIZON, IclevrGrammar


class Grammar(Protocol):
    """Writes correct instructions for annotated turns."""

    def write(
        self, drawn: Sequence[SceneObject], existing: Sequence[SceneObject], rng: np.random.Generator
    ) -> str:
        """An instruction to draw the objects `drawn` in a picture with the `existing` ones, which are in the
        order in which they were drawn."""

    def collides(self, obj: SceneObject, existing: Sequence[SceneObject]) -> bool:
        """Whether the object would overlap one of `existing`."""


def grammar_for(classes: Collection[str], horizon: float | None, source: str) -> Grammar:
    """The grammar of the data set to which the classes belong.

    Args:
        horizon: the config's `plan.relational.horizon`, if any. source: the data's name, for the error
            message.

    Raises:
        InputError: there is no grammar for a class.
    """
    if set(classes) <= set(ICLEVR_CLASSES):
        return IclevrGrammar(HORIZON if horizon is None else horizon)
    if set(classes) <= set(CODRAW_CLASSES):
        return CoDrawGrammar()
    foreign = min(set(classes) - set(ICLEVR_CLASSES) - set(CODRAW_CLASSES), default=min(classes))
    raise InputError(
        f"{source}: no grammar for objects such as {foreign!r}, only for those of i-CLEVR and CoDraw; "
        "set plan.recaption=0 and plan.relational.synthetic_scenes=0"
    )
