"""Constants that were tuned for one kind of data; they are stored with the model that they were tuned for."""

from __future__ import annotations

import math
from dataclasses import dataclass

from cdd_icm.errors import InputError


@dataclass(frozen=True)
class Tuning:
    """Distances and widths are shares of the picture's side. The defaults are of i-CLEVR and CoDraw."""

    presence_threshold: float = 0.4
    """A class that is drawn with at least this probability is planned: one that is left out stays missing."""
    likely_share: float = 0.05
    """A cell that is this much as likely as the likeliest one may be planned with."""
    existing_price: float = 2.0
    """The price of a cell next to an existing object, in shares of the probability (`median_score`)."""
    existing_width: float = 0.11
    """How fast that price falls with the distance: about the width of an object in i-CLEVR."""
    neighbour_price: float = 3.0
    """The price of a cell next to another object of the same turn, in logits (`place_apart`)."""
    neighbour_width: float = 0.08
    """How fast that price falls. Objects of one turn may be nearer each other, as a person and what the hand
    holds are."""
    expected_objects: float = 0.2
    """The expected number of objects from which on a class counts as existing. An object that is overlooked
    misplaces the next one further than one that isn't there; and where objects are close, less than half an
    object is expected of many that exist."""
    moved_distance: float = 0.02
    """An object that is this much further on than before has been moved."""
    sharpening: float = 6.0
    """Kernels and maps are kept so many times smaller than they are used: Adam moves every number equally
    far, and these have far to go."""

    def __post_init__(self):
        for name, value in vars(self).items():
            if not 0 < value < math.inf:
                raise InputError(f"{name} is {value!r}, expected a number over 0")
