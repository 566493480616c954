"""More visitors at once than the queue takes, by the page's own addresses."""

import asyncio
import json

import pytest
from studio_visitor import PATIENCE

from tests.cdd_icm.studio.browser import Studio

httpx = pytest.importorskip("httpx", reason="the extra `studio` is not installed")
pytest.importorskip("gradio", reason="the extra `studio` is not installed")
pytestmark = pytest.mark.slow


def test_200_queued_requests_have_bounded_memory(tmp_path):
    """200 visitors ask at once, more than may wait: each is drawn or told so, and memory stays."""
    studio = Studio(tmp_path / "sessions", models="blocks", slow=0.5, waiting=16)
    try:
        asyncio.run(ask_all(studio.address, 3))
        before = studio.memory
        refused = asyncio.run(ask_all(studio.address, 200))
        saved = len(list(studio.folder.iterdir()))
        assert refused and saved == 203 - refused and saved >= 3 + 16
        assert studio.memory - before < 400 * 2**20
    finally:
        studio.kill()


async def ask_all(address, visitors):
    """As many visitors as given open the page and draw a turn. Returns how many were refused."""
    async with httpx.AsyncClient(base_url=address, timeout=10 * PATIENCE, limits=httpx.Limits()) as client:
        config = (await client.get("config")).json()
        calls = {tuple(each["targets"][0]) + (each["id"],): each for each in config["dependencies"]}
        say = next(c["id"] for c in config["components"] if c["props"].get("elem_id") == "say")
        credentials = next(
            c["id"] for c in config["components"] if c["props"].get("elem_id") == "credentials"
        )
        load = next(each for key, each in calls.items() if key[1] == "load")
        draw = next(each for each in calls.values() if [say, "submit"] in each["targets"])
        at = load["outputs"].index(credentials)

        async def opened(number):
            return (await call(client, load["id"], ["", ""], f"load{number}-{visitors}"))["data"][at]

        async def drawn(number, who):
            given = [who, "a red ball", str(number), 1, 1, "own settings", "Picture"]
            answer = await call(client, draw["id"], given, f"draw{number}-{visitors}")
            return "requests wait" in json.dumps(answer)

        who = await asyncio.gather(*(opened(number) for number in range(visitors)))
        return sum(await asyncio.gather(*(drawn(number, each) for number, each in enumerate(who))))


async def call(client, event, data, session):
    """Calls an event as the page does, and returns its first answer."""
    joined = {"data": data, "fn_index": event, "session_hash": session}
    (await client.post("gradio_api/queue/join", json=joined)).raise_for_status()
    first = None
    async with client.stream("GET", "gradio_api/queue/data", params={"session_hash": session}) as answers:
        async for line in answers.aiter_lines():
            message = json.loads(line.removeprefix("data:") or "{}") if line.startswith("data:") else {}
            if first is None and message.get("msg") in ("process_generating", "process_completed"):
                first = message["output"]
            if message.get("msg") == "process_completed":
                return first
    raise AssertionError("the server ended the answer")
