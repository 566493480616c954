"""No silent wrong answer: what goes in, and the one line that comes out."""

import json
import os
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from cdd_icm import CDDICMPipeline
from cdd_icm.errors import InputError
from cdd_icm.evaluation.detector import Detector, load_detector
from cdd_icm.evaluation.report import compare
from cdd_icm.io import check_finite, load_tensors
from cdd_icm.model.tokenizer import learn_tokenizer, vocabulary_digest
from cdd_icm.train.generator import load_init_weights
from retrieval.evaluation import report as retrieval_report
from retrieval.index.build import index
from retrieval.index.store import Store
from retrieval.model import RetrievalModel
from tests.cdd_icm.conftest import TINY, tiny_folder, tiny_pipeline  # noqa: F401
from tests.retrieval.conftest import make_model  # noqa: F401
from tests.retrieval.evaluation.test_report import report as retrieval_figures

# --- weights ----------------------------------------------------------------------------------------------


def spoil(file: Path, value: float, chosen: int = -1) -> str:
    """Changes one number of one tensor, and gives its name."""
    tensors = load_file(file)
    name = sorted(key for key, tensor in tensors.items() if tensor.is_floating_point())[chosen]
    tensors[name].view(-1)[-1] = value
    save_file(tensors, file)
    return name


PARTS = ["towers", "fusion", "unet", "planner", "matcher"]
WRONG = {"NaN": float("nan"), "Inf": float("inf"), "-Inf": -float("inf")}


@pytest.mark.slow
@pytest.mark.parametrize("part", PARTS)
def test_a_pipeline_with_wrong_weights_is_refused(tiny_folder, part):  # noqa: F811
    (file,) = (tiny_folder / part).glob("*.safetensors")
    name = spoil(file, float("nan"))
    numbers = load_file(file)[name].numel()
    with pytest.raises(InputError) as refused:
        CDDICMPipeline.from_pretrained(tiny_folder)
    assert str(refused.value) == f"{file}: {name}: 1 of {numbers} numbers are NaN or infinite"


def test_retrieval_takes_no_wrong_weights_of_a_pipeline(tiny_folder):  # noqa: F811
    name = spoil(tiny_folder / "towers" / "diffusion_pytorch_model.safetensors", float("inf"))
    with pytest.raises(InputError, match=f"towers/.*safetensors: {name}: 1 of .* numbers are NaN or inf"):
        RetrievalModel.from_pretrained(tiny_folder)


@pytest.mark.parametrize("value", WRONG.values(), ids=WRONG.keys())
def test_a_detector_with_wrong_weights_is_refused(tmp_path, value):
    Detector(["a"], image_size=32, widths=(8, 8, 8)).half().save_pretrained(tmp_path)
    name = spoil(tmp_path / "diffusion_pytorch_model.safetensors", value)
    with pytest.raises(InputError, match=f"diffusion_pytorch_model.safetensors: {name}: 1 of .* are NaN or"):
        load_detector(tmp_path)


@pytest.mark.parametrize("value", WRONG.values(), ids=WRONG.keys())
def test_a_retrieval_model_with_wrong_weights_is_refused(tmp_path, make_model, value):  # noqa: F811
    make_model().save_pretrained(tmp_path / "m")
    name = spoil(tmp_path / "m" / "model.safetensors", value, 0)
    with pytest.raises(InputError, match=f"^{tmp_path}/m/model.safetensors: {name}: 1 of .* are NaN or inf"):
        RetrievalModel.from_pretrained(tmp_path / "m")


def test_initial_weights_are_refused(tiny_folder, tmp_path):  # noqa: F811
    save_file({"unet.a": torch.tensor([1.0, float("nan")])}, tmp_path / "x.safetensors")
    with pytest.raises(InputError, match="x.safetensors: unet.a: 1 of 2 numbers are NaN or infinite"):
        load_init_weights(torch.nn.Linear(1, 1), tmp_path / "x.safetensors")


TENSORS = {
    "float16, whose sum overflows": torch.full((100,), 60000.0, dtype=torch.float16),
    "float32, whose sum overflows": torch.full((100,), 3e38),
    "bfloat16": torch.full((100,), 3e38, dtype=torch.bfloat16),
    "float64": torch.full((100,), 1e300, dtype=torch.float64),
    "int64": torch.full((100,), 2**62),
    "bool": torch.ones(3, dtype=torch.bool),
    "empty": torch.empty(0),
    "scalar": torch.tensor(1.0),
    "8 bits": torch.ones(4).to(torch.float8_e4m3fn),
}


