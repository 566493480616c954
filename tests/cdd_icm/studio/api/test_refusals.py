"""What the API refuses: tables of what is sent, and the status and the one line that come back."""

import base64
import json

import pytest

from tests.cdd_icm.studio.api.conftest import one_line
from tests.cdd_icm.studio.bomb import bomb

TEXT = "add a red cube"
JSON = {"content-type": "application/json"}
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
    "large": (dict(content=b" " * 30_000, headers=JSON), 413, "body: 30000 bytes, over the limit of 27,717"),
    "large, in pieces": (
        dict(content=iter([b" " * 10_000] * 3), headers=JSON),
        413,
        "body: over the limit of",
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
