"""An encoder that can be followed by eye, and a folder of its pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.nn.functional import adaptive_avg_pool2d, normalize

from cdd_icm.data.picture import rgb, to_square

COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255), "white": (255, 255, 255)}


class Colours:
    """A picture is the mean colours of a 4 x 4 grid; a text adds the colours that it names to all of it, and
    the history as much again."""

    width, vectors = 48, 1

    def __init__(self, fingerprint: str = "c01ou75"):
        self.fingerprint = fingerprint
        self.encoded = 0
        """Pictures of a gallery so far."""

    def preprocess(self, picture):
        return to_square(picture, 8)

    def encode_gallery(self, pictures):
        self.encoded += len(pictures)
        return self._grid(pictures)

    def encode_query(self, pictures, texts, history=None):
        vectors = torch.zeros(len(pictures if texts is None else texts), self.width)
        if pictures is not None:
            squares = np.stack([self.preprocess(rgb(picture, "picture")) for picture in pictures])
            vectors += self._grid(torch.from_numpy(squares).permute(0, 3, 1, 2))
        if texts is not None:
            said = [[*(history[i] if history else ()), text] for i, text in enumerate(texts)]
            vectors += torch.stack([sum(self._named(text) for text in some) for some in said])
        return normalize(vectors, dim=1)

    def _grid(self, pictures):
        assert pictures.dtype == torch.uint8 and pictures.shape[1:] == (3, 8, 8)
        return normalize(adaptive_avg_pool2d(pictures / 127.5 - 1, 4).flatten(1), dim=1)

    def _named(self, text):
        named = [torch.tensor(rgb) / 127.5 - 1 for name, rgb in COLOURS.items() if name in text]
        return sum((c.repeat_interleave(16) / 4 for c in named), torch.zeros(self.width))


def paint(path: Path, left: str, right: str | None = None, size=(12, 10)) -> Path:
    """A picture of two halves."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.new("RGB", size, COLOURS[left])
    picture.paste(COLOURS[right or left], (size[0] // 2, 0, *size))
    picture.save(path)
    return path
