"""A store as the studio sees it, and the way to it through an entry point."""

import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
import torch
from PIL import Image

from cdd_icm.errors import InputError
from cdd_icm.studio import finder as module
from cdd_icm.studio.finder import InQueue, open_finder
from cdd_icm.studio.queue import DeviceQueue
from retrieval.finder import StoreFinder
from retrieval.index.build import index
from retrieval.index.store import Store
from tests.retrieval.colours import COLOURS, Colours, paint

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "data" / "pretrained" / "retrieval_iclevr"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A store of four pictures with a colour as tag; one of the files is gone since."""
    folder = tmp_path_factory.mktemp("finder")
    for name in COLOURS:
        paint(folder / "pictures" / "all" / f"{name}.png", name)
    rows = "".join(f'{{"file_name": "{name}.png", "colour": "{name}"}}\n' for name in COLOURS)
    (folder / "pictures" / "all" / "metadata.jsonl").write_text(rows, encoding="utf-8")
    with Store(str(folder / "s.db"), "c01ou75", Colours.width, create=True) as store:
        index(folder / "pictures", store, Colours())
    (folder / "pictures" / "all" / "blue.png").unlink()
    return folder


@pytest.fixture
def finder(folder):
    with Store(str(folder / "s.db"), "c01ou75", Colours.width) as store:
        yield StoreFinder(store, Colours())


def test_the_nearest_are_found_with_their_tags_and_pictures(finder):
    red, *others = finder.find(Image.new("RGB", (5, 5), "red"), None, [], 3, "")
    assert (red.name, red.tags["colour"], red.picture.size) == ("all/red.png", "red", (12, 10))
    assert red.score == pytest.approx(1, abs=0.01) and len(others) == 2
    blue = finder.find(None, "blue", [], 1, "")[0]
    assert (blue.name, blue.picture) == ("all/blue.png", None), "its file is gone"
    assert all(each.picture is None for each in finder.find(None, "red", [], 2, "", pictures=False))


def test_history_filter_and_exclusion(finder):
    assert finder.find(None, "red", ["blue"], 4, "")[0].name in ("all/red.png", "all/blue.png")
    assert [each.name for each in finder.find(None, "red", [], 4, 'colour == "white"')] == ["all/white.png"]
    found = finder.find(None, "red", [], 2, "", exclude=["all/red.png"])
    assert len(found) == 2 and "all/red.png" not in [each.name for each in found]


def test_what_is_wrong_never_names_the_place_of_the_store(finder, folder):
    for ask, line in (
        (lambda: finder.find(None, "a", [], 1, "(("), "store: filter '((':"),
        (lambda: finder.find(None, None, [], 1, ""), "query: neither a picture nor a text is given"),
    ):
        with pytest.raises(InputError) as refused:
            ask()
        assert str(refused.value).startswith(line) and str(folder) not in str(refused.value)


def test_searches_wait_their_turn(finder):
    with DeviceQueue() as queue:
        assert InQueue(finder, queue).find(None, "white", [], 1, "")[0].name == "all/white.png"
        with pytest.raises(InputError, match="^query: neither"):
            InQueue(finder, queue).find(None, None, [], 1, "")


@pytest.fixture
def declared(monkeypatch):
    """The entry points that pyproject.toml declares, as after an installation."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    entries = [EntryPoint(*item, module.GROUP) for item in project["entry-points"][module.GROUP].items()]
    monkeypatch.setattr(module, "entry_points", lambda group: [e for e in entries if e.group == group])
    return entries


def test_the_declared_entry_point_opens_a_store(declared, tmp_path):
    from retrieval.model import RetrievalModel

    model = RetrievalModel.from_pretrained(SHIPPED)
    Store(str(tmp_path / "s.db"), model.fingerprint, model.width, create=True).close()
    finder = open_finder(str(tmp_path / "s.db"), None, "cpu")
    assert finder.find(None, "a red cube", [], 3, "") == []
    finder.close()
    assert torch.equal(finder.encoder.encode_query(None, ["a"]), model.encode_query(None, ["a"]))


def test_a_store_that_can_not_be_opened_is_one_line(declared, folder, tmp_path):
    (tmp_path / "empty").mkdir()
    for given, line in {
        (str(folder / "s.db"), None): f"{folder / 's.db'}: made with model c01ou75, but this is model ",
        (str(tmp_path / "s.db"), None): f"{tmp_path / 's.db'}: no store here",
        ("s.txt", None): "s.txt: expected a path that ends in .db, or http://HOST:PORT",
        ("ftp://h", None): "ftp://h: ftp: is refused",
        ("s.db", tmp_path / "none"): f"{tmp_path / 'none'}: no such folder",
        ("s.db", tmp_path / "empty"): f"{tmp_path / 'empty' / 'config.json'}: ",
    }.items():
        with pytest.raises(InputError) as refused:
            open_finder(*given, "cpu")
        assert str(refused.value).startswith(line) and "\n" not in str(refused.value)


def test_without_an_entry_point_nothing_opens_stores(monkeypatch):
    monkeypatch.setattr(module, "entry_points", lambda group: [])
    with pytest.raises(InputError, match="^--store s.db: nothing is installed that opens stores"):
        open_finder("s.db", None, "cpu")


def test_another_packages_finder_comes_first(declared):
    declared.insert(0, EntryPoint("mine", "tests.retrieval.test_finder:mine", module.GROUP))
    assert open_finder("x", None, "cpu") == ("x", None, "cpu")


def mine(*given):
    return given
