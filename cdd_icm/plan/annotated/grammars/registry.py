"""The grammars in which instructions are written from the annotation, each for one data set."""

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
    """Writes instructions for annotated turns: other words for the same turn, and always right ones."""

    def write(
        self, drawn: Sequence[SceneObject], existing: Sequence[SceneObject], rng: np.random.Generator
    ) -> str:
        """An instruction that asks for the objects `drawn` beside the `existing` ones, in the order in which
        these were drawn."""

    def collides(self, obj: SceneObject, existing: Sequence[SceneObject]) -> bool:
        """Whether the object would overlap one of `existing`."""


def grammar_for(classes: Collection[str], horizon: float | None, source: str) -> Grammar:
    """The grammar of the data set that the classes are of.

    Args:
        horizon: `plan.horizon`, where the config has one. source: what the error begins with.

    Raises:
        InputError: there is no grammar for a class.
    """
    if set(classes) <= set(ICLEVR_CLASSES):
        return IclevrGrammar(HORIZON if horizon is None else horizon)
    if set(classes) <= set(CODRAW_CLASSES):
        return CoDrawGrammar()
    foreign = min(set(classes) - set(ICLEVR_CLASSES) - set(CODRAW_CLASSES), default=min(classes))
    raise InputError(
        f"{source}: no grammar tells objects such as {foreign!r} in words: those of i-CLEVR and CoDraw do; "
        "set plan.recaption=0 and plan.relational.synthetic_scenes=0"
    )
