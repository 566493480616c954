"""Instructions told anew from the annotation: other words for the same turn, and always right ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cdd_icm.data.dialog import SceneObject
from cdd_icm.data.readers.iclevr import ICLEVR_CLASSES
from cdd_icm.plan.annotated.grammars import codraw as codraw_retelling
from cdd_icm.plan.annotated.grammars import iclevr as iclevr_retelling


def retell(drawn: Sequence[SceneObject], standing: Sequence[SceneObject], rng: np.random.Generator) -> str:
    """A text that asks for the objects `drawn` where `standing` stand already: in i-CLEVR's grammar if all of
    them are of its classes, else in the short sentences of CoDraw's tellers."""
    teller = iclevr_retelling if _rendered((*drawn, *standing)) else codraw_retelling
    return teller.retell(drawn, standing, rng)


def crowded(thing: SceneObject, standing: Sequence[SceneObject]) -> bool:
    """Whether one of `standing` leaves no room for the thing: in i-CLEVR things have a size, in CoDraw they
    may lie on each other."""
    if not _rendered((thing, *standing)):
        return False
    return any(iclevr_retelling.crowded(thing, other) for other in standing)


def _rendered(things: Sequence[SceneObject]) -> bool:
    return all(thing.name in ICLEVR_CLASSES for thing in things)
