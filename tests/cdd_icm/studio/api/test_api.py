"""The server for programs, over HTTP: what it draws and finds, and the one line for what is wrong."""

import asyncio
import base64
import io
import json
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("fastapi", reason="the extra `studio` is not installed")

from fastapi.testclient import TestClient  # noqa: E402

from cdd_icm import DrawingSession  # noqa: E402
from cdd_icm.errors import InputError  # noqa: E402
from cdd_icm.studio.api import app as app_module  # noqa: E402
from cdd_icm.studio.api import body as body_module  # noqa: E402
from cdd_icm.studio.api import build_api  # noqa: E402
from cdd_icm.studio.engine import Engine, Engines  # noqa: E402
from cdd_icm.studio.finder import Found  # noqa: E402
from cdd_icm.studio.limits import VisitorLimits  # noqa: E402
from cdd_icm.studio.queue import DeviceQueue  # noqa: E402
from tests.cdd_icm.studio.bomb import bomb  # noqa: E402

PATIENCE = 300.0
JSON = {"content-type": "application/json"}
TEXT = "add a red cube"
LIMITS = VisitorLimits(
    turns=3, text=300, steps=10, hits=20, requests_a_minute=10**6, upload=4000, pixels=40_000
)


class Finder:
    """Finds what it was asked, by that name."""

    def __init__(self):
        self.asked = []

    def find(self, picture, text, history, k, filter, exclude, pictures):
        self.asked.append((picture and picture.size, text, list(history), k, filter, list(exclude), pictures))
        if filter == "broken":
            raise InputError("store: filter 'broken': can't be parsed")
        return [Found("a/b.png", 0.5, None, {"colour": "red"})][:k]

    def close(self):
        pass


@pytest.fixture
def served(tiny_pipeline, planless_pipeline):
    """A client of a server with two models."""
    with DeviceQueue("cpu", limit=20) as queue:
        models = (("tiny", tiny_pipeline), ("planless", planless_pipeline))
        engines = Engines([Engine(name, name, pipeline, queue) for name, pipeline in models])
        finder = Finder()
        client = TestClient(build_api(engines, finder, LIMITS))
        client.queue, client.finder = queue, finder
        yield client


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
    assert answer["hits"] == [{"path": "a/b.png", "score": 0.5, "tags": {"colour": "red"}}]
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


BOMB = base64.b64encode(bomb(60_000)).decode()

