"""The API's turns and searches as endpoints of the page, for Gradio's own client."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import gradio as gr
from fastapi import FastAPI

from cdd_icm.errors import InputError
from cdd_icm.studio.api.app import Server
from cdd_icm.studio.api.schema import FindRequest, TurnRequest, request_of


def add_endpoints(page: gr.Blocks, app: FastAPI) -> None:
    """Adds `/turn`, and `/find` if there is a store, to a page that is to be mounted on `app` (`build_api`).
    They take one dict, the JSON of `/api/turn` or `/api/find`, and return that of its answer; what is refused
    is a `gr.Error`, which the client raises."""
    server: Server = app.state.server

    async def turn(request: dict, caller: gr.Request) -> dict:
        """Draws the next picture of a dialog: the fields of POST /api/turn, and those of its answer."""
        return await _answer(caller, lambda who: server.draw(request_of(TurnRequest, request), who, _stays))

    async def find(request: dict, caller: gr.Request) -> dict:
        """Finds the nearest pictures: the fields of POST /api/find, and those of its answer."""
        return await _answer(caller, lambda who: server.search(request_of(FindRequest, request), who, _stays))

    async def _answer(caller: gr.Request, work: Callable[[str], Awaitable[Any]]) -> dict:
        who = caller.client.host if caller.client else "unknown"
        try:
            server.counter.count(who)
            return (await work(who)).model_dump()
        except InputError as error:
            raise gr.Error(str(error), print_exception=False) from None

    for function in (turn, *([find] if server.finder else [])):
        # annotations as types, not as texts: Gradio reads them
        function.__annotations__ = {"request": dict, "caller": gr.Request, "return": dict}
        with page:
            gr.api(function, api_name=function.__name__, concurrency_limit=None)


async def _stays() -> bool:
    """Gradio does not tell whether the caller is still there."""
    return False
