"""A dialog as one picture: its pictures side by side, each below its instruction."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

MARGIN = 6


def filmstrip(
    pictures: Sequence[Image.Image | np.ndarray], captions: Sequence[str], height: int = 160
) -> Image.Image:
    """One row of pictures (PIL images or uint8 RGB arrays), scaled to `height` pixels, each below its
    caption, which is wrapped to the picture's width."""
    frames = [_scaled(picture, height) for picture in pictures]
    font = ImageFont.load_default(size=12)
    texts = [_wrapped(caption, font, frame.width) for caption, frame in zip(captions, frames, strict=True)]
    measure = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    head = MARGIN + max(int(measure.multiline_textbbox((0, 0), text, font)[3]) for text in texts) + MARGIN
    width = sum(frame.width + MARGIN for frame in frames) + MARGIN
    strip = Image.new("RGB", (width, head + height + MARGIN), "white")
    pen, left = ImageDraw.Draw(strip), MARGIN
    for frame, text in zip(frames, texts, strict=True):
        pen.multiline_text((left, MARGIN), text, "black", font)
        strip.paste(frame, (left, head))
        left += frame.width + MARGIN
    return strip


def stack(strips: Sequence[Image.Image]) -> Image.Image:
    """The strips stacked from top to bottom, on white; the sheet is as wide as the widest strip."""
    sheet = Image.new("RGB", (max(strip.width for strip in strips), sum(s.height for s in strips)), "white")
    top = 0
    for strip in strips:
        sheet.paste(strip, (0, top))
        top += strip.height
    return sheet


def _scaled(picture: Image.Image | np.ndarray, height: int) -> Image.Image:
    image = Image.fromarray(picture) if isinstance(picture, np.ndarray) else picture
    return image.resize(
        (max(1, round(image.width * height / image.height)), height), Image.Resampling.LANCZOS
    )


def _wrapped(text: str, font: ImageFont.FreeTypeFont, width: int) -> str:
    characters = 0.95 * width * len(text) / max(1, font.getlength(text))
    return "\n".join(textwrap.wrap(text, max(8, int(characters))))
