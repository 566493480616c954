"""The fixed camera of the CLEVR world: from places on the ground to places in the picture, and back.

The constants are a least-squares fit of a pinhole camera to the annotated positions and depths of the CLEVR
edits (17,946 objects; largest error 0.02 Blender units).
"""

from __future__ import annotations

import math

VERTICAL = 0.6899
"""Height of the field of view at distance 1, in Blender units."""
HORIZONTAL = VERTICAL * 4 / 3
"""Width of the field of view at distance 1; pictures are rendered at 4:3."""
TILT = 0.49685
"""Angle, in radians, by which the camera looks down."""
HEIGHT = 5.3666
"""Height of the camera above the ground."""
DISTANCE = 9.90
"""Distance on the ground from the camera to the middle of the scene."""
RADIUS = {"large": 0.65, "small": 0.42}
"""Radius of spheres and cylinders; a cube's half side is this over the square root of 2."""


def centre_height(shape: str, size: str) -> float:
    """Height of an object's centre above the ground, in Blender units."""
    return RADIUS[size] / (math.sqrt(2) if shape == "cube" else 1)


def to_picture(right: float, away: float, shape: str, size: str) -> tuple[float, float, float]:
    """(x, y, depth) of the centre of an object that stands on the ground at (right, away), in Blender units
    from the middle of the scene: x and y are fractions of the picture, depth is in Blender units along the
    camera's axis."""
    ahead, below = away + DISTANCE, HEIGHT - centre_height(shape, size)
    depth = ahead * math.cos(TILT) + below * math.sin(TILT)
    down = (below * math.cos(TILT) - ahead * math.sin(TILT)) / depth
    return 0.5 + right / (HORIZONTAL * depth), 0.5 + down / VERTICAL, depth


def to_ground(x: float, y: float, shape: str, size: str) -> tuple[float, float]:
    """(right, away) on the ground of an object whose centre is at (x, y) in the picture; the inverse of
    `to_picture`."""
    down, below = (y - 0.5) * VERTICAL, HEIGHT - centre_height(shape, size)
    slope = max(math.sin(TILT) + down * math.cos(TILT), 1e-3)  # of the ray to the centre, downwards
    depth = below / slope
    return (x - 0.5) * HORIZONTAL * depth, depth * (math.cos(TILT) - down * math.sin(TILT)) - DISTANCE
