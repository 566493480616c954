"""A dialog as one picture: the canvas, then every turn under its instruction."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

MARGIN, LINE, FONT_SIZE = 6, 14, 12


def filmstrip(
    canvas: Image.Image | np.ndarray,
    pictures: Sequence[Image.Image | np.ndarray],
    instructions: Sequence[str],
    side: int = 160,
) -> Image.Image:
    """Canvas and pictures from left to right, each `side` pixels wide, each under the instruction it answers.

    Pictures are PIL images or uint8 (H, W, 3) arrays, RGB.
    """
    font = ImageFont.load_default(FONT_SIZE)
    characters = int(side / (0.52 * FONT_SIZE))
    captions = [textwrap.wrap(text, characters) for text in ["(empty canvas)", *instructions]]
    head = MARGIN + LINE * max(len(lines) for lines in captions) + MARGIN
    step = side + 2 * MARGIN
    strip = Image.new("RGB", (step * len(captions), head + side + MARGIN), "white")
    draw = ImageDraw.Draw(strip)
    for k, (picture, lines) in enumerate(zip([canvas, *pictures], captions, strict=True)):
        image = Image.fromarray(picture) if isinstance(picture, np.ndarray) else picture
        x = k * step + MARGIN
        for i, line in enumerate(lines):
            draw.text((x, MARGIN + i * LINE), line, fill="black", font=font)
        strip.paste(image.convert("RGB").resize((side, side), Image.Resampling.LANCZOS), (x, head))
    return strip


def stack(strips: Sequence[Image.Image]) -> Image.Image:
    """Strips one under another, on white."""
    sheet = Image.new("RGB", (max(s.width for s in strips), sum(s.height for s in strips)), "white")
    y = 0
    for strip in strips:
        sheet.paste(strip, (0, y))
        y += strip.height
    return sheet
