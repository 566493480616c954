"""The world of i-CLEVR: its camera, its objects, and where they may stand. Lengths are in Blender's units.

The camera is that of CLEVR's public scene, with which the re-rendered i-CLEVR was made: `Camera.project`
gives the pixels of all but 4 of the 2,000 objects in its test split, and rounds to a neighbour for those 4.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from jaxtyping import Float

from cdd_icm.errors import InputError

COLORS = {
    "gray": (87, 87, 87),
    "red": (173, 35, 35),
    "blue": (42, 75, 215),
    "green": (29, 105, 20),
    "brown": (129, 74, 25),
    "purple": (129, 38, 192),
    "cyan": (41, 208, 208),
    "yellow": (255, 238, 51),
}
"""CLEVR's, 0..255. As there, the renderer takes them as linear light, divided by 255."""

SHAPES = ("cube", "sphere", "cylinder")
RADIUS = 0.65
"""Half the height of a sphere or a cylinder. A cube's is by sqrt(2) smaller."""

LOCATION = (7.481132, -6.507640, 5.343665)
"""Of the camera, which looks at the origin."""
LENS, SENSOR = 35.0, 32.0
"""Focal length and width of the sensor, in mm."""

FRAME = (320, 240)
"""The units of `pixel_coords`, whatever the pictures' size."""

APART, REACH, MARGIN, VISIBLE = 1.5, 3.0, 4.0, 0.25
"""The least distance between two objects; the largest |x| and |y|; the least distance of an object from the
frame's edges, in the frame's units; the least share of each object that others leave visible."""

ATTEMPTS, SCENES = 200, 50
"""Places tried for an object, and scenes for a dialog, before it is given up."""


@dataclass(frozen=True)
class Camera:
    """A camera that looks at the origin, upright.

    `shape`: the pictures' width over height, relative to that of `FRAME`.
    """

    location: tuple[float, float, float] = LOCATION
    shape: float = 1.0

    @property
    def axes(self) -> Float[np.ndarray, "3 3"]:
        """Unit vectors: right, up, and forward."""
        forward = -np.array(self.location) / np.linalg.norm(self.location)
        right = np.cross(forward, (0, 0, 1))
        right /= np.linalg.norm(right)
        return np.stack([right, np.cross(right, forward), forward])

    @property
    def directions(self) -> dict[str, np.ndarray]:
        """Unit vectors on the ground: behind, front, left, right."""
        right, _, forward = self.axes
        behind = np.array([*forward[:2], 0.0]) / np.linalg.norm(forward[:2])
        return {"behind": behind, "front": -behind, "left": -right, "right": right}

    def project(self, points: Float[np.ndarray, "N 3"]) -> Float[np.ndarray, "N 3"]:
        """x and y in `FRAME`, from the top left, and the depth along the camera's axis."""
        across, up, depth = self.axes @ (np.asarray(points, float) - self.location).T
        focal = FRAME[0] * LENS / SENSOR
        x = FRAME[0] / 2 + focal * across / depth
        y = FRAME[1] / 2 - focal * self.shape * up / depth
        return np.stack([x, y, depth], axis=1)

    def jittered(self, amount: float, rng: np.random.Generator) -> Camera:
        """The camera moved by up to `amount` along each axis."""
        moved = np.array(self.location) + rng.uniform(-amount, amount, 3)
        return Camera(tuple(moved.round(6).tolist()), self.shape)


@dataclass(frozen=True)
class Object:
    """An object on the ground."""

    color: str
    shape: str
    x: float
    y: float
    rotation: float = 0.0
    """About the vertical, in radians."""

    @property
    def height(self) -> float:
        """Of its centre above the ground, which is half of its side or diameter."""
        return round(RADIUS / 2**0.5, 4) if self.shape == "cube" else RADIUS

    @property
    def centre(self) -> tuple[float, float, float]:
        return self.x, self.y, self.height


def visible_shares(objects: list[Object], camera: Camera) -> list[float]:
    """The share of each object that no nearer one hides and the frame does not cut off; each is taken as a
    sphere."""
    seen = camera.project(np.array([each.centre for each in objects]))
    y, x = np.mgrid[: FRAME[1], : FRAME[0]] + 0.5
    owner, areas = np.full(x.shape, -1), []
    for i in np.argsort(-seen[:, 2]):
        radius = FRAME[0] * LENS / SENSOR * RADIUS / seen[i, 2]
        owner[((x - seen[i, 0]) ** 2 + ((y - seen[i, 1]) / camera.shape) ** 2) < radius**2] = i
        areas.append((i, np.pi * radius**2 * camera.shape))
    return [float((owner == i).sum() / area) for i, area in sorted(areas)]


def fits(objects: list[Object], camera: Camera) -> bool:
    """Whether the last object may stand where it does: apart from the others, inside of the frame, and
    neither it nor any other hidden."""
    *others, new = objects
    if any(np.hypot(new.x - each.x, new.y - each.y) < APART for each in others):
        return False
    x, y, depth = camera.project(np.array([new.centre]))[0]
    radius = FRAME[0] * LENS / SENSOR * RADIUS / depth
    inside = MARGIN + radius <= x <= FRAME[0] - MARGIN - radius
    inside &= MARGIN + radius * camera.shape <= y <= FRAME[1] - MARGIN - radius * camera.shape
    return bool(inside) and min(visible_shares(objects, camera)) >= VISIBLE


def sample_objects(turns: int, camera: Camera, rng: np.random.Generator) -> list[Object]:
    """One object a turn, of different classes, the first at the centre. A scene in which a further object
    finds no place is given up for another.

    Raises:
        InputError: so many objects find no place together, or there are not so many classes.
    """
    classes = list(product(COLORS, SHAPES))
    if not 1 <= turns <= len(classes):
        raise InputError(f"turns: {turns}, expected from 1 to {len(classes)}, the number of classes")
    for _ in range(SCENES):
        objects: list[Object] = []
        for i in rng.permutation(len(classes))[:turns]:
            for _ in range(ATTEMPTS if objects else 1):
                x, y = rng.uniform(-REACH, REACH, 2).round(4).tolist() if objects else (0.0, 0.0)
                rotation = round(float(rng.uniform(0, 2 * np.pi)), 4)
                if fits([*objects, new := Object(*classes[i], x, y, rotation)], camera):
                    objects.append(new)
                    break
            else:
                break
        if len(objects) == turns:
            return objects
    raise InputError(f"turns: {turns} objects find no place that all of them are seen in, in {SCENES} scenes")
