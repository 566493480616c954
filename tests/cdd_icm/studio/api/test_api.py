"""The server for programs, over HTTP: what it draws and finds, and the one line for what is wrong."""

import asyncio
import base64
import io
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("fastapi", reason="the extra `studio` is not installed")

from cdd_icm import DrawingSession  # noqa: E402
from cdd_icm.errors import InputError  # noqa: E402
from cdd_icm.studio.api import app as app_module  # noqa: E402
from cdd_icm.studio.api import body as body_module  # noqa: E402
from cdd_icm.studio.engine import Engine, Engines  # noqa: E402
from cdd_icm.studio.limits import VisitorLimits  # noqa: E402
from cdd_icm.studio.queue import DeviceQueue  # noqa: E402
from tests.cdd_icm.studio.api.conftest import LIMITS, client_of, one_line  # noqa: E402

PATIENCE = 300.0
JSON = {"content-type": "application/json"}
TEXT = "add a red cube"


def picture_of(text):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(text))))


def base64_of(picture, kind="PNG", **options):
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return base64.b64encode(file.getvalue()).decode()


def turn(client, **fields):
    answer = client.post("/api/turn", json={"instruction": TEXT, **fields})
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize("model", ["tiny", "planless"])
def test_a_dialog_is_that_of_a_session(served, request, model):
    pipeline = request.getfixturevalue(f"{model}_pipeline")
    session = DrawingSession(pipeline, seed=7)
    canvas, said = None, []
    for text in (TEXT, "add a blue sphere on the left", TEXT):
        drawn = turn(served, instruction=text, history=said, canvas=canvas, seed=7, model=model)
        assert np.array_equal(picture_of(drawn["picture"]), np.asarray(session.say(text)))
        assert drawn["answer"] is None and drawn["scores"] is None and drawn["warnings"] == []
        assert (drawn["model"], drawn["seed"], drawn["batch"]) == (model, 7, 1)
        assert drawn["seconds"] > 0 and drawn["queue_seconds"] >= 0
        canvas, said = drawn["picture"], [*said, text]


def test_settings_preset_and_a_canvas_of_ones_own(served, tiny_pipeline):
    canvas = Image.fromarray(np.random.default_rng(0).integers(0, 255, (20, 30, 3), dtype=np.uint8))
    for sent in (base64_of(canvas), "data:image/webp;base64," + base64_of(canvas, "WEBP", lossless=True)):
        drawn = turn(served, canvas=sent, settings={"num_candidates": 3}, seed=2)
        session = DrawingSession(tiny_pipeline, canvas, seed=2, num_candidates=3)
        assert np.array_equal(picture_of(drawn["picture"]), np.asarray(session.say(TEXT)))
        assert drawn["scores"] == list(session.turns[0].scores)
        assert drawn["settings"]["num_candidates"] == 3 and drawn["settings"]["num_inference_steps"] == 2
    fast = turn(served, preset="fast", settings={"guidance_scale": 2.0})
    assert (fast["settings"]["num_inference_steps"], fast["settings"]["guidance_scale"]) == (1, 2.0)
    assert turn(served)["settings"]["num_inference_steps"] == 2, "a preset of one changes nothing for another"


@pytest.mark.filterwarnings("ignore:text cut:cdd_icm.errors.InputWarning")
def test_a_text_that_is_cut_is_told(served):
    (line,) = turn(served, instruction="add a red cube " * 10)["warnings"]
    assert line.startswith("text cut before ") and "more than the model's 24 tokens" in line


def test_callers_who_wait_together_are_drawn_together(served, tiny_pipeline):
    go = threading.Event()
    served.queue.submit(lambda: go.wait(PATIENCE))
    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(turn, served, seed=seed) for seed in range(8)]
        while served.queue.waiting < 8:
            pass
        assert served.get("/healthz").json()["waiting"] == 8
        go.set()
        for seed, answer in enumerate(answers):
            drawn = answer.result(PATIENCE)
            alone = np.asarray(DrawingSession(tiny_pipeline, seed=seed).say(TEXT)).astype(int)
            assert drawn["batch"] == 8 and drawn["queue_seconds"] > 0
            assert np.abs(picture_of(drawn["picture"]) - alone).max() <= 1


def test_find(served):
    canvas = Image.new("RGB", (9, 7))
    sent = {"picture": base64_of(canvas), "text": "red", "history": ["x"], "k": 2, "filter": "width > 1"}
    answer = served.post("/api/find", json={**sent, "exclude": ["c.png"]}).json()
    assert answer["hits"] == [{"name": "a/b.png", "score": 0.5, "tags": {"colour": "red"}}]
    assert answer["seconds"] >= 0 and answer["queue_seconds"] >= 0
    served.post("/api/find", json={"picture": sent["picture"]})
    assert served.finder.asked == [
        ((9, 7), "red", ["x"], 2, "width > 1", ["c.png"], False),
        ((9, 7), None, [], 10, "", [], False),
    ]


