"""`cdd-icm studio`: what it refuses in one line, and a server that starts, answers and ends in order."""

import base64
import io
import json
import signal
import socket
import subprocess
import sys
import tomllib
import urllib.error
import urllib.request
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

pytest.importorskip("fastapi", reason="the extra `studio` is not installed")
pytest.importorskip("gradio", reason="the extra `studio` is not installed")

from cdd_icm import DrawingSession, cli  # noqa: E402
from cdd_icm.cli import studio as command  # noqa: E402
from cdd_icm.sampling.loading import load_pipeline  # noqa: E402
from cdd_icm.studio import finder  # noqa: E402
from retrieval.index.store import Store  # noqa: E402

ROOT = Path(__file__).parents[3]
TEXT = "Add a blue cube at the center"
PATIENCE = 300.0
OPENS_STORES = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"][finder.GROUP][
    "retrieval"
]


@pytest.fixture
def taken():
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield listening.getsockname()[1]


def refusal(capsys, tmp_path, *arguments):
    sessions = ["--sessions", str(tmp_path / "sessions")]
    assert cli.main(["studio", *sessions, "--port", "0", *map(str, arguments)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert not (tmp_path / "sessions").exists(), "nothing is left of a start that failed"
    return line


def test_a_port_in_use(capsys, tmp_path, taken):
    line = refusal(capsys, tmp_path, "--model", "none", "--port", taken)
    assert line == f"cdd-icm: --port {taken}: in use on 127.0.0.1; choose another, or 0 for any"


REFUSED = {
    "no such model": (["--model", "none"], "none: no such folder"),
    "two of a name": (["--model", "a/m", "b/m"], "--model b/m: its name 'm' is that of a/m, too; rename"),
    "two options of a name": (
        ["--model", "a/m", "--model", "b/m"],
        "--model b/m: its name 'm' is that of a/m",
    ),
    "host": (["--model", "none", "--host", "256.0.0.1"], "--host 256.0.0.1: no such address"),
    "another's host": (["--model", "none", "--host", "192.0.2.1"], "--host 192.0.2.1: can't listen there ("),
    "device": (["--model", "none", "--device", "tpu"], "device: 'tpu', expected one of auto, cpu"),
    "dtype": (["--model", "MODEL", "--dtype", "int8"], "dtype: 'int8', expected auto or one of"),
    "store's model": (["--model", "MODEL", "--store-model", "x"], "--store-model: allowed only with --store"),
}


@pytest.mark.parametrize(("arguments", "line"), REFUSED.values(), ids=REFUSED.keys())
def test_a_bad_argument_is_one_line(capsys, tmp_path, tiny_folder, monkeypatch, arguments, line):
    monkeypatch.chdir(tmp_path)
    given = [str(tiny_folder) if each == "MODEL" else each for each in arguments]
    assert refusal(capsys, tmp_path, *given).startswith(f"cdd-icm: {line}")


def test_a_store_of_another_model(capsys, tmp_path, tiny_folder, monkeypatch):
    """And one that isn't there; the entry point is the declared one, also before the package is installed."""
    monkeypatch.setattr(finder, "entry_points", lambda group: [EntryPoint("r", OPENS_STORES, group)])
    Store(str(tmp_path / "s.db"), "0ther", 4, create=True).close()
    line = refusal(capsys, tmp_path, "--model", tiny_folder, "--store", tmp_path / "s.db")
    assert line.startswith(f"cdd-icm: {tmp_path / 's.db'}: made with model 0ther, but this is model ")
    line = refusal(capsys, tmp_path, "--model", tiny_folder, "--store", tmp_path / "none.db")
    assert line == f"cdd-icm: {tmp_path / 'none.db'}: no store here"


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there(capsys, tmp_path):
    line = refusal(capsys, tmp_path, "--model", "none", "--device", "cuda")
    assert line.startswith("cdd-icm: device: 'cuda' is not available here; found ")


@pytest.mark.parametrize("port", ["-1", "65536", "x", "1e3"])
def test_a_port_is_a_number(capsys, port):
    with pytest.raises(SystemExit):
        cli.main(["studio", f"--port={port}"])
    assert "argument --port: " in capsys.readouterr().err.splitlines()[-1]


def test_a_missing_extra_is_named(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(command, "find_spec", lambda name: None if name == "uvicorn" else name)
    line = refusal(capsys, tmp_path, "--model", "none")
    assert line == (
        "cdd-icm: studio: uvicorn is not installed; the command is an extra: pip install 'cdd-icm[studio]'"
    )


def test_sessions_of_another_server(capsys, tmp_path):
    from cdd_icm.lock import claimed

    with claimed(tmp_path / "held"):
        line = refusal(capsys, tmp_path, "--model", "none", "--sessions", tmp_path / "held")
    assert line.startswith(f"cdd-icm: {tmp_path / 'held'}: in use by process ")


def get(url, body=None):
    request = urllib.request.Request(url, body, {"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_server_starts_answers_and_ends_in_order(tmp_path, number):
    model = ROOT / "data" / "pretrained" / "iclevr"
    arguments = ["--model", model, "--port", "0", "--sessions", tmp_path / "s", "--dtype", "fp32"]
    server = subprocess.Popen(
        [sys.executable, "-m", "cdd_icm", "studio", *map(str, arguments), "--device", "cpu"],
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "cwd": ROOT},
    )
    try:
        url = server.stdout.readline().split()[0]
        assert url.startswith("http://127.0.0.1:")
        assert get(f"{url}/healthz")[1]["status"] == "ok"
        sent = {"instruction": TEXT, "seed": 5, "settings": {"num_inference_steps": 2}}
        status, drawn = get(f"{url}/api/turn", json.dumps(sent).encode())
        session = DrawingSession(load_pipeline(model, "cpu", "fp32"), seed=5, num_inference_steps=2)
        picture = np.asarray(Image.open(io.BytesIO(base64.b64decode(drawn["picture"]))))
        assert status == 200 and np.array_equal(picture, np.asarray(session.say(TEXT)))
        assert get(f"{url}/api/turn", b"{}") == (400, {"error": "instruction is missing"})
        server.send_signal(number)
        out, errors = server.communicate(timeout=PATIENCE)
    finally:
        server.kill()
    assert (server.returncode, out) == (128 + number, "")
    assert errors.splitlines()[-1] == "cdd-icm: stopped" and "Traceback" not in errors
    assert not (tmp_path / "s" / ".lock").exists()
