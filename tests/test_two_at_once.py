"""Two commands on one output: the second is refused by one line. Tables: a command, and what it writes to."""

import re
import socket
from pathlib import Path

import pytest
import yaml

from cdd_icm import cli
from cdd_icm.console import say
from retrieval import cli as retrieval_cli
from retrieval.index import store
from tests.cdd_icm import conftest as drawing
from tests.cdd_icm.conftest import iclevr, tiny_folder, tiny_pipeline  # noqa: F401
from tests.cdd_icm.test_lock import another_process
from tests.retrieval import conftest as retrieving
from tests.retrieval.conftest import make_model  # noqa: F401

pytestmark = pytest.mark.slow  # each starts a process

ROOT = Path(__file__).parents[1]
STORE = ["--store", "out.db", "--model", "found"]
SAMPLE = str(ROOT / "data" / "iclevr_sample")
DETECTOR = str(ROOT / "data" / "pretrained" / "detector_iclevr")

WRITERS = {
    "train": (cli, ["train", "config.yaml", "output_dir=out"], "out"),
    "train-detector": (
        cli,
        ["train-detector", str(ROOT / "configs/detect/iclevr.yaml"), "data.path=iclevr", "output_dir=out"],
        "out",
    ),
    "generate": (cli, ["generate", "--model", "model", "--say", "a cube", "--out", "out"], "out"),
    "generate, data": (cli, ["generate", "--model", "model", "--data", SAMPLE, "--out", "out"], "out"),
    "chat": (cli, ["chat", "--model", "model", "--out", "out"], "out"),
    "evaluate": (
        cli,
        [
            *("evaluate", "--model", "model", "--data", SAMPLE, "--limit", "1", "--detector", DETECTOR),
            *("--report", "out.json"),
        ],
        "out.pictures",
    ),
    "convert": (cli, ["data", "convert", SAMPLE, "out"], "out.*.partial"),
    "retrieval train": (retrieval_cli, ["train", "retrieval.yaml", "output_dir=out"], "out"),
    "index": (
        retrieval_cli,
        ["index", f"{SAMPLE}/images", *STORE],
        "out.db",
    ),
    "search": (retrieval_cli, ["search", "--text", "red", *STORE], "out.db"),
}


@pytest.fixture
def here(tmp_path, monkeypatch, tiny_folder, iclevr, make_model):  # noqa: F811
    """A folder of small models and configs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(store, "PATIENCE", 0.1)
    make_model().save_pretrained("found")
    short = {"batch_size": 2, "total_samples": 2, "warmup_samples": 0}
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    data = {"path": SAMPLE, "image_size": 32}
    for name, settings in (("config", drawing.TINY), ("retrieval", retrieving.TINY)):
        Path(f"{name}.yaml").write_text(yaml.safe_dump({**settings, "data": data, "training": short}))
    return tmp_path


def stop_after_one(shard, *_):
    shard.touch()
    raise ZeroDivisionError


@pytest.mark.parametrize(("program", "arguments", "held"), WRITERS.values(), ids=WRITERS.keys())
def test_the_second_is_refused(program, arguments, held, here, capsys):
    if "*" in held:  # its name has a digest of the data in it: one that was stopped tells
        with pytest.MonkeyPatch.context() as patch, pytest.raises(ZeroDivisionError):
            patch.setattr("cdd_icm.data.readers.shards._write", stop_after_one)
            program.main(arguments)
        (held,) = (folder.name for folder in here.glob(held))
    with another_process(here / held) as other:
        capsys.readouterr()
        assert program.main(arguments) == 2
        said = capsys.readouterr().err.splitlines()[-1]
        who = f"in use by process {other.pid} on {re.escape(socket.gethostname())} \\(.*\\)"
        assert re.fullmatch(rf"cdd-\w+: (.*/)?{re.escape(held)}: {who}", said), said


def test_a_search_waits_until_the_store_is_free(here, capsys, monkeypatch):
    monkeypatch.setattr(store, "PATIENCE", 60)
    _, index, _ = WRITERS["index"]
    _, search, _ = WRITERS["search"]
    assert retrieval_cli.main(index) == 0
    with another_process(here / "out.db") as other:

        def told(*values, **options):
            say(*values, **options)
            other.release.set()

        monkeypatch.setattr("cdd_icm.lock.say", told)
        assert retrieval_cli.main(search) == 0
    said = capsys.readouterr()
    assert f"out.db: waiting for process {other.pid} on" in said.err and ".webp" in said.out
