"""Pictures side by side, each with its words underneath."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

MARGIN = 6


def filmstrip(
    pictures: Sequence[Image.Image | np.ndarray], captions: Sequence[str], height: int = 128
) -> Image.Image:
    """One row: the pictures (uint8 RGB, all scaled to `height`), under each its caption, wrapped."""
    frames = [_scaled(picture, height) for picture in pictures]
    font = ImageFont.load_default(size=11)
    texts = [_wrapped(caption, font, frame.width) for caption, frame in zip(captions, frames, strict=True)]
    pen = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    text_height = max(pen.multiline_textbbox((0, 0), text, font)[3] for text in texts)
    width = sum(frame.width + MARGIN for frame in frames) + MARGIN
    strip = Image.new("RGB", (width, int(height + text_height) + 3 * MARGIN), "white")
    pen, left = ImageDraw.Draw(strip), MARGIN
    for frame, text in zip(frames, texts, strict=True):
        strip.paste(frame, (left, MARGIN))
        pen.multiline_text((left, height + 2 * MARGIN), text, "black", font)
        left += frame.width + MARGIN
    return strip


def stack(strips: Sequence[Image.Image]) -> Image.Image:
    """The strips one below the other, on white."""
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
    letters = max(8, int(width / font.getlength("e")))
    return "\n".join(textwrap.wrap(text, letters))
