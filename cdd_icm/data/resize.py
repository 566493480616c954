"""The one way in which a picture of any size becomes a square of the training size."""

from __future__ import annotations

import numpy as np
from jaxtyping import UInt8
from PIL import Image

METHOD = "bicubic-1"  # part of the names of the cache's files: change it when the pixels change


def to_square(
    image: UInt8[np.ndarray, "h w 3"] | Image.Image, size: int
) -> UInt8[np.ndarray, "{size} {size} 3"]:
    """Squeezes the whole picture to (size, size), antialiased; nothing is cropped, padded or mirrored.

    Training, evaluation and generation all come through here, so that a true picture and a generated one
    differ by nothing but what was drawn. A picture of that size already comes back unchanged.
    """
    if isinstance(image, np.ndarray):
        image = Image.fromarray(image)
    return np.asarray(image.convert("RGB").resize((size, size), Image.Resampling.BICUBIC))
