"""Pictures stored as encoded files (PNG, JPEG, WebP, ...)."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from threading import Lock

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps
from torch import Tensor

from cdd_icm.data.files import Files
from cdd_icm.errors import InputError, of_type
from cdd_icm.hashing import content_digest
from cdd_icm.limits import PIXELS


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
    """Decodes a picture to RGB pixels, 0..255; `where` names it in errors.

    Grey and palette pictures become RGB, transparent ones are laid on white, EXIF rotation is applied, and
    animations give their first frame.

    Raises:
        InputError: not a picture, truncated, PostScript, over `limits.PIXELS`, or more than 8 bits a channel.
    """
    try:
        with open_picture(encoded) as image:
            return rgb(image, where)
    except InputError:
        raise
    except Exception as error:  # Pillow raises many kinds of error for damaged files
        reason = "not a picture" if isinstance(error, Image.UnidentifiedImageError) else error
        raise InputError(f"{where}: picture can't be decoded ({reason}; {len(encoded)} bytes)") from error


_opening = Lock()


def open_picture(encoded: bytes, formats: Sequence[str] | None = None) -> Image.Image:
    """`Image.open` without Pillow's own limit, in place of which `check_size` must be called before the
    picture is decoded. (Pillow's is a global, which an application may need.)"""
    with _opening:  # reads the header only
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            return Image.open(io.BytesIO(encoded), formats=formats)
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def check_size(image: Image.Image, where: str) -> None:
    """Raises InputError if the picture, which need not be decoded yet, has more pixels than the limit."""
    PIXELS.check(image.width * image.height, f"{where}: {image.width}x{image.height} are")


def rgb(image: Image.Image, where: str) -> UInt8[np.ndarray, "h w 3"]:
    """RGB pixels of a PIL image; converts as `decode` does.

    Raises:
        InputError: it is no PIL image, has no pixels, its file is damaged (PIL reads it only now), or as in
            `decode`.
    """
    of_type(image, Image.Image, where, "a PIL image")
    if 0 in image.size:
        raise InputError(f"{where}: {image.width}x{image.height} pixels, expected at least 1x1")
    if image.format == "EPS":  # PIL would run it in Ghostscript
        raise InputError(f"{where}: PostScript is a program, not a picture; save it as PNG")
    check_size(image, where)
    if image.mode.startswith(("I", "F")):
        raise InputError(f"{where}: mode {image.mode} has more than 8 bits per channel; save it as 8-bit RGB")
    try:
        image.load()
    except Exception as error:  # Pillow raises many kinds of error for damaged files
        raise InputError(f"{where}: picture can't be decoded ({error})") from error
    image = ImageOps.exif_transpose(image)
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image.convert("RGBA"))
    return np.asarray(image.convert("RGB"))


def to_float(pictures: Tensor) -> Tensor:
    """uint8 0..255 -> float32 in [-1, 1]."""
    return pictures.float() / 127.5 - 1


METHOD = "bicubic-1"  # part of the cache's file names: change it whenever the pixels change


def to_square(
    image: UInt8[np.ndarray, "h w 3"] | Image.Image, size: int
) -> UInt8[np.ndarray, "{size} {size} 3"]:
    """Resizes the whole picture to (size, size), antialiased; nothing is cropped, padded or mirrored.

    Training, evaluation and generation all use it, so that true and generated pictures differ in their
    content only. A picture that already has this size is unchanged.
    """
    if isinstance(image, np.ndarray):
        image = Image.fromarray(image)
    return np.asarray(image.convert("RGB").resize((size, size), Image.Resampling.BICUBIC))
