"""Instructions told anew from the annotation: other words for the same turn, and always right ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cdd_icm.data import codraw_retelling, iclevr_retelling
from cdd_icm.data.dialog import SceneObject
from cdd_icm.data.iclevr import ICLEVR_CLASSES


def retell(drawn: Sequence[SceneObject], standing: Sequence[SceneObject], rng: np.random.Generator) -> str:
    """A text that asks for the objects `drawn` where `standing` stand already: in i-CLEVR's grammar if all of
    them are of its classes, else in the short sentences of CoDraw's tellers."""
    rendered = all(thing.name in ICLEVR_CLASSES for thing in (*drawn, *standing))
    teller = iclevr_retelling if rendered else codraw_retelling
    return teller.retell(drawn, standing, rng)
