"""The app: its addresses, and what they answer."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from PIL import Image

from cdd_icm.config import SamplingConfig
from cdd_icm.console import printable, say
from cdd_icm.data.picture import to_square
from cdd_icm.errors import InputError, first_line
from cdd_icm.model.prompt import compose_text
from cdd_icm.model.tokenizer import cut_line
from cdd_icm.sampling.inputs import without_scheduler
from cdd_icm.sampling.pipeline import CDDICMPipeline
from cdd_icm.studio.api.body import Bodies, LimitedBody, NotJson, TooLarge, decoded, encoded
from cdd_icm.studio.api.metrics import CONTENT_TYPE, Metrics
from cdd_icm.studio.api.schema import (
    Answer,
    Fault,
    FindRequest,
    FindResponse,
    Health,
    Hit,
    ModelCard,
    TurnRequest,
    TurnResponse,
    request_of,
)
from cdd_icm.studio.engine import Engine, Engines
from cdd_icm.studio.finder import Finder
from cdd_icm.studio.limits import RequestCounter, TooMany, VisitorLimits
from cdd_icm.studio.queue import Cancelled, Closed, QueueFull, Ticket
from cdd_icm.studio.turns import Drawn, Turn, submit_turn

IsGone = Callable[[], Awaitable[bool]]

LOOK = 0.25
"""Seconds between two looks whether a caller who waits is still there."""

KNOWN = {"/healthz": "GET", "/metrics": "GET", "/api/turn": "POST", "/api/find": "POST"}
"""The addresses, with the method of each."""


class WrongMethod(InputError):
    """The address takes another method."""


class NoSuchAddress(InputError):
    """There is nothing at this address, or not for this method."""


STATUS = {
    **{NoSuchAddress: 404, WrongMethod: 405, TooLarge: 413, NotJson: 415, TooMany: 429},
    **{Cancelled: 499, QueueFull: 503, Closed: 503},
}
"""Of a refusal; others are 400. 499 is seen by nobody but the log: the caller is gone."""


def build_api(engines: Engines, finder: Finder | None = None, limits: VisitorLimits | None = None) -> FastAPI:
    """The server for programs over these models.

    Args:
        finder: answers /api/find, within the queue of the first model; None for a server without a store.
        limits: of each caller, who is known by the address; None for the default ones.
    """
    server = Server(engines, finder, limits or VisitorLimits())
    app = FastAPI(
        title="CDD-ICM",
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.server = server
    app.add_middleware(LimitedBody, limits=server.limits)
    faults: dict[int | str, dict[str, Any]] = {
        code: {"model": Fault} for code in (400, 404, 413, 415, 429, 503)
    }

    def route(
        method: str,
        path: str,
        answer: Callable[[Request], Awaitable[Any]],
        sent: type | None,
        got: type | None,
    ) -> None:
        body = {"content": {"application/json": {"schema": sent.model_json_schema()}}} if sent else None
        app.add_api_route(
            path,
            server.answering(path, answer),
            methods=[method],
            summary=(answer.__doc__ or "").strip().splitlines()[0],
            responses={**({200: {"model": got}} if got else {}), **(faults if sent else {})},
            response_class=JSONResponse,
            openapi_extra={"requestBody": {**body, "required": True}} if body else None,
        )

    route("POST", "/api/turn", server.turn, TurnRequest, TurnResponse)
    route("POST", "/api/find", server.find, FindRequest, FindResponse)
    route("GET", "/healthz", server.health, None, Health)
    route("GET", "/metrics", server.figures, None, None)
    every = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
    nowhere = server.answering("other", server.nowhere)

    async def not_found(request: Request, error: Exception) -> Response:
        return await nowhere(request)

    for path in ("/api/{rest:path}", "/healthz", "/metrics"):
        app.add_api_route(path, nowhere, methods=every, include_in_schema=False)
    app.add_exception_handler(404, not_found)
    return app


class Server:
    """What the addresses answer, over the same models, limits and figures."""

    def __init__(self, engines: Engines, finder: Finder | None, limits: VisitorLimits):
        self.engines, self.finder, self.limits = engines, finder, limits
        self.metrics = Metrics(engines.queues)
        self.bodies = Bodies(limits)
        self.counter = RequestCounter(limits.requests_a_minute)

    def answering(self, route: str, answer: Callable[[Request], Awaitable[Any]]) -> Callable:
        """The endpoint of a route: counts it, and turns what is raised into one line for the caller and for
        the log."""

        async def endpoint(request: Request) -> Response:
            status, headers = 200, {}
            try:
                result = await answer(request)
            except InputError as error:
                status = next((code for kind, code in STATUS.items() if isinstance(error, kind)), 400)
                if status in (429, 503):
                    headers["Retry-After"] = str(max(1, round(getattr(error, "wait", 1))))
                line = str(error)
            except Exception as error:  # a fault of ours: the caller gets one line, too
                status, line = 500, f"failed: {type(error).__name__}: {first_line(error)}"
            else:
                response = result if isinstance(result, Response) else JSONResponse(result.model_dump())
            if status != 200:
                line = printable(line, one_line=True)
                say(f"studio: {_caller(request)} {request.method} {route} {status}: {line}", file=sys.stderr)
                response = JSONResponse({"error": line}, status, headers)
            self.metrics.requests.labels(route, str(status)).inc()
            return response

        endpoint.__name__ = getattr(answer, "__name__", route)
        return endpoint

    async def turn(self, request: Request) -> TurnResponse:
        """Draws the next picture of a dialog."""
        self.counter.count(_caller(request))
        asked = request_of(TurnRequest, await self.bodies.json(request))
        return await self.draw(asked, _caller(request), request.is_disconnected)

    async def draw(self, asked: TurnRequest, caller: str, is_gone: IsGone) -> TurnResponse:
        """A turn, however it was asked for. Raises InputError."""
        engine = self.engines.named(asked.model)
        pipeline = engine.with_preset(asked.preset)
        settings = self._settings(pipeline, asked.settings)
        self.limits.check_text(asked.instruction, "instruction")
        self.limits.check_history(asked.history)
        canvas = await asyncio.to_thread(self._canvas, engine, asked)
        turn = Turn(canvas, asked.instruction, tuple(asked.history), asked.seed)
        ticket = submit_turn(engine.queue, pipeline, turn, settings, caller, asked.alone)
        drawn: Drawn = await _result(ticket, is_gone)
        self.metrics.turns.labels(engine.name).inc()
        prompt = compose_text(
            turn.instruction, turn.history, pipeline.config.history, pipeline.config.speaker
        )
        cut = cut_line(pipeline.tokenizer, prompt)
        return TurnResponse(
            picture=encoded(drawn.picture),
            scores=None if drawn.scores is None else list(drawn.scores),
            answer=Answer.of(drawn.answer),
            warnings=[cut] if cut else [],
            model=engine.name,
            seed=asked.seed,
            settings=without_scheduler(settings),
            seconds=round(ticket.worked, 4),
            queue_seconds=round(ticket.waited, 4),
            batch=ticket.batch,
        )

    async def find(self, request: Request) -> FindResponse:
        """Finds the nearest pictures in the store."""
        self.counter.count(_caller(request))
        asked = request_of(FindRequest, await self.bodies.json(request))
        return await self.search(asked, _caller(request), request.is_disconnected)

    async def search(self, asked: FindRequest, caller: str, is_gone: IsGone) -> FindResponse:
        """A search, however it was asked for. Raises InputError."""
        if self.finder is None:
            raise NoSuchAddress("find: this server has no store; start it with --store")
        if asked.k > self.limits.hits:
            raise InputError(f"k: {asked.k:,}, over the limit of {self.limits.hits:,}")
        if asked.picture is None and asked.text is None:
            raise InputError("picture and text: both are missing, expected at least one")
        if asked.text is not None:
            self.limits.check_text(asked.text, "text")
        if asked.filter:
            self.limits.check_text(asked.filter, "filter")
        self.limits.check_history(asked.history)
        self.limits.check_history(asked.exclude, "exclude")
        picture = None
        if asked.picture is not None:
            pixels = await asyncio.to_thread(decoded, asked.picture, self.limits, "picture")
            picture = Image.fromarray(pixels)
        given = (picture, asked.text, asked.history, asked.k, asked.filter, asked.exclude)
        ticket = self.engines[0].queue.submit(lambda: self.finder.find(*given, pictures=False), key=caller)
        found = await _result(ticket, is_gone)
        self.metrics.searches.inc()
        return FindResponse(
            hits=[Hit(name=each.name, score=each.score, tags=dict(each.tags)) for each in found],
            seconds=round(ticket.worked, 4),
            queue_seconds=round(ticket.waited, 4),
        )

    async def health(self, request: Request) -> Health:
        """What is offered, and that the server answers."""
        return Health(
            status="ok",
            models=[
                ModelCard(
                    name=engine.name,
                    image_size=engine.pipeline.image_size,
                    presets=engine.presets,
                    has_canvas=engine.pipeline.canvas is not None,
                    settings=without_scheduler(engine.pipeline.settings()),
                )
                for engine in self.engines
            ],
            device=self.engines[0].queue.device,
            waiting=sum(queue.waiting for queue in self.engines.queues),
            finds=self.finder is not None,
        )

    async def figures(self, request: Request) -> Response:
        """Figures for Prometheus."""
        return Response(self.metrics.text(), media_type=CONTENT_TYPE)

    async def nowhere(self, request: Request) -> Response:
        path = request.url.path
        if (method := KNOWN.get(path)) is not None:
            raise WrongMethod(f"{request.method} {path}: expected {method}")
        raise NoSuchAddress(f"{path:.80}: not an address of the API; it has {', '.join(KNOWN)}")

    def _settings(self, pipeline: CDDICMPipeline, given: dict[str, Any]) -> SamplingConfig:
        """The sampling settings of a turn, checked, also against the limits."""
        try:
            settings = pipeline.settings(**given)
        except InputError as error:  # which calls them by the name of their section
            line = re.sub(r"^sampling(: |\.)", "", str(error))
            raise InputError(f"settings: {line}") from None
        self.limits.check_sampling(vars(settings))
        return settings

    def _canvas(self, engine: Engine, asked: TurnRequest) -> Image.Image:
        """The reference, squeezed at once: while the turn waits, a large picture would take memory."""
        pipeline = engine.pipeline
        if asked.canvas is not None:
            pixels = decoded(asked.canvas, self.limits, "canvas")
            return Image.fromarray(to_square(pixels, pipeline.image_size))
        if asked.history:
            raise InputError(
                f"canvas: missing, but history has {len(asked.history)} turns; send the last one's picture"
            )
        if pipeline.canvas is None:
            raise InputError(f"canvas: missing, and the model {engine.name!r} has none of its own")
        return pipeline.canvas


def _caller(request: Request) -> str:
    return request.client.host if request.client else "unknown"


async def _result(ticket: Ticket, is_gone: IsGone) -> Any:
    """The ticket's result. A caller who goes away, or a server that stops, cancels it."""
    future = asyncio.wrap_future(ticket.future)
    future.add_done_callback(lambda done: done.cancelled() or done.exception())  # it may come too late
    try:
        while not (await asyncio.wait([future], timeout=LOOK))[0]:
            if await is_gone():
                raise Cancelled("the caller went away")
        return future.result()
    finally:
        if not future.done():
            ticket.cancel()