TURNS = {
    "nothing": ({"instruction": None}, 400, "instruction is None, expected text"),
    "missing": ({"instruction": ...}, 400, "instruction is missing"),
    "unknown field": ({"stepz": 3}, 400, "stepz: unknown field; the nearest is "),
    "empty": ({"instruction": " "}, 400, "instruction: ' ' is empty"),
    "5,000": ({"instruction": "a" * 5000}, 400, "instruction: 5,000 characters, over the limit of 300"),
    "NUL": ({"instruction": "a\0"}, 400, "instruction: 'a\\x00' has a NUL character"),
    "surrogate": ({"instruction": "a\ud800"}, 400, "instruction: 'a\\ud800' has a lone surrogate"),
    "control": (
        {"model": "\x1b[31m\n"},
        400,
        "model: '\\x1b[31m\\n' is not offered here; there are tiny, planless",
    ),
    "model": ({"model": "x"}, 400, "model: 'x' is not offered here; there are tiny, planless"),
    "model, a number": ({"model": 3}, 400, "model is 3, expected text"),
    "preset": ({"preset": "x"}, 400, "preset: 'x' is unknown; this model has fast"),
    "seed": ({"seed": -1}, 400, "seed is -1, expected at least 0"),
    "seed, large": ({"seed": 2**64}, 400, "body: 18446744073709551616 needs more than 64 bits"),
    "seed, text": ({"seed": "1"}, 400, "seed is '1', expected a whole number"),
    "seed, true": ({"seed": True}, 400, "seed is True, expected a whole number"),
    "history": ({"history": "x"}, 400, "history is 'x', expected a list"),
    "history, a number": ({"history": [1], "canvas": "x"}, 400, "history[0] is 1, expected text"),
    "history, long": ({"history": ["a"] * 4}, 400, "history: 4 texts, over the limit of 3 turns"),
    "history alone": (
        {"history": ["a"]},
        400,
        "canvas: missing, but history has 1 turns; send the last one's",
    ),
    "settings": ({"settings": 3}, 400, "settings is 3, expected a section"),
    "setting, unknown": ({"settings": {"steps": 3}}, 400, "settings: unknown key steps; the nearest is"),
    "setting, wrong": ({"settings": {"num_candidates": 0}}, 400, "settings: num_candidates is 0, expected"),
    "setting, text": (
        {"settings": {"guidance_scale": "x"}},
        400,
        "settings: guidance_scale is 'x', expected",
    ),
    "setting, nested": (
        {"settings": {"guidance_scale": {}}},
        400,
        "settings: guidance_scale is {}, expected",
    ),
    "alone": ({"alone": 1}, 400, "alone is 1, expected true or false"),
    "scheduler": ({"settings": {"scheduler": "x"}}, 400, "settings: scheduler: not an argument of a call"),
    "steps": (
        {"settings": {"num_inference_steps": 11}},
        400,
        "settings.num_inference_steps: 11, over the limit of 10",
    ),
    "candidates": (
        {"settings": {"num_candidates": 9}},
        400,
        "settings.num_candidates: 9, over the limit of 8",
    ),
    "canvas": ({"canvas": "%%"}, 400, "canvas: '%%' is not base64"),
    "canvas, none": ({"canvas": ""}, 400, "canvas: not a picture (0 bytes), expected PNG, WebP or JPEG"),
    "canvas, no picture": ({"canvas": "aGk="}, 400, "canvas: not a picture (2 bytes), expected PNG"),
    "canvas, large": ({"canvas": "A" * 5400}, 400, "canvas: 4,050 bytes, over the limit of 4,000"),
    "canvas, a bomb": ({"canvas": BOMB}, 400, "canvas: 60000x60000 are"),
    "canvas, a file": ({"canvas": "file:///etc/passwd"}, 400, "canvas: 'file:///etc/passwd' is not base64"),
    "canvas, another URL": (
        {"canvas": "data:text/html;base64,aGk="},
        400,
        "canvas: 'data:text/html;base64,aGk=' is not base64",
    ),
}


def one_line(answer, status, line):
    assert answer.status_code == status, answer.text
    assert list(answer.json()) == ["error"] and "\n" not in answer.json()["error"]
    assert answer.json()["error"].startswith(line)


@pytest.mark.parametrize(("changed", "status", "line"), TURNS.values(), ids=TURNS.keys())
def test_a_bad_turn_is_one_line(served, capsys, changed, status, line):
    fields = {name: value for name, value in {"instruction": TEXT, **changed}.items() if value is not ...}
    one_line(served.post("/api/turn", content=json.dumps(fields), headers=JSON), status, line)
    (logged,) = capsys.readouterr().err.splitlines()
    assert logged.startswith(f"studio: testclient POST /api/turn {status}: ") and logged.isprintable()


FINDS = {
    "nothing": ({}, "picture and text: both are missing"),
    "unknown field": ({"txt": "a"}, "txt: unknown field; the nearest is text"),
    "text": ({"text": 3}, "text is 3, expected text"),
    "empty": ({"text": ""}, "text: '' is empty"),
    "k": ({"text": "a", "k": 0}, "k is 0, expected at least 1"),
    "k, large": ({"text": "a", "k": 21}, "k: 21, over the limit of 20"),
    "filter": ({"text": "a", "filter": "broken"}, "store: filter 'broken': can't be parsed"),
    "filter, long": ({"text": "a", "filter": "x" * 301}, "filter: 301 characters, over the limit of 300"),
    "exclude": ({"text": "a", "exclude": [1]}, "exclude[0] is 1, expected text"),
    "picture": ({"picture": "aGk="}, "picture: not a picture (2 bytes)"),
}


@pytest.mark.parametrize(("sent", "line"), FINDS.values(), ids=FINDS.keys())
def test_a_bad_search_is_one_line(served, sent, line):
    one_line(served.post("/api/find", json=sent), 400, line)


