"""A language model as a parser: what is asked, what is retried, skipped and kept."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from cdd_icm.errors import InputError
from retrieval.endpoint import Endpoint
from retrieval.parsing.base import SceneGraph
from retrieval.parsing.language import LanguageParser, read_answer
from retrieval.parsing.registry import make_parser
from retrieval.parsing.rules import parse

GRAPH = json.dumps(parse("a red cube behind the sphere").to_json())


@pytest.fixture
def server():
    """serve(answers) -> url, asked: answers in turn, a number is an HTTP status."""
    running = []

    def serve(answers):
        asked = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                answer = answers[min(len(asked), len(answers)) - 1]
                self.send_response(answer if isinstance(answer, int) else 200)
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                message = {"role": "assistant", "content": answer}
                choice = {"index": 0, "message": message, "finish_reason": "stop"}
                body = {"id": "1", "created": 0, "model": "m", "system_fingerprint": "", "choices": [choice]}
                self.wfile.write(json.dumps(body).encode())

            def log_message(self, *_):
                pass

        httpd = HTTPServer(("127.0.0.1", 0), Handler)
        running.append(httpd)
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{httpd.server_port}/v1", asked

    yield serve
    for httpd in running:
        httpd.shutdown()


def test_a_server_that_fails_at_first_is_asked_again(server):
    url, asked = server([503, GRAPH])
    answer = Endpoint(url, "m", wait=0).ask("do", "text")
    assert answer == GRAPH and len(asked) == 2
    assert asked[1]["model"] == "m" and asked[1]["temperature"] == 0
    assert [part["content"] for part in asked[1]["messages"]] == ["do", "text"]


def test_a_server_that_is_down_is_one_line(server):
    url, asked = server([500])
    with pytest.raises(InputError, match=f"^{url}: no answer after 3 tries ") as refused:
        Endpoint(url, "m", tries=3, wait=0).ask("do", "text")
    assert len(asked) == 3 and "\n" not in str(refused.value)
    for url, says in (
        ("localhost", "url is 'localhost', expected http"),
        ("file:///x", "url is 'file:///x'"),
    ):
        with pytest.raises(InputError, match=says):
            Endpoint(url, "m")


def test_words_around_the_graph_are_passed_over():
    assert read_answer(f"Sure!\n```json\n{GRAPH}\n```", "m") == parse("a red cube behind the sphere")


def test_nonsense_is_asked_for_once_more_and_skipped():
    answers = iter(["no", GRAPH, "{}", '{"entities": 1', GRAPH])
    parser = LanguageParser(lambda system, text: next(answers), "m")
    found = parser(["first", "second", "third", " "])
    assert found == [parse("a red cube behind the sphere"), None, found[0], SceneGraph()]
    assert parser.skipped == ["second"]


def test_what_was_parsed_before_a_server_went_down_is_kept(server, tmp_path, monkeypatch):
    monkeypatch.setattr("retrieval.parsing.registry.EVERY", 1)
    cache = tmp_path / "cache.jsonl"
    url, asked = server([GRAPH, 500])
    options = {"url": url, "model": "m", "tries": 1, "cache": str(cache)}
    with pytest.raises(InputError, match="no answer after 1 tries"):
        make_parser("endpoint", options)(["first", "second"])
    url, asked = server([GRAPH])
    assert len(make_parser("endpoint", options | {"url": url})(["first", "second"])) == 2
    assert [part["messages"][1]["content"] for part in asked] == ["second"]
