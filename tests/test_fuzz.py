"""Whatever a reader is given, it succeeds or raises the packages' own error.

Small real inputs are damaged by Hypothesis: bytes of a file, values of JSON and YAML, whole files. The suite
tries some damages, always the same; `FUZZ_EXAMPLES=100000 pytest tests/test_fuzz.py` tries others, so many of
each reader.
"""

import copy
import json
import os
import shutil
from contextlib import suppress
from pathlib import Path

import h5py
import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from PIL import Image

from cdd_icm import DrawingSession
from cdd_icm.config import Config, load_config
from cdd_icm.data import load_dialogs
from cdd_icm.data.check import info
from cdd_icm.data.codraw_painter import BACKGROUND, CLASS_OF_PNG
from cdd_icm.data.readers.iclevr import ICLEVR_CLASSES
from cdd_icm.data.readers.shards import convert
from cdd_icm.errors import InputError
from cdd_icm.evaluation.report import compare
from cdd_icm.evaluation.train_detector import DetectorConfig
from retrieval.benchmarks import triplets
from retrieval.config import RetrievalConfig
from retrieval.evaluation.report import compare as compare_retrieval
from retrieval.index.search import search
from retrieval.index.store import Entry, Store
from retrieval.model import RetrievalModel
from tests.cdd_icm.conftest import tiny_pipeline, write_iclevr  # noqa: F401
from tests.retrieval.colours import Colours
from tests.retrieval.conftest import make_model  # noqa: F401

pytestmark = pytest.mark.slow  # many inputs

ROOT = Path(__file__).parents[1]
LONG = int(os.environ.get("FUZZ_EXAMPLES", 0))


def examples(number):
    """Settings for so many damages in the suite."""
    return settings(
        max_examples=LONG or number,
        derandomize=not LONG,
        database=None,
        deadline=None,
        phases=list(Phase) if LONG else [Phase.generate],  # no time to shrink
        suppress_health_check=list(HealthCheck),
    )


# --- damages ---------------------------------------------------------------------------------------------

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([0, -1, 2**31, 2**63, 10**30, 1e308, -0.0])
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["", " ", "\0", "\ud800", "../x", "/", "a" * 300, "1e999", "nan", "pipe:x", "\x1b[31m"])
)
values = st.recursive(
    scalars,
    lambda part: st.lists(part, max_size=3) | st.dictionaries(st.text(max_size=4), part, max_size=3),
    max_leaves=4,
)
STRUCTURED = (".json", ".jsonl", ".yaml")


@st.composite
def damaged_bytes(draw, encoded):
    """The bytes with a piece replaced, removed, repeated or cut off."""
    start = draw(st.integers(0, len(encoded)))
    end = draw(st.integers(start, min(len(encoded), start + draw(st.sampled_from([1, 8, 64, 10**9])))))
    piece = draw(st.binary(max_size=16) | st.just(encoded[start:end] * 2))
    return encoded[:start] + piece + encoded[end:]


@st.composite
def damaged_value(draw, value):
    """A value in which one part is replaced, removed or added."""
    value = copy.deepcopy(value)
    node = value
    while True:
        keys = list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else []
        if not len(keys):
            return draw(values)
        key = draw(st.sampled_from(keys))
        if isinstance(node[key], dict | list) and node[key] and draw(st.integers(0, 3)):
            node = node[key]
            continue
        match draw(st.sampled_from(["replace", "replace", "remove", "add"])):
            case "replace":
                node[key] = draw(values)
            case "remove":
                del node[key]
            case "add" if isinstance(node, dict):
                node[draw(st.text(max_size=4))] = draw(values)
            case "add":
                node.insert(key, draw(values))
        return value


@st.composite
def damaged_text(draw, name, encoded):
    """A JSON or YAML file in which a value is damaged."""
    if name.endswith(".yaml"):
        return yaml.safe_dump(draw(damaged_value(yaml.safe_load(encoded)))).encode("utf-8", "surrogatepass")
    lines = encoded.decode().splitlines() if name.endswith(".jsonl") else [encoded.decode()]
    number = draw(st.integers(0, len(lines) - 1))
    lines[number] = json.dumps(draw(damaged_value(json.loads(lines[number]))))
    return "\n".join(lines).encode()


class Sample:
    """A small input of a reader: the files of a folder."""

    def __init__(self, folder):
        self.folder = folder
        self.files = {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file() and path.name != "LOCK"
        }

    def damage(self, data):
        """Damages one of the files on disk, and gives the others back their content."""
        for path in [path for path in self.folder.rglob("*") if path.is_file()]:
            path.unlink()
        name = data.draw(st.sampled_from(sorted(self.files)))
        for other, encoded in self.files.items():
            path = self.folder / other
            if path.is_dir():
                shutil.rmtree(path)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encoded)
        path, encoded = self.folder / name, self.files[name]
        kinds = ["value"] * 6 * name.endswith(STRUCTURED) + ["bytes"] * 4 + ["gone", "folder"]
        match data.draw(st.sampled_from(kinds)):
            case "value":
                path.write_bytes(data.draw(damaged_text(name, encoded)))
            case "bytes":
                path.write_bytes(data.draw(damaged_bytes(encoded)))
            case "gone":
                path.unlink()
            case "folder":
                path.unlink()
                path.mkdir()


def fuzz(sample, read, number):
    """Reads the sample undamaged, and then so many damaged ones."""
    read()

    @examples(number)
    @given(st.data())
    def damaged(data):
        sample.damage(data)
        with suppress(InputError):
            read()

    damaged()


# --- readers ---------------------------------------------------------------------------------------------


