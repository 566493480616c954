"""Pictures that explain a turn: where it planned to draw, what it changed, and how two pictures differ."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float
from PIL import Image, ImageChops, ImageFilter

COLOUR = (255, 0, 170)
"""Of the planned places: a colour that none of the training data has."""
MARKED = 0.25
"""A place that the plan marks at least this strongly, relative to the strongest, is shown."""
REACH = 0.045
"""How far a place is widened for display, as a share of the picture: some plans mark one cell an object."""
DIFFERENT = 24
"""Levels out of 255 by which a channel has to change to be seen; the noise of unchanged regions is below."""


def with_plan(picture: Image.Image, places: Float[np.ndarray, "h h"]) -> Image.Image:
    """The picture with the planned places tinted and outlined. `places`: see `planned_places`."""
    marks = Image.fromarray(np.uint8(255 * (places >= MARKED))).resize(picture.size, Image.Resampling.NEAREST)
    reach = 2 * max(1, round(REACH * picture.width)) + 1
    area = marks.filter(ImageFilter.MaxFilter(reach)).filter(ImageFilter.GaussianBlur(reach / 4))
    area = area.point(lambda level: 255 * (level > 127))
    edge = ImageChops.difference(area.filter(ImageFilter.MaxFilter(3)), area)
    tinted = Image.blend(picture, Image.new("RGB", picture.size, COLOUR), 0.35)
    shown = Image.composite(tinted, picture, area)
    return Image.composite(Image.new("RGB", picture.size, COLOUR), shown, edge)


def changed(before: Image.Image, after: Image.Image) -> Bool[np.ndarray, "R R"]:
    """Which pixels differ by `DIFFERENT` or more in a channel."""
    levels = np.abs(np.asarray(after, np.int16) - np.asarray(before, np.int16))  # (R, R, 3)
    return levels.max(axis=2) >= DIFFERENT


def with_changes(before: Image.Image, after: Image.Image) -> Image.Image:
    """`after`, in which all that did not change is pale and grey."""
    grey = after.convert("L").convert("RGB")
    pale = Image.blend(grey, Image.new("RGB", after.size, "white"), 0.6)
    mask = Image.fromarray(np.uint8(255 * changed(before, after))).filter(ImageFilter.MaxFilter(3))
    return Image.composite(after, pale, mask)


def difference(one: Image.Image, other: Image.Image) -> Image.Image:
    """The difference of two pictures of one size, channel by channel: black where they are the same. It is
    made twice as bright, so that small differences are seen."""
    return ImageChops.difference(one, other).point(lambda level: min(255, 2 * level))


def share_changed(before: Image.Image, after: Image.Image) -> str:
    """How much of the picture changed, such as "4 %", "less than 1 %", "nothing"."""
    share = changed(before, after).mean()
    if not share:
        return "nothing"
    return "less than 1 %" if share < 0.01 else f"{share:.0%}".replace("%", " %")
