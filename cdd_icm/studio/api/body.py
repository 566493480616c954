"""The body of a request: read up to a limit, then JSON; pictures in base64."""

from __future__ import annotations

import asyncio
import base64
import binascii
import io
import re
import sys
from contextlib import nullcontext
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cdd_icm.console import printable, say
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
        length = int(request.headers.get("content-length", SMALL + 1))  # a number: see `LimitedBody`
        async with nullcontext() if length <= SMALL else self._large:
            try:
                content = await asyncio.wait_for(self._read(request), READ_SECONDS)
            except TimeoutError:
                raise InputError(f"body: not sent within {READ_SECONDS:g} seconds") from None
            return await asyncio.to_thread(parse_json, content, "body")

    async def _read(self, request: Request) -> bytes:
        return b"".join([piece async for piece in request.stream()])


class LimitedBody:
    """Middleware: no request to any address, so also to those of the page, has a body over the limit."""

    def __init__(self, app: ASGIApp, limits: VisitorLimits):
        self.app, self.limits = app, limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        most = self.limits.body
        declared = Headers(scope=scope).get("content-length", "0")
        if not (declared.isascii() and declared.isdigit() and len(declared) < 16 and int(declared) <= most):
            await self._refuse(
                scope, receive, send, f"body: {declared:.40} bytes, over the limit of {most:,}"
            )
            return
        size, started = 0, False

        async def limited() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > most:
                raise TooLarge(f"body: over the limit of {most:,} bytes")
            return message

        async def noting(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self.app(scope, limited, noting)
        except TooLarge as error:  # of an address that does not answer it itself
            if not started:
                await self._refuse(scope, receive, send, str(error))

    async def _refuse(self, scope: Scope, receive: Receive, send: Send, line: str) -> None:
        say(f"studio: {scope['method']} {printable(scope['path'][:80])} 413: {line}", file=sys.stderr)
        await JSONResponse({"error": line}, 413)(scope, receive, send)


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
