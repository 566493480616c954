"""What one visitor of the page, or one caller of the API, may ask for; each refusal is one sentence."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from cdd_icm.data.picture import open_picture, rgb
from cdd_icm.errors import InputError
from cdd_icm.limits import MIB
from cdd_icm.text import check_text

MINUTE = 60.0
FORMATS = ("PNG", "WEBP", "JPEG")
"""The formats of pictures that a caller may send: each has a decoder of its own, in this process."""


class TooMany(InputError):
    """More requests than are allowed in a minute. `wait`: seconds until the next is let in."""

    def __init__(self, message: str, wait: float):
        super().__init__(message)
        self.wait = wait


@dataclass(frozen=True)
class VisitorLimits:
    """What one visitor may ask for."""

    turns: int = 60
    """In a branch of a dialog; earlier instructions in a request."""
    text: int = 1000
    """Characters of a sentence; the models read far fewer."""
    candidates: int = 8
    steps: int = 100
    """Denoising steps of a turn."""
    hits: int = 100
    """Pictures that a search may return."""
    requests_a_minute: int = 120
    """Clicks and sentences that the server answers."""
    waiting: int = 8
    """Turns of one visitor in a queue."""
    upload: int = 16 * MIB
    """Bytes of a picture or a saved dialog that is uploaded."""
    pixels: int = 16_000_000
    """Of a picture that is uploaded, by its header."""
    session: int = 64 * MIB
    """Bytes of a saved dialog, unpacked."""
    idle_seconds: float = 1800
    """After that a dialog is dropped from memory; it stays on the disk."""
    kept_days: float = 30
    """After that it is deleted from the disk."""
    in_memory: int = 200
    """Dialogs in memory at once; the longest idle make room."""

    @property
    def body(self) -> int:
        """Bytes of a request to the API: a picture in base64 and all texts, at four bytes a character."""
        return self.upload * 4 // 3 + 4 * self.text * (self.turns + 2) + 16 * 1024

    def check_text(self, text: str, field: str) -> None:
        """Raises InputError if a text is blank, too long, or has a character that no text can have."""
        if len(text) > self.text:
            raise InputError(f"{field}: {len(text):,} characters, over the limit of {self.text:,}")
        if not text.strip():
            raise InputError(f"{field}: {text!r:.40} is empty")
        check_text(text, field)

    def check_history(self, texts: Sequence[str], field: str = "history") -> None:
        """Raises InputError if there are too many earlier texts, or one is not as in `check_text`."""
        if len(texts) > self.turns:
            raise InputError(f"{field}: {len(texts):,} texts, over the limit of {self.turns:,} turns")
        for number, text in enumerate(texts):
            self.check_text(text, f"{field}[{number}]")

    def check_sampling(self, settings: Mapping[str, Any], field: str = "settings") -> None:
        """Raises InputError if sampling settings ask for too much work."""
        for name, most in (("num_inference_steps", self.steps), ("num_candidates", self.candidates)):
            value = settings.get(name)
            if isinstance(value, int) and value > most:
                raise InputError(f"{field}.{name}: {value:,}, over the limit of {most:,}")

    def picture(self, encoded: bytes, field: str) -> UInt8[np.ndarray, "h w 3"]:
        """Decodes an uploaded picture to RGB pixels, 0..255; see `cdd_icm.data.picture.rgb`.

        Raises:
            InputError: too many bytes, or pixels by its header; not one of `FORMATS`, or damaged.
        """
        if len(encoded) > self.upload:
            raise InputError(f"{field}: {len(encoded):,} bytes, over the limit of {self.upload:,}")
        try:
            image = open_picture(encoded, FORMATS)
        except Exception as error:  # Pillow raises many kinds of error for damaged files
            raise InputError(
                f"{field}: not a picture ({len(encoded):,} bytes), expected PNG, WebP or JPEG"
            ) from error
        with image:
            self.check_pixels(image, field)
            return rgb(image, field)

    def check_pixels(self, image: Image.Image, field: str) -> None:
        """Raises InputError if a picture, which need not be decoded yet, has too many pixels."""
        if (pixels := image.width * image.height) > self.pixels:
            raise InputError(
                f"{field}: {image.width}x{image.height} are {pixels:,} pixels, over the limit of "
                f"{self.pixels:,}"
            )


class RequestCounter:
    """Counts the requests of each caller within the last minute. Memory is bounded: callers of whom there
    was no request in that time are forgotten."""

    def __init__(self, most: int):
        self.most = most
        self._times: dict[Hashable, deque[float]] = {}
        self._swept = time.monotonic()
        self._lock = Lock()

    def count(self, caller: Hashable) -> None:
        """Raises TooMany if this request is one too many; it then does not count."""
        now = time.monotonic()
        with self._lock:
            if now >= self._swept + MINUTE:
                self._swept = now
                self._times = {key: times for key, times in self._times.items() if times[-1] > now - MINUTE}
            times = self._times.setdefault(caller, deque())
            while times and times[0] <= now - MINUTE:
                times.popleft()
            if len(times) >= self.most:
                wait = MINUTE - (now - times[0]) if times else MINUTE
                raise TooMany(f"{self.most} requests a minute are allowed; go on in {wait:.0f} seconds", wait)
            times.append(now)
