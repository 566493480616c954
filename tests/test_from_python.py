"""Arguments of the API are checked before any work: what is given, and the one line that comes out."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cdd_icm import DrawingSession
from cdd_icm.sampling.chat import Chat
from retrieval import RetrievalSession
from retrieval.index.search import search
from retrieval.index.store import Store
from tests.cdd_icm.conftest import tiny_pipeline  # noqa: F401
from tests.retrieval.colours import Colours
from tests.retrieval.conftest import make_model  # noqa: F401


@pytest.fixture(scope="module")
def white():
    return Image.new("RGB", (32, 32), "white")


def latents(shape, dtype=torch.float32):
    return lambda *_: {"latents": torch.zeros(shape, dtype=dtype)}


CALLS = {
    "no instruction": (dict(instruction=None), "instruction: None, expected text or a list of texts"),
    "a number": (dict(instruction=5), "instruction: 5, expected text or a list of texts"),
    "a dict": (dict(instruction={}), "instruction: dict, expected text or a list of texts"),
    "a number among texts": (dict(instruction=["a", 5], image=["x"] * 2), "instruction: number 2 is 5"),
    "NUL": (dict(instruction="a\0"), "instruction: 'a\\x00' has a NUL character"),
    "history": (dict(history=5), "history: number 1 is 5, expected a list of instructions"),
    "histories": (
        dict(instruction=["a"], image=["x"], history=5),
        "history: 5, expected a list",
    ),
    "history, NUL": (dict(history=["\0"]), "history: '\\x00' has a NUL character"),
    "image": (dict(image="x"), "image: str, expected a PIL image"),
    "image, nothing": (dict(image=None), "image: NoneType, expected a PIL image"),
    "output type": (dict(output_type=["pil"]), "output_type: ['pil'], expected one of pil, np, pt"),
    "callback": (dict(callback_on_step_end=3), "callback_on_step_end: 3, expected a function"),
    "callback's tensors": (
        dict(callback_on_step_end_tensor_inputs=3),
        "callback_on_step_end_tensor_inputs: 3, expected a list of names",
    ),
    "what it returns": (
        dict(callback_on_step_end=lambda *_: 7),
        "callback_on_step_end: it returned: 7, expected a dict or None",
    ),
    "its latents": (
        dict(callback_on_step_end=lambda *_: {"latents": "x"}),
        "callback_on_step_end: its latents: 'x', expected a tensor",
    ),
    "their shape": (
        dict(callback_on_step_end=latents((1, 3, 8, 8))),
        "callback_on_step_end: its latents are torch.float32 (1, 3, 8, 8), expected float (1, 3, 32, 32)",
    ),
    "their type": (
        dict(callback_on_step_end=latents((1, 3, 32, 32), torch.int64)),
        "callback_on_step_end: its latents are torch.int64 (1, 3, 32, 32), expected float (1, 3, 32, 32)",
    ),
}


@pytest.mark.parametrize(("changed", "line"), CALLS.values(), ids=CALLS.keys())
def test_a_call_names_the_argument(tiny_pipeline, white, changed, line):  # noqa: F811
    with pytest.raises(ValueError) as refused:
        tiny_pipeline(**{"image": white, "instruction": "a cube"} | changed)
    assert str(refused.value).startswith(line) and "\n" not in str(refused.value)


MADE = {
    "canvas": (lambda p: DrawingSession(p, canvas="x"), "canvas: 'x', expected a PIL image"),
    "canvas, an array": (lambda p: DrawingSession(p, canvas=np.zeros(3)), "canvas: ndarray, expected a PIL"),
    "seed": (lambda p: DrawingSession(p, seed="x"), "seed: 'x', expected a whole number"),
    "seed, true": (lambda p: DrawingSession(p, seed=True), "seed: True, expected a whole number"),
    "text": (lambda p: DrawingSession(p).say(None), "instruction: None, expected text"),
    "text, NUL": (lambda p: DrawingSession(p).say("\0"), "instruction: '\\x00' has a NUL character"),
    "preset": (lambda p: p.use_preset(["fast"]), "preset: list, expected the name of a preset"),
    "preset, nothing": (lambda p: p.use_preset(None), "preset: None, expected the name of a preset"),
    "folder": (lambda p: DrawingSession.load("\0", p), "path: '\\x00"),
    "save": (lambda p: DrawingSession(p).save("\0"), "path: '\\x00"),
    "chat": (lambda p: Chat(DrawingSession(p), Path("o")).answer("/save a\0"), "path: 'a\\x00"),
    "chat, surrogate": (
        lambda p: Chat(DrawingSession(p), Path("o")).answer("/save \udcff"),
        "path: '\\udcff",
    ),
}


@pytest.mark.parametrize(("make", "line"), MADE.values(), ids=MADE.keys())
def test_a_session_names_the_argument(tiny_pipeline, tmp_path, monkeypatch, make, line):  # noqa: F811
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError) as refused:
        make(tiny_pipeline)
    assert str(refused.value).startswith(line) and not list(tmp_path.iterdir())


QUERIES = {
    "text": (dict(text=5), "text: 5, expected text"),
    "text, a list": (dict(text=["a"]), "text: list, expected text"),
    "picture": (dict(picture="x"), "picture: 'x', expected a PIL image"),
    "k": (dict(text="a", k="3"), "k: '3', expected a whole number"),
    "k, a fraction": (dict(text="a", k=1.5), "k: 1.5, expected a whole number"),
    "filter": (dict(text="a", filter=3), "filter: 3, expected text"),
    "filter, NUL": (dict(text="a", filter="\0"), "filter: '\\x00' has a NUL character"),
}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    with Store(str(tmp_path_factory.mktemp("s") / "s.db"), "c01ou75", Colours.width, create=True) as store:
        yield store


@pytest.mark.parametrize(("query", "line"), QUERIES.values(), ids=QUERIES.keys())
def test_a_search_names_the_argument(store, query, line):
    with pytest.raises(ValueError) as refused:
        search(store, Colours(), **query)
    assert str(refused.value) == line


def test_a_pick_is_a_rank(store):
    with pytest.raises(ValueError, match="^pick: 'x', expected a rank$"):
        RetrievalSession(store, Colours()).pick("x")


ENCODED = {
    "texts": (dict(pictures=None, texts="add"), "texts: 'add', expected a list"),
    "a text": (dict(pictures=None, texts=[None]), "texts: None, expected texts"),
    "NUL": (dict(pictures=None, texts=["\0"]), "texts: '\\x00' has a NUL character"),
    "history": (dict(pictures=None, texts=["a"], history=[[3]]), "texts: 3, expected texts"),
    "pictures": (dict(pictures="x", texts=None), "pictures: 'x', expected a list"),
    "a picture": (dict(pictures=["x"], texts=None), "picture: 'x', expected a PIL image"),
}


@pytest.mark.parametrize(("query", "line"), ENCODED.values(), ids=ENCODED.keys())
def test_an_encoder_names_the_argument(make_model, query, line):  # noqa: F811
    with pytest.raises(ValueError) as refused:
        make_model("sum").encode_query(**query)
    assert str(refused.value) == line
