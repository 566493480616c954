"""The body of a request: read up to a limit, then JSON; pictures in base64."""

from __future__ import annotations

import asyncio
import base64
import binascii
import io
import re
from contextlib import nullcontext
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image
from starlette.requests import Request

from cdd_icm.errors import InputError
from cdd_icm.io import parse_json
from cdd_icm.studio.limits import VisitorLimits

SMALL = 64 * 1024
"""Bytes of a body that any number of requests may have in memory."""
LARGE_AT_ONCE = 8
"""Requests whose larger bodies are read at the same time; the others are read after them."""
READ_SECONDS = 30.0
"""How long a caller may take to send the body."""

_DATA_URL = re.compile(r"data:image/[a-z0-9.+-]{1,20};base64,")


class TooLarge(InputError):
    """The body is over the limit."""


class NotJson(InputError):
    """The body is declared as something else than JSON."""


class Bodies:
    """Reads bodies, so that their memory is bounded also where many callers send large ones at once."""

    def __init__(self, limits: VisitorLimits):
        self.limits = limits
        self._large = asyncio.Semaphore(LARGE_AT_ONCE)

    async def json(self, request: Request) -> Any:
        """The value of a JSON body.

        Raises:
            NotJson: another content type, such as a form on a web page elsewhere could send it.
            TooLarge: over the limit, which is known before all of it is read.
            InputError: it does not arrive in time, or is not JSON.
        """
        kind = request.headers.get("content-type", "none")
        if kind.partition(";")[0].strip().lower() != "application/json":
            raise NotJson(f"content-type: {kind!r:.60}, expected application/json")
        declared = request.headers.get("content-length", "")
        length = int(declared) if declared.isascii() and declared.isdigit() and len(declared) < 16 else None
        if length is not None:
            self._check(length)
        async with nullcontext() if length is not None and length <= SMALL else self._large:
            try:
                content = await asyncio.wait_for(self._read(request), READ_SECONDS)
            except TimeoutError:
                raise InputError(f"body: not sent within {READ_SECONDS:g} seconds") from None
            return await asyncio.to_thread(parse_json, content, "body")

    async def _read(self, request: Request) -> bytes:
        pieces, size = [], 0
        async for piece in request.stream():
            size += len(piece)
            self._check(size)
            pieces.append(piece)
        return b"".join(pieces)

    def _check(self, size: int) -> None:
        if size > self.limits.body:
            raise TooLarge(f"body: at least {size:,} bytes, over the limit of {self.limits.body:,}")


def decoded(text: str, limits: VisitorLimits, field: str) -> UInt8[np.ndarray, "h w 3"]:
    """The picture in base64, plain or as a data URL.

    Raises:
        InputError: not base64, or as `VisitorLimits.picture`.
    """
    if head := _DATA_URL.match(text):
        text = text[head.end() :]
    if len(text) * 3 // 4 > limits.upload + 2:
        raise InputError(f"{field}: {len(text) * 3 // 4:,} bytes, over the limit of {limits.upload:,}")
    try:
        encoded = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise InputError(f"{field}: {text!r:.40} is not base64") from None
    return limits.picture(encoded, field)


def encoded(picture: Image.Image) -> str:
    """A picture as PNG in base64."""
    file = io.BytesIO()
    picture.save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()
