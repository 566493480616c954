"""Gradio's own client draws and finds by the page's endpoints."""

import threading

import pytest

pytest.importorskip("gradio", reason="the extra `studio` is not installed")

import gradio as gr  # noqa: E402
import uvicorn  # noqa: E402
from gradio_client import Client  # noqa: E402
from gradio_client.exceptions import AppError  # noqa: E402

from cdd_icm.cli.studio import _listen  # noqa: E402
from cdd_icm.studio.api.client import add_endpoints  # noqa: E402


@pytest.mark.slow
def test_the_client_gets_the_same_answers(served):
    app = served.app
    with gr.Blocks(analytics_enabled=False) as page:
        gr.Textbox()
    add_endpoints(page, app)
    gr.mount_gradio_app(app, page, path="/")
    with _listen("127.0.0.1", 0) as listening:
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            client = Client(f"http://127.0.0.1:{listening.getsockname()[1]}", verbose=False)
            sent = {"instruction": "add a red cube", "seed": 3}
            drawn = client.predict(sent, api_name="/turn")
            assert drawn["picture"] == served.post("/api/turn", json=sent).json()["picture"]
            (hit,) = client.predict({"text": "red"}, api_name="/find")["hits"]
            assert hit == {"name": "a/b.png", "score": 0.5, "tags": {"colour": "red"}}
            with pytest.raises(AppError, match="^instruction: '' is empty$"):
                client.predict({"instruction": ""}, api_name="/turn")
            with pytest.raises(AppError, match="^sed: unknown field; the nearest is seed$"):
                client.predict({"instruction": "a", "sed": 1}, api_name="/turn")
        finally:
            server.should_exit = True
            thread.join()
