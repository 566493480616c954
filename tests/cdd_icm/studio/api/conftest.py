"""A server for programs with two small models, and a client of it."""

import pytest

from cdd_icm.errors import InputError
from cdd_icm.studio.engine import Engine, Engines
from cdd_icm.studio.finder import Found
from cdd_icm.studio.limits import VisitorLimits
from cdd_icm.studio.queue import DeviceQueue

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


def client_of(engines, finder=None, limits=LIMITS):
    pytest.importorskip("fastapi", reason="the extra `studio` is not installed")
    from fastapi.testclient import TestClient

    from cdd_icm.studio.api import build_api

    return TestClient(build_api(engines, finder, limits))


@pytest.fixture
def served(tiny_pipeline, planless_pipeline):
    """A client of a server with two models."""
    with DeviceQueue("cpu", limit=20) as queue:
        models = (("tiny", tiny_pipeline), ("planless", planless_pipeline))
        engines = Engines([Engine(name, name, pipeline, queue) for name, pipeline in models])
        finder = Finder()
        client = client_of(engines, finder)
        client.queue, client.finder = queue, finder
        yield client


def one_line(answer, status, line):
    assert answer.status_code == status, answer.text
    assert list(answer.json()) == ["error"] and "\n" not in answer.json()["error"]
    assert answer.json()["error"].startswith(line)