BODIES = {
    "no type": (dict(content=b"{}"), 415, "content-type: 'none', expected application/json"),
    "a form": (dict(data={"instruction": "a"}), 415, "content-type: 'application/x-www-form-urlencoded'"),
    "as text": (
        dict(content=b"{}", headers={"content-type": "text/plain"}),
        415,
        "content-type: 'text/plain'",
    ),
    "not JSON": (dict(content=b"{", headers=JSON), 400, "body: not JSON ("),
    "nothing": (dict(content=b"", headers=JSON), 400, "body: not JSON ("),
    "a list": (dict(content=b"[]", headers=JSON), 400, "body: list, expected an object"),
    "NaN": (dict(content=b'{"seed": NaN}', headers=JSON), 400, "body: NaN"),
    "deep": (dict(content=b"[" * 5000, headers=JSON), 400, "body: not JSON ("),
    "UTF-16": (dict(content='{"a": 1}'.encode("utf-16"), headers=JSON), 400, "body: UTF-16 text"),
    "large": (
        dict(content=b" " * 30_000, headers=JSON),
        413,
        "body: at least 30,000 bytes, over the limit of",
    ),
    "large, in pieces": (
        dict(content=iter([b" " * 10_000] * 3), headers=JSON),
        413,
        "body: at least 30,000 bytes, over the limit of",
    ),
}


@pytest.mark.parametrize(("sent", "status", "line"), BODIES.values(), ids=BODIES.keys())
def test_a_bad_body_is_one_line(served, sent, status, line):
    one_line(served.post("/api/turn", **sent), status, line)


ADDRESSES = {
    "nowhere": ("GET", "/x", 404, "/x: not an address of the API; it has /healthz"),
    "in the API": ("POST", "/api/turns", 404, "/api/turns: not an address of the API"),
    "the root": ("GET", "/", 404, "/: not an address of the API"),
    "method": ("GET", "/api/turn", 405, "GET /api/turn: expected POST"),
    "method of health": ("POST", "/healthz", 405, "POST /healthz: expected GET"),
}


@pytest.mark.parametrize(("method", "path", "status", "line"), ADDRESSES.values(), ids=ADDRESSES.keys())
def test_a_wrong_address_is_one_line(served, method, path, status, line):
    one_line(served.request(method, path), status, line)


def client_of(pipeline, queue, finder=None, limits=LIMITS, **options):
    return TestClient(
        build_api(Engines([Engine("tiny", "tiny", pipeline, queue)]), finder, limits), **options
    )


def test_without_a_store_nothing_is_found(tiny_pipeline):
    with DeviceQueue() as queue:
        client = client_of(tiny_pipeline, queue)
        one_line(
            client.post("/api/find", json={"text": "a"}), 404, "find: this server has no store; start it"
        )
        assert client.get("/healthz").json()["finds"] is False


def test_too_many_requests_are_told_when_to_come_again(tiny_pipeline):
    with DeviceQueue() as queue:
        client = client_of(tiny_pipeline, queue, limits=VisitorLimits(requests_a_minute=1))
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
        client = client_of(tiny_pipeline, queue)
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

    class Gone:
        async def is_disconnected(self):
            return True

    async def ask():
        ticket = queue.submit(lambda: go.wait(PATIENCE))
        waiting = queue.submit(lambda: "drawn")
        with pytest.raises(InputError, match="went away"):
            await app_module._result(Gone(), waiting)
        assert waiting.cancelled and queue.waiting == 0
        go.set()
        return ticket

    go = threading.Event()
    with DeviceQueue() as queue:
        asyncio.run(ask()).result(PATIENCE)


def test_a_body_that_does_not_come_is_given_up(monkeypatch):
    monkeypatch.setattr(body_module, "READ_SECONDS", 0.01)

    class Silent:
        headers = JSON

        async def stream(self):
            yield b"{"
            await asyncio.sleep(PATIENCE)

    async def read():
        await body_module.Bodies(LIMITS).json(Silent())

    with pytest.raises(InputError, match="^body: not sent within 0.01 seconds$"):
        asyncio.run(read())