@pytest.mark.parametrize("tensor", TENSORS.values(), ids=TENSORS.keys())
def test_large_numbers_are_finite(tensor):
    check_finite([("a", tensor)], Path("x"))
    if tensor.is_floating_point() and tensor.numel() > 1 and tensor.element_size() > 1:
        tensor = tensor.clone()
        tensor[1] = float("nan")
        with pytest.raises(InputError, match=f"^x: a: 1 of {len(tensor)} numbers are NaN or infinite$"):
            check_finite([("a", tensor)], Path("x"))


def test_opposite_infinities_are_found():
    tensor = torch.tensor([float("inf"), -float("inf"), 1.0])
    with pytest.raises(InputError, match="^x: a: 2 of 3 numbers are NaN or infinite$"):
        check_finite([("a", tensor)], Path("x"))


# --- stores -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def encoder(make_model):  # noqa: F811
    return make_model()


@pytest.fixture(scope="module")
def made(tmp_path_factory, encoder):
    """The folder of a store of six pictures."""
    folder = tmp_path_factory.mktemp("stores")
    (folder / "pictures").mkdir()
    for number in range(6):
        Image.fromarray(np.full((8, 8, 3), 40 * number, np.uint8)).save(folder / f"pictures/{number}.png")
    with Store(str(folder / "x.db"), encoder.fingerprint, encoder.width, create=True) as store:
        index(folder / "pictures", store, encoder, progress=False)
    return folder / "x.db"


def only(store: Path, pattern: str) -> Path:
    (found,) = store.rglob(pattern)
    return found


def change_index(store: Path, length=None, vectors=None) -> None:
    file = only(store, "*.idx")
    kind, old_length, old_vectors = struct.unpack("<4siq", (content := file.read_bytes())[:16])
    head = struct.pack("<4siq", kind, length or old_length, vectors or old_vectors)
    file.write_bytes(head + content[16:])


def change_contents(store: Path, content: str) -> None:
    only(store, "manifest.json").write_text(content)


STORES = {
    "table gone": (lambda s: only(s, "*.parquet").unlink(), ".parquet is missing"),
    "table empty": (lambda s: only(s, "*.parquet").write_bytes(b""), ".parquet: no table of pictures ("),
    "table cut": (
        lambda s: os.truncate(only(s, "*.parquet"), 1000),
        ".parquet: no table of pictures (",
    ),
    "all tables gone": (lambda s: shutil.rmtree(only(s, "partitions")), ".parquet is missing"),
    "contents gone": (
        lambda s: (only(s, "manifest.json").unlink(), only(s, "manifest.json.prev").unlink()),
        "manifest.json is missing",
    ),
    "contents are no JSON": (lambda s: change_contents(s, "{"), "no table of contents ("),
    "contents are others": (lambda s: change_contents(s, '{"partitions": []}'), "no table of contents ("),
    "contents leave the folder": (
        lambda s: change_contents(
            s, '{"partitions": {"..": {"data_files": ["../../x.parquet"], "delta_files": []}}}'
        ),
        "'../../../x.parquet' leaves the folder",
    ),
    "schema gone": (lambda s: only(s, "schema.json").unlink(), "schema.json is missing"),
    "fewer vectors": (lambda s: change_index(s, vectors=5), ".parquet: 6 pictures, but data_"),
    "more vectors": (lambda s: change_index(s, vectors=10**9), "has 1000000000 vectors of 32 numbers;"),
    "other vectors": (lambda s: change_index(s, length=31), "has 6 vectors of 31 numbers; without that file"),
}


@pytest.mark.parametrize(("damage", "line"), STORES.values(), ids=STORES.keys())
def test_a_damaged_store_says_so(made, encoder, tmp_path, damage, line):
    store = tmp_path / "x.db"
    shutil.copytree(made, store)
    damage(store)
    before = {file: file.stat().st_size for file in sorted(store.rglob("*")) if file.is_file()}
    with pytest.raises(InputError) as refused:
        Store(str(store), encoder.fingerprint, encoder.width)
    said = str(refused.value)
    assert said.startswith(f"{store}: damaged: ") and line in said and "\n" not in said
    # nothing that is left of it was touched
    assert before == {file: file.stat().st_size for file in sorted(store.rglob("*")) if file.is_file()}


HEALED = {
    "nothing": lambda s: None,
    "index gone": lambda s: only(s, "*.idx").unlink(),
    "index cut": lambda s: os.truncate(only(s, "*.idx"), 200),
    "index begun": lambda s: os.truncate(only(s, "*.idx"), 7),
}


@pytest.mark.parametrize("damage", HEALED.values(), ids=HEALED.keys())
def test_what_a_kill_leaves_is_mended(made, encoder, tmp_path, damage):
    shutil.copytree(made, tmp_path / "x.db")
    damage(tmp_path / "x.db")
    with Store(str(tmp_path / "x.db"), encoder.fingerprint, encoder.width) as store:
        assert store.count() == len(store.search(torch.ones(encoder.width), 10)) == 6


