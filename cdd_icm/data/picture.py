"""Pictures stored as encoded files (PNG, JPEG, WebP, ...)."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps
from torch import Tensor

from cdd_icm.data.files import Files
from cdd_icm.errors import InputError
from cdd_icm.hashing import content_digest

MAX_PIXELS = 64_000_000  # larger ones are refused before they are decoded


@dataclass(frozen=True)
class EncodedPicture:
    """A picture in a file, read and decoded on every call."""

    files: Files
    name: str

    @cached_property
    def key(self) -> str:
        return content_digest(self.encoded())

    def encoded(self) -> bytes:
        """The file's bytes, as stored."""
        return self.files.read(self.name)

    def decode(self) -> UInt8[np.ndarray, "h w 3"]:
        return decode(self.encoded(), self.files.where(self.name))


def decode(encoded: bytes, where: str) -> UInt8[np.ndarray, "h w 3"]:
    """RGB pixels of an encoded picture; `where` names it in errors.

    Grey and palette pictures become RGB, transparency is laid over white, EXIF rotation is applied, and the
    first frame of an animation is taken.

    Raises:
        InputError: not a picture, truncated, PostScript, over 64 million pixels, or more than 8 bits a
            channel.
    """
    try:
        with Image.open(io.BytesIO(encoded)) as image:
            return rgb(image, where)
    except InputError:
        raise
    except Exception as error:  # Pillow's readers raise whatever a damaged file leads to
        reason = "not a picture" if isinstance(error, Image.UnidentifiedImageError) else error
        raise InputError(f"{where}: picture can't be decoded ({reason}; {len(encoded)} bytes)") from error


def rgb(image: Image.Image, where: str) -> UInt8[np.ndarray, "h w 3"]:
    """RGB pixels of any PIL image, by the rules of `decode`.

    Raises:
        InputError: it has no pixels, or its file is damaged: PIL reads them only now; else as `decode`.
    """
    if 0 in image.size:
        raise InputError(f"{where}: {image.width}x{image.height} pixels, expected some")
    if image.format == "EPS":  # PIL would have Ghostscript run it
        raise InputError(f"{where}: PostScript is a program, not a picture; save it as PNG")
    if image.width * image.height > MAX_PIXELS:
        raise InputError(f"{where}: {image.width}x{image.height} pixels is over the limit of {MAX_PIXELS}")
    if image.mode.startswith(("I", "F")):
        raise InputError(f"{where}: mode {image.mode} has more than 8 bits a channel; save it as 8-bit RGB")
    try:
        image.load()
    except Exception as error:  # Pillow's readers raise whatever a damaged file leads to
        raise InputError(f"{where}: picture can't be decoded ({error})") from error
    image = ImageOps.exif_transpose(image)
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image.convert("RGBA"))
    return np.asarray(image.convert("RGB"))


def to_float(pictures: Tensor) -> Tensor:
    """uint8 0..255 -> float32 in [-1, 1]."""
    return pictures.float() / 127.5 - 1


METHOD = "bicubic-1"  # part of the names of the cache's files: change it whenever the pixels change


def to_square(
    image: UInt8[np.ndarray, "h w 3"] | Image.Image, size: int
) -> UInt8[np.ndarray, "{size} {size} 3"]:
    """Resizes the whole picture to (size, size), antialiased; nothing is cropped, padded or mirrored.

    Training, evaluation and generation share it, so that a true picture and a generated one differ in nothing
    but what was drawn. A picture of that size already is returned unchanged.
    """
    if isinstance(image, np.ndarray):
        image = Image.fromarray(image)
    return np.asarray(image.convert("RGB").resize((size, size), Image.Resampling.BICUBIC))
