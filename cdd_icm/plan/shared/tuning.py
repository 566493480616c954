"""Constants of planning that were tuned on data; they are stored with the model."""

from __future__ import annotations

import math
from dataclasses import dataclass

from cdd_icm.errors import InputError


@dataclass(frozen=True)
class Tuning:
    """Distances and widths are shares of the picture's side. The defaults were tuned on i-CLEVR and
    CoDraw."""

    presence_threshold: float = 0.4
    """Classes with at least this probability are drawn. It is below 0.5, as a missing object is never added
    later."""
    likely_share: float = 0.05
    """Cells with at least this share of the highest probability may be chosen."""
    existing_price: float = 2.0
    """Penalty of a cell at an existing object, in probability mass (`median_score`)."""
    existing_width: float = 0.11
    """Standard deviation of that penalty: about the width of an object in i-CLEVR."""
    neighbour_price: float = 3.0
    """Penalty of a cell at another object of the same turn, in logits (`place_apart`)."""
    neighbour_width: float = 0.08
    """Standard deviation of that penalty. Objects of one turn may be close, such as a person and an object in
    the person's hand."""
    expected_objects: float = 0.2
    """A class exists if the expected number of its objects is above this. It is low because a missed object
    harms placement more than a false one, and because close objects are often detected with low
    confidence."""
    moved_distance: float = 0.02
    """An object counts as moved if its x or y changes by more than this."""
    sharpening: float = 6.0
    """Kernels and maps are stored divided by this factor, which multiplies their effective learning rate:
    Adam's step size does not depend on scale, and they must change a lot."""

    def __post_init__(self):
        for name, value in vars(self).items():
            if not 0 < value < math.inf:
                raise InputError(f"{name} is {value!r}, expected a number over 0")