def test_a_store_of_another_width(made, encoder, tmp_path):
    shutil.copytree(made, tmp_path / "x.db")
    with pytest.raises(InputError, match="vectors of 32 numbers, but the model has 8$"):
        Store(str(tmp_path / "x.db"), encoder.fingerprint, 8)


# --- of another model -------------------------------------------------------------------------------------


def other_tokenizer(folder: Path) -> None:
    shutil.rmtree(folder / "tokenizer")
    learn_tokenizer(["put two green balls behind the tree"], 290, 24).save_pretrained(folder / "tokenizer")


def test_a_pipeline_with_the_tokenizer_of_another(tiny_folder):  # noqa: F811
    """It is smaller than the text tower's vocabulary, so that its ids would be taken."""
    other_tokenizer(tiny_folder)
    with pytest.raises(InputError) as refused:
        CDDICMPipeline.from_pretrained(tiny_folder)
    assert str(refused.value).startswith(f"{tiny_folder}/tokenizer: the tokenizer of another model: its voc")


def test_a_retrieval_model_with_the_tokenizer_of_another(tmp_path, make_model):  # noqa: F811
    make_model().save_pretrained(tmp_path / "m")
    RetrievalModel.from_pretrained(tmp_path / "m")
    other_tokenizer(tmp_path / "m")
    with pytest.raises(InputError, match=f"^{tmp_path}/m/tokenizer: the tokenizer of another model: its voc"):
        RetrievalModel.from_pretrained(tmp_path / "m")


def test_use_does_not_change_a_vocabulary():
    """Padding and truncation stay as the last call left them; they are no part of it."""
    tokenizer = learn_tokenizer(["put two green balls behind the tree"], 290, 24)
    before = vocabulary_digest(tokenizer)
    tokenizer(["a red cube"], padding="max_length", truncation=True)
    assert vocabulary_digest(tokenizer) == before


CLASSES = {
    "a matcher as UNet": ("unet", "Matcher", "ConditionalUNet"),
    "a UNet as matcher": ("matcher", "ConditionalUNet", "Matcher"),
    "another project's towers": ("towers", "CLIPModel", "CLIPTowers"),
    "another plan": ("planner", "OtherPlan", "AnnotatedPlan"),
}


@pytest.mark.parametrize(("part", "found", "expected"), CLASSES.values(), ids=CLASSES.keys())
def test_a_part_of_another_class(tiny_folder, part, found, expected):  # noqa: F811
    file = tiny_folder / part / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"_class_name": found}))
    with pytest.raises(InputError) as refused:
        CDDICMPipeline.from_pretrained(tiny_folder)
    assert str(refused.value) == f"{file}: _class_name is {found!r}, expected {expected!r}"


def test_a_detector_of_another_class(tmp_path):
    Detector(["a"], image_size=32, widths=(8, 8, 8)).save_pretrained(tmp_path)
    file = tmp_path / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"_class_name": "Classifier"}))
    with pytest.raises(InputError, match=f"^{file}: _class_name is 'Classifier', expected 'Detector'$"):
        load_detector(tmp_path)


def test_reports_of_other_detectors_are_not_compared(tmp_path):
    published = json.loads((Path(__file__).parents[1] / "reports" / "iclevr_test.json").read_text())
    files = []
    for name in ("one", "two"):
        files.append(tmp_path / f"{name}.json")
        files[-1].write_text(json.dumps(published | {"detector": {"name": name, "fingerprint": name}}))
    with pytest.raises(InputError, match="two.json: detector two is not that of .*one.json, one: their fig"):
        compare(files)


KINDS = {
    "another system": {"composer": "tirg"},
    "another size": {"parameters": 7},
    "another history": {"history": 3},
    "other pictures": {"image_size": 64},
}


@pytest.mark.parametrize("changed", KINDS.values(), ids=KINDS.keys())
def test_reports_of_one_name_are_of_one_model(tmp_path, changed):
    """They are averaged, as seeds of one training."""
    one, other = retrieval_figures("a", 10.0), retrieval_figures("a", 11.0)
    other["model"] = one["model"] | changed
    for name, content in (("one", one), ("other", other)):
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    with pytest.raises(InputError) as refused:
        retrieval_report.compare([tmp_path / "one.json", tmp_path / "other.json"])
    line = f"{tmp_path}/other.json: another kind of model than the other reports of 'a'"
    assert str(refused.value) == line


def test_checkpoints_are_checked(tmp_path):
    """As `restore` loads them: the model, its average, the optimiser's moments."""
    for name in ("model", "ema", "optimizer"):
        save_file({"a": torch.tensor([float("nan")])}, tmp_path / f"{name}.safetensors")
        with pytest.raises(InputError, match=f"{name}.safetensors: a: 1 of 1 numbers are NaN or infinite$"):
            load_tensors(tmp_path / f"{name}.safetensors")