def read_all(path, **options):
    """Reads a data set, counts its faults, and decodes its pictures."""
    with suppress(InputError):
        info(path)
    for dialog in load_dialogs(path, **options):
        for picture in (dialog.canvas, *(turn.picture for turn in dialog.turns)):
            picture.decode()


def test_a_folder_of_dialogs(tmp_path):
    rows = []
    for turn in range(3):
        Image.new("RGB", (8, 8), (turn, 0, 0)).save(tmp_path / f"{turn}.png")
        row = {"file_name": f"{turn}.png", "dialog_id": "a", "turn": turn, "split": "train"}
        objects = [{"name": "cat", "x": 0.25, "y": 0.5, "depth": 1.0, "look": {"pose": "asleep"}}]
        rows.append(row | ({"instruction": "add a cat", "objects": objects} if turn else {}))
    (tmp_path / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    fuzz(Sample(tmp_path), lambda: read_all(tmp_path), 60)


def test_iclevr(tmp_path):
    write_iclevr(tmp_path, 1, "train", turns=2)
    fuzz(Sample(tmp_path), lambda: read_all(tmp_path), 60)


def test_codraw(tmp_path, tmp_path_factory):
    art = tmp_path_factory.mktemp("Pngs")
    for name in (BACKGROUND, *CLASS_OF_PNG):
        Image.new("RGBA", (4, 4)).save(art / name)
    canvas = "2,s_3s.png,0,3,0,250,60,0,0,hb0_1s.png,2,1,2,300,250,0,0,"
    rounds = [{"msg_t": "a sun and a boy", "msg_d": "ok", "abs_d": canvas}]
    (tmp_path / "CoDraw.json").write_text(json.dumps({"data": {"train_00001": {"dialog": rounds}}}))
    fuzz(Sample(tmp_path), lambda: read_all(tmp_path / "CoDraw.json", clip_art=art), 40)


def test_hdf5(tmp_path):
    with h5py.File(tmp_path / "clevr_train.h5", "w") as file:
        file["background"] = np.full((8, 8, 3), 7, np.uint8)
        file["entities"] = json.dumps([" ".join(reversed(name.split())) for name in ICLEVR_CLASSES])
        group = file.create_group("000000")
        group["images"] = np.zeros((1, 8, 8, 3), np.uint8)
        group["objects"], group["coords"] = np.eye(1, 24), np.zeros((1, 24, 3))
        group["text"] = json.dumps(["Add a red cube at the center"])
    fuzz(Sample(tmp_path), lambda: read_all(tmp_path), 50)


def test_shards(tmp_path, tmp_path_factory):
    dialogs = load_dialogs(write_iclevr(tmp_path_factory.mktemp("data"), 2, "train", turns=2))
    convert(dialogs, tmp_path / "shards", progress=False)
    fuzz(Sample(tmp_path / "shards"), lambda: read_all(tmp_path / "shards"), 60)


def test_triplets(tmp_path):
    rows = [{"reference": "a", "text": "more", "target": "b", "split": "val", "caption": "a cat"}] * 2
    (tmp_path / "triplets.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "gallery.json").write_text('["a", "b"]')
    file, gallery = tmp_path / "triplets.jsonl", tmp_path / "gallery.json"
    fuzz(Sample(tmp_path), lambda: triplets.read(file, "val", gallery), 100)


def test_reports(tmp_path):
    report = json.loads((ROOT / "reports" / "iclevr_fast_test.json").read_text())
    report["dialogs"] = report["dialogs"][:3]
    (tmp_path / "one.json").write_text(json.dumps(report))
    fuzz(Sample(tmp_path), lambda: compare([tmp_path / "one.json"] * 2), 60)


@pytest.mark.xfail(reason="another part: a schema of reports", strict=False)
def test_reports_of_retrieval(tmp_path):
    shutil.copy(ROOT / "reports" / "retrieval" / "iclevr_sum_0.json", tmp_path / "one.json")
    fuzz(Sample(tmp_path), lambda: compare_retrieval([tmp_path / "one.json"] * 2, alone=True), 60)


def test_a_session(tiny_pipeline, tmp_path):  # noqa: F811
    session = DrawingSession(tiny_pipeline, num_candidates=2)
    session.say("add a red cube")
    session.save(tmp_path)
    fuzz(Sample(tmp_path), lambda: DrawingSession.load(tmp_path, tiny_pipeline).filmstrip(), 100)


@pytest.mark.slow
def test_a_store(tmp_path):
    encoder, folder = Colours(), tmp_path / "mine.db"

    def read():
        with Store(str(folder), encoder.fingerprint, encoder.width) as store:
            store.get(["a"])
            search(store, encoder, None, "red", k=3)

    entries = [Entry(name, "/pictures", f"{name}.png", 8, 8, {"colour": "red"}) for name in "abc"]
    with Store(str(folder), encoder.fingerprint, encoder.width, create=True) as store:
        store.put(entries, encoder.encode_query(None, ["red", "green", "blue"]))
        store.flush()
    fuzz(Sample(folder), read, 25)


@pytest.mark.parametrize(
    ("kind", "file"),
    [
        (Config, "generate/codraw.yaml"),
        (DetectorConfig, "detect/codraw.yaml"),
        (RetrievalConfig, "retrieve/iclevr.yaml"),
    ],
    ids=["generate", "detect", "retrieve"],
)
def test_a_config(kind, file, tmp_path):
    shutil.copy(ROOT / "configs" / file, tmp_path / "config.yaml")
    fuzz(Sample(tmp_path), lambda: load_config(tmp_path / "config.yaml", cls=kind), 40)


def test_a_retrieval_model(make_model, tmp_path):  # noqa: F811
    make_model("tirg").save_pretrained(tmp_path / "model")
    fuzz(Sample(tmp_path / "model"), lambda: RetrievalModel.from_pretrained(tmp_path / "model"), 20)