def test_health_and_metrics(served):
    turn(served)
    served.post("/api/find", json={"text": "red"})
    served.post("/api/turn", json={})
    served.get("/api/nothing")
    health = served.get("/healthz").json()
    assert (health["status"], health["device"], health["finds"], health["waiting"]) == ("ok", "cpu", True, 0)
    assert [model["name"] for model in health["models"]] == ["tiny", "planless"]
    tiny = health["models"][0]
    assert (tiny["image_size"], tiny["presets"], tiny["has_canvas"]) == (32, ["fast"], True)
    assert tiny["settings"]["num_inference_steps"] == 2
    answer = served.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = set(answer.text.splitlines())
    assert {
        'cdd_icm_requests_total{route="/api/turn",status="200"} 1.0',
        'cdd_icm_requests_total{route="/api/turn",status="400"} 1.0',
        'cdd_icm_requests_total{route="other",status="404"} 1.0',
        'cdd_icm_requests_total{route="/healthz",status="200"} 1.0',
        'cdd_icm_turns_total{model="tiny"} 1.0',
        "cdd_icm_searches_total 1.0",
        'cdd_icm_queue_waiting{device="cpu"} 0.0',
        "cdd_icm_wait_seconds_count 2.0",
        "cdd_icm_work_seconds_count 2.0",
        'cdd_icm_batch_size_bucket{le="1.0"} 2.0',
    } <= lines


def test_the_schema_documents_what_is_sent_and_answered(served):
    schema = served.get("/api/openapi.json").json()
    assert set(schema["paths"]) == {"/api/turn", "/api/find", "/healthz", "/metrics"}
    asked = schema["paths"]["/api/turn"]["post"]
    sent = asked["requestBody"]["content"]["application/json"]["schema"]
    assert sent["required"] == ["instruction"] and sent["additionalProperties"] is False
    assert all("description" in field for field in sent["properties"].values())
    assert {"200", "400", "413", "429", "503"} <= set(asked["responses"])


def engines_of(pipeline, queue):
    return Engines([Engine("tiny", "tiny", pipeline, queue)])


def test_without_a_store_nothing_is_found(tiny_pipeline):
    with DeviceQueue() as queue:
        client = client_of(engines_of(tiny_pipeline, queue))
        one_line(
            client.post("/api/find", json={"text": "a"}), 404, "find: this server has no store; start it"
        )
        assert client.get("/healthz").json()["finds"] is False


def test_too_many_requests_are_told_when_to_come_again(tiny_pipeline):
    with DeviceQueue() as queue:
        client = client_of(engines_of(tiny_pipeline, queue), limits=VisitorLimits(requests_a_minute=1))
        turn(client)
        answer = client.post("/api/turn", json={"instruction": TEXT})
        one_line(answer, 429, "1 requests a minute are allowed; go on in 60 seconds")
        assert 1 <= int(answer.headers["retry-after"]) <= 60
        assert client.get("/healthz").status_code == 200


def test_a_full_queue_and_one_that_ends(tiny_pipeline):
    go = threading.Event()
    with DeviceQueue(limit=1) as queue:
        begun = threading.Event()
        queue.submit(lambda: begun.set() or go.wait(PATIENCE))
        assert begun.wait(PATIENCE)
        waiting = queue.submit(lambda: None)
        client = client_of(engines_of(tiny_pipeline, queue))
        answer = client.post("/api/turn", json={"instruction": TEXT})
        one_line(answer, 503, "queue: 1 requests wait already; try again in a moment")
        assert answer.headers["retry-after"] == "1"
        go.set()
        waiting.result(PATIENCE)
    one_line(client.post("/api/turn", json={"instruction": TEXT}), 503, "queue: the server is stopping")


def test_a_fault_of_ours_is_one_line_too(served, monkeypatch, capsys):
    def broken(*_):
        raise RuntimeError("out of\nluck")

    monkeypatch.setattr(app_module, "submit_turn", broken)
    one_line(served.post("/api/turn", json={"instruction": TEXT}), 500, "failed: RuntimeError: out of")
    assert "500: failed: RuntimeError: out of" in capsys.readouterr().err


def test_a_caller_who_goes_away_is_no_longer_drawn_for(tiny_pipeline, monkeypatch):
    monkeypatch.setattr(app_module, "LOOK", 0.01)

    async def is_gone():
        return True

    async def ask():
        ticket = queue.submit(lambda: go.wait(PATIENCE))
        waiting = queue.submit(lambda: "drawn")
        with pytest.raises(InputError, match="went away"):
            await app_module._result(waiting, is_gone)
        assert waiting.cancelled and queue.waiting == 0
        go.set()
        return ticket

    go = threading.Event()
    with DeviceQueue() as queue:
        asyncio.run(ask()).result(PATIENCE)


def test_a_body_that_does_not_come_is_given_up(monkeypatch):
    monkeypatch.setattr(body_module, "READ_SECONDS", 0.01)

    class Silent:
        headers = {**JSON, "content-length": "2"}

        async def stream(self):
            yield b"{"
            await asyncio.sleep(PATIENCE)

    async def read():
        await body_module.Bodies(LIMITS).json(Silent())

    with pytest.raises(InputError, match="^body: not sent within 0.01 seconds$"):
        asyncio.run(read())
