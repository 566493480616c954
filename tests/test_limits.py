"""A small input may not eat the machine: what goes in, and the one line that comes out before any memory is
asked for."""

import io
import json
import lzma
import os
import resource
import socket
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
import torch
import yaml
from PIL import Image
from safetensors.torch import save_file

from cdd_icm import CDDICMPipeline, cli, limits
from cdd_icm.config import Config, from_dict, load_config
from cdd_icm.data import load_dialogs
from cdd_icm.data.files import FolderFiles, TarFiles, ZipFiles
from cdd_icm.data.picture import decode
from cdd_icm.data.readers.codraw import count_raw_dialogs
from cdd_icm.data.readers.shards import first_dialogs
from cdd_icm.errors import InputError
from cdd_icm.evaluation.detector import Detector, load_detector
from cdd_icm.evaluation.report import read_report
from cdd_icm.evaluation.sentences import read_sentences
from cdd_icm.evaluation.train_detector import DetectorConfig, train_detector
from cdd_icm.hub import load_tokenizer
from cdd_icm.io import load_tensors, read_json
from cdd_icm.limits import GIB, MEMBER, Limit, check_file, read_file, read_stream
from cdd_icm.train.generator import dry_run, train
from cdd_icm.train.memory import step_memory
from retrieval.benchmarks import read_benchmark
from retrieval.config import RetrievalConfig
from retrieval.evaluation import submission
from retrieval.index.damage import check_store
from retrieval.model import RetrievalModel
from retrieval.train import trainer
from tests.cdd_icm.conftest import SAMPLE, TINY, tiny_folder, tiny_pipeline, write_iclevr  # noqa: F401
from tests.retrieval.conftest import TINY as TINY_RETRIEVAL
from tests.retrieval.conftest import make_model  # noqa: F401

ROOT = Path(__file__).parents[1]


def refused(read) -> str:
    """The line that `read` is refused with, and that it needed little memory until then."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(InputError) as error:
        read()
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 2**10
    assert grown < GIB, f"took {grown / GIB:.1f} GiB"
    assert "\n" not in str(error.value)
    return str(error.value)


# --- what is no regular file ---------------------------------------------------------------------------


def special(folder: Path, name: str, kind: str) -> Path:
    file = folder / name
    if kind == "zero":
        file.symlink_to("/dev/zero")
    elif kind == "pipe":
        os.mkfifo(file)
    elif kind == "link to a pipe":
        pipe = Path.cwd().with_suffix(".pipe")  # beside the folder
        os.mkfifo(pipe)
        file.symlink_to(pipe)
    else:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(str(file))
    return file


KINDS = {
    "zero": "a device (/dev/zero), expected a regular file",
    "pipe": "a named pipe, expected a regular file",
    "link to a pipe": "a named pipe (",
    "socket": "a socket, expected a regular file",
}

READERS = {
    "config": ("x.yaml", load_config),
    "report": ("x.json", read_report),
    "JSON": ("x.json", read_json),
    "dialogs in JSON": ("x.json", load_dialogs),
    "packed dialogs": ("x.json.xz", load_dialogs),
    "zip": ("x.zip", load_dialogs),
    "HDF5": ("x.h5", load_dialogs),
    "shard": ("x.tar", load_dialogs),
    "streamed shard": ("x.tar", lambda file: first_dialogs(str(file), 1)),
    "picture": ("x.png", lambda file: FolderFiles(file.parent).read("x.png")),
    "weights": ("x.safetensors", load_tensors),
    "sentences": ("x.jsonl", read_sentences),
    "triplets": ("x.jsonl", lambda file: read_benchmark("triplets", file)),
    "submission": ("x.json", submission.check),
    "tokenizer": ("tokenizer.json", lambda file: load_tokenizer(file.parent)),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("reader", READERS)
def test_only_regular_files_are_opened(tmp_path, monkeypatch, reader, kind):
    monkeypatch.chdir(tmp_path)  # a socket's path must be short
    name, read = READERS[reader]
    special(Path(), name, kind)
    line = refused(lambda: read(tmp_path / name))
    assert line.startswith(str(tmp_path / name)) and KINDS[kind] in line


COMMANDS = {
    "train": ["train", "FIFO"],
    "data info": ["data", "info", "FIFO"],
    "generate --dialog": ["generate", "--dialog", "FIFO", "--model", "m", "--out", "OUT"],
    "compare": ["compare", "FIFO"],
}


@pytest.mark.parametrize("arguments", COMMANDS.values(), ids=COMMANDS.keys())
def test_no_command_waits_for_a_pipe(tmp_path, capsys, arguments):
    os.mkfifo(tmp_path / "fifo")
    given = [a.replace("FIFO", str(tmp_path / "fifo")).replace("OUT", str(tmp_path / "o")) for a in arguments]
    assert cli.main(given) == 2
    assert capsys.readouterr().err == f"cdd-icm: {tmp_path}/fifo: a named pipe, expected a regular file\n"


PARTS = ["unet/config.json", "tokenizer/tokenizer.json", "canvas.png", "model_index.json", "README.md"]


@pytest.mark.parametrize("part", PARTS)
def test_no_model_waits_for_a_pipe(tiny_folder, part):  # noqa: F811
    (tiny_folder / part).unlink(missing_ok=True)
    os.mkfifo(tiny_folder / part)
    line = refused(lambda: CDDICMPipeline.from_pretrained(tiny_folder))
    assert line == f"{tiny_folder / part}: a named pipe, expected a regular file"


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(IsADirectoryError):
        check_file(tmp_path)


# --- bombs ---------------------------------------------------------------------------------------------

OVER_MEMBER = "over the limit of 256 MiB (CDD_ICM_LIMITS="


def sparse(file: Path, size: int, start: bytes = b"") -> Path:
    """A file that declares a size and occupies none."""
    file.write_bytes(start)
    os.truncate(file, size)
    return file


def zip_bomb(folder):
    name = "images/CLEVR_train_000000_0.png"
    with zipfile.ZipFile(folder / "x.zip", "w") as archive:
        archive.writestr(name, bytes(100))
        archive.getinfo(name).file_size = 10**12
    return lambda: ZipFiles(folder / "x.zip").read(name)


def xz_bomb(folder):
    with lzma.open(folder / "CoDraw.json.xz", "w", preset=0) as file:
        for _ in range(3):
            file.write(bytes(2**20))
    return lambda: count_raw_dialogs(folder / "CoDraw.json.xz")


def tar_declares(folder, name="00000000.json", kind=tarfile.REGTYPE):
    member = tarfile.TarInfo(name)
    member.size, member.type = 10**12, kind
    (folder / "x.tar").write_bytes(member.tobuf(tarfile.GNU_FORMAT) + bytes(1024))
    return folder / "x.tar"


def tar_packed(folder):
    with tarfile.open(folder / "x.tar", "w:gz", compresslevel=1) as tar:
        for name in ("0.json", "0.a.png", "0.b.png"):
            member = tarfile.TarInfo(name)
            member.size = 2**20
            tar.addfile(member, io.BytesIO(bytes(2**20)))
    return lambda: first_dialogs(str(folder / "x.tar"), 1)


def png(width, height):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    )


def bmp(width, height):
    return b"BM" + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)


def ppm(width, height):
    return f"P6 {width} {height} 255\n".encode()


def hdf5(folder, images=(1, 8, 8, 3), text=b'["a"]', objects=(1, 24), **options):
    with h5py.File(folder / "clevr_train.h5", "w") as file:
        file["background"], file["entities"] = np.zeros((8, 8, 3), np.uint8), "[]"
        group = file.create_group("0")
        group.create_dataset("images", images, np.uint8, **options)
        if isinstance(text, bytes):
            group["text"] = text
        else:
            group.create_dataset("text", (), text)
        group.create_dataset("objects", objects, "f4", chunks=(1, 24))
        group.create_dataset("coords", (1, 24, 3), "f4")
    return lambda: load_dialogs(folder / "clevr_train.h5")


def clip_art(folder):
    (folder / "Pngs").mkdir()
    (folder / "Pngs" / "background.png").write_bytes(png(10**6, 10**6))
    (folder / "train_0.json").write_text('{"dialog": [{"msg_t": "a", "msg_d": "", "abs_d": ""}]}')
    return lambda: load_dialogs(folder)


def store(folder, rows=10**9, width=8):
    """A table whose footer declares many rows: dictionary encoding packs them."""
    collection = folder / "x.db" / "collections" / "pictures_m"
    data = collection / "partitions" / "_default" / "data"
    data.mkdir(parents=True)
    vectors = pa.array([[0.0] * width], pa.list_(pa.float32(), width))
    parquet.write_table(pa.table({"content": ["a"], "vector": vectors}), data / "0.parquet")
    table = (data / "0.parquet").read_bytes()
    size = struct.unpack("<I", table[-8:-4])[0]
    footer = table[-8 - size : -8]
    # in the footer (Thrift's compact protocol) the rows follow the schema as a zigzag varint
    (data / "0.parquet").write_bytes(
        table[: -8 - size] + (changed := _with_rows(footer, rows)) + struct.pack("<I", len(changed)) + b"PAR1"
    )
    contents = {"partitions": {"_default": {"data_files": ["data/0.parquet"], "delta_files": []}}}
    (collection / "manifest.json").write_text(json.dumps(contents))
    (collection / "schema.json").write_text("{}")
    return lambda: check_store(folder / "x.db", collection, width)


def _with_rows(footer: bytes, rows: int) -> bytes:
    """The footer with another number of rows: field 3 of the file's metadata, an i64."""
    number, varint = rows << 1, bytearray()
    while number >= 128:
        varint.append(number & 127 | 128)
        number >>= 7
    varint.append(number)
    at = footer.index(b"\x16\x02\x19")  # rows: 1, then the list of row groups
    return footer[: at + 1] + bytes(varint) + footer[at + 2 :]


def yaml_bomb(folder):
    rows = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    rows += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]
    (folder / "x.yaml").write_text("\n".join(rows))
    return lambda: load_config(folder / "x.yaml")


def weights(folder, size=10**13):
    header = json.dumps({"a": {"dtype": "F32", "shape": [size // 4], "data_offsets": [0, size]}}).encode()
    return sparse(folder / "x.safetensors", size + 8 + len(header), struct.pack("<Q", len(header)) + header)


BOMBS = {
    "zip": (zip_bomb, f"unpacks to 931.3 GiB, {OVER_MEMBER}3726 allows it)"),
    "xz": (xz_bomb, "CoDraw.json.xz: unpacks to at least 2 MiB, over the limit of 1 MiB"),
    "tar, a picture": (
        lambda f: lambda: TarFiles(tar_declares(f)).read("00000000.json"),
        f"x.tar/00000000.json: declares 931.3 GiB, {OVER_MEMBER}3726 allows it)",
    ),
    "tar, a long name": (
        lambda f: lambda: load_dialogs(tar_declares(f, kind=tarfile.GNUTYPE_LONGNAME)),
        f"x.tar/00000000.json: declares 931.3 GiB, {OVER_MEMBER}",
    ),
    "tar, a header": (
        lambda f: lambda: load_dialogs(tar_declares(f, kind=tarfile.XHDTYPE)),
        f"x.tar/00000000.json: declares 931.3 GiB, {OVER_MEMBER}",
    ),
    "tar, streamed": (
        lambda f: lambda: first_dialogs(str(tar_declares(f)), 1),
        f"x.tar/00000000.json: declares 931.3 GiB, {OVER_MEMBER}",
    ),
    "tar, packed": (tar_packed, "x.tar/0: the dialog has 2 MiB, over the limit of 1 MiB"),
    "PNG": (
        lambda f: lambda: decode(png(10**6, 10**6), "x.png"),
        "x.png: 1000000x1000000 are 1000000000000 pixels, over the limit of 64000000 pixels (CDD_ICM_LIMITS="
        "15625 allows it)",
    ),
    "PNG, a little too large": (
        lambda f: lambda: decode(png(8001, 8001), "x.png"),
        "x.png: 8001x8001 are 64016001 pixels, over the limit of 64000000 pixels (CDD_ICM_LIMITS=2 allows",
    ),
    "BMP": (lambda f: lambda: decode(bmp(40000, 40000), "x"), "x: 40000x40000 are 1600000000 pixels, over"),
    "PPM": (
        lambda f: lambda: decode(ppm(10**5, 10**5), "x"),
        "x: 100000x100000 are 10000000000 pixels, over",
    ),
    "clip art": (clip_art, "background.png: 1000000x1000000 are 1000000000000 pixels, over the limit of"),
    "HDF5, pictures": (
        lambda f: hdf5(f, images=(1, 10**6, 10**6, 3), chunks=(1, 64, 64, 3)),
        "0/images: 1000000x1000000 are 1000000000000 pixels, over the limit of 64000000 pixels",
    ),
    "HDF5, objects": (
        lambda f: hdf5(f, objects=(10**12, 24)),
        f"0/objects: declares 87.31 TiB, {OVER_MEMBER}",
    ),
    "HDF5, a text": (
        lambda f: hdf5(f, text=h5py.string_dtype(length=2**29)),
        f"0/text: declares 512 MiB, {OVER_MEMBER}2 allows it)",
    ),
    "HDF5, a chunk": (
        lambda f: hdf5(f, images=(2**20, 64, 64, 3), chunks=(2**16, 64, 64, 3), compression="gzip"),
        f"0/images: its chunks have 768 MiB, {OVER_MEMBER}3 allows it)",
    ),
    "store": (store, "x.db: its tables declare 29.8 GiB, over the limit of 4 GiB (CDD_ICM_LIMITS="),
    "YAML": (yaml_bomb, "x.yaml: not YAML (line 2: the alias *a0, expected the values themselves)"),
    "YAML, itself": (
        lambda f: lambda: load_config((f / "x.yaml").write_text("a: &a [*a]") and f / "x.yaml"),
        "x.yaml: not YAML (line 1: the alias *a, expected the values themselves)",
    ),
    "large config": (
        lambda f: lambda: load_config(sparse(f / "x.yaml", 10**12)),
        "x.yaml: the file has 931.3 GiB, over the limit of 1 MiB (CDD_ICM_LIMITS=953675 allows it)",
    ),
    "large report": (
        lambda f: lambda: read_report(sparse(f / "x.json", 10**12)),
        "x.json: the file has 931.3 GiB, over the limit of 1 GiB",
    ),
    "large picture": (
        lambda f: lambda: FolderFiles(sparse(f / "x.png", 10**12).parent).read("x.png"),
        f"x.png: the file has 931.3 GiB, {OVER_MEMBER}3726 allows it)",
    ),
    "weights": (
        lambda f: lambda: load_tensors(weights(f)),
        "x.safetensors: the file has 9.095 TiB, over the limit of 4 GiB",
    ),
}


@pytest.fixture
def small(monkeypatch):
    """Limits that a test reaches quickly, on every machine alike."""
    monkeypatch.setattr("cdd_icm.data.readers.codraw.TEXT", Limit(2**20))
    monkeypatch.setattr("cdd_icm.data.readers.shards.TEXT", Limit(2**20))
    monkeypatch.setattr("cdd_icm.model.size.TENSORS", Limit(500, "tensors"))
    for module in ("cdd_icm.io", "cdd_icm.limits", "retrieval.index.damage"):
        monkeypatch.setattr(f"{module}.MEMORY", Limit(4 * GIB))


@pytest.mark.parametrize(("make", "line"), BOMBS.values(), ids=BOMBS.keys())
def test_a_bomb_is_refused(tmp_path, small, make, line):
    assert line in refused(make(tmp_path))


def test_a_packed_file_is_refused_at_the_limit(tmp_path):
    with lzma.open(tmp_path / "x.xz", "w", preset=0) as file:
        file.write(bytes(2**24))
    with lzma.open(tmp_path / "x.xz") as stream, pytest.raises(InputError, match="over the limit of 1 MiB"):
        read_stream(stream, Limit(2**20), "x.xz")
    with lzma.open(tmp_path / "x.xz") as stream:
        assert len(read_stream(stream, Limit(2**24), "x.xz")) == 2**24


def test_pillow_keeps_its_own_limit():
    before = Image.MAX_IMAGE_PIXELS
    with pytest.raises(InputError):
        decode(png(10**6, 10**6), "x.png")
    assert before == Image.MAX_IMAGE_PIXELS


# --- the setting ---------------------------------------------------------------------------------------


def test_the_setting_allows_what_the_line_says(monkeypatch, tmp_path):
    file = sparse(tmp_path / "x", 5 * MEMBER.number // 2)
    with pytest.raises(InputError, match=r"x: the file has 640 MiB, over the limit of 256 MiB .*S=3 allows"):
        check_file(file)
    monkeypatch.setenv(limits.SETTING, "2")
    with pytest.raises(InputError, match="the file has 640 MiB, over the limit of 512 MiB"):
        check_file(file)
    monkeypatch.setenv(limits.SETTING, "3")
    check_file(file)


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "much"])
def test_the_setting_is_a_positive_number(monkeypatch, tmp_path, text):
    monkeypatch.setenv(limits.SETTING, text)
    (tmp_path / "x").write_text("a")
    with pytest.raises(InputError, match=f"^CDD_ICM_LIMITS is '{text}', expected a positive number$"):
        read_file(tmp_path / "x")


# --- configs -------------------------------------------------------------------------------------------


def generator(**changed):
    data = {"image_size": 32, "path": str(SAMPLE)} | changed.pop("data", {})
    return from_dict(Config, TINY | {"output_dir": changed.pop("out"), "data": data} | changed)


TEXT_TOWER = TINY["encoder"]["model"]["text_cfg"]


def with_layers(layers):
    return {"model": TINY["encoder"]["model"] | {"text_cfg": TEXT_TOWER | {"layers": layers}}}


CONFIGS = {
    "image_size": (
        dict(data={"image_size": 9_999_872}),
        "data.image_size is 9999872: a picture has 99997440016384 pixels, over the limit of 64000000 pixels",
    ),
    "batch_size": (
        dict(training={"batch_size": 10**7}),
        "training.batch_size is 10000000: pictures of 32x32 need at least 114.4 GiB, over the limit of 4 GiB",
    ),
    "batch_size, its step": (
        dict(training={"batch_size": 10**5}),
        "training.batch_size is 100000, training.gradient_accumulation 1: a step needs about",
    ),
    "num_workers": (
        dict(data={"num_workers": 10**7}),
        "data.num_workers asks for 10000000 processes, over the limit of 1024 processes",
    ),
    "fusion.width": (dict(fusion={"width": 4_000_000}), "the model needs at least"),
    "fusion.layers": (
        dict(fusion={"layers": 10**8, "width": 32}),
        "the model has at least 501 tensors, over the limit of 500 tensors (CDD_ICM_LIMITS=2 allows it)",
    ),
    "unet.widths": (dict(unet={"widths": [64, 2**20]}), "the model needs at least"),
    "matcher.width": (dict(matcher={"width": 16_000_000}), "the model needs at least"),
    "encoder.model": (dict(encoder=with_layers(10**8)), "the model has at least 501 tensors, over the"),
}


@pytest.mark.parametrize(("changed", "line"), CONFIGS.values(), ids=CONFIGS.keys())
def test_a_config_is_refused_beforehand(tmp_path, monkeypatch, small, changed, line):
    for module in ("train.loop", "train.memory", "model.size"):
        monkeypatch.setattr(f"cdd_icm.{module}.MEMORY", Limit(4 * GIB))
    monkeypatch.setattr("cdd_icm.train.memory.memory_of", lambda device: Limit(4 * GIB))
    config = generator(out=str(tmp_path / "run"), **changed)
    said = refused(lambda: train(config))
    assert said.startswith(line) and "over the limit of" in said
    assert refused(lambda: dry_run(config)) == said


OTHERS = {
    "detector, batch_size": (
        lambda out: train_detector(_detector(out, training={"batch_size": 10**8})),
        "training.batch_size is 100000000: pictures of 32x32 need at least 1.118 TiB, over the limit",
    ),
    "detector, widths": (
        lambda out: train_detector(_detector(out, widths=[64, 128, 10**6])),
        "the model needs at least",
    ),
    "retrieval, image_size": (
        lambda out: trainer.train(_retrieval(out, data={"image_size": 10**7})),
        "data.image_size is 10000000: a picture has 100000000000000 pixels, over the limit of 64000000",
    ),
    "retrieval, width": (
        lambda out: trainer.train(_retrieval(out, fusion={"width": 4_000_000})),
        "the model needs at least",
    ),
}


def _detector(out, data=None, **changed):
    path = write_iclevr(Path(out) / "data", 2, "train")
    data = {"path": str(write_iclevr(path, 1, "val")), "image_size": 32} | (data or {})
    return from_dict(DetectorConfig, {"output_dir": out, "data": data} | changed)


def _retrieval(out, data=None, **changed):
    data = {"path": str(SAMPLE), "image_size": 32, "cache_dir": f"{out}/cache"} | (data or {})
    return from_dict(RetrievalConfig, TINY_RETRIEVAL | {"output_dir": out, "data": data} | changed)


@pytest.mark.parametrize(("run", "line"), OTHERS.values(), ids=OTHERS.keys())
def test_every_training_is_refused_beforehand(tmp_path, run, line):
    said = refused(lambda: run(str(tmp_path / "run")))
    assert said.startswith(line) and "over the limit of" in said


MODELS = {
    "image_size": ("unet", "image_size", 10**7, "unet/config.json: no valid ConditionalUNet config"),
    "widths": ("unet", "widths", [64, 2**20], "unet/config.json: no valid ConditionalUNet config (the model"),
    "layers": ("fusion", "layers", 10**8, "fusion/config.json: no valid GatedFusion config (the model has"),
    "width": (
        "matcher",
        "width",
        16_000_000,
        "matcher/config.json: no valid Matcher config (the model needs",
    ),
}


@pytest.mark.parametrize(("part", "key", "value", "line"), MODELS.values(), ids=MODELS.keys())
def test_a_folder_declares_a_huge_model(tiny_folder, small, part, key, value, line):  # noqa: F811
    file = tiny_folder / part / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {key: value}))
    said = refused(lambda: CDDICMPipeline.from_pretrained(tiny_folder))
    if key != "image_size":  # nothing in the UNet depends on it, but the other parts do
        assert said.startswith(f"{tiny_folder}/{line}")
    else:
        assert "image_size" in said


def test_a_scheduler_declares_many_steps(tiny_folder):  # noqa: F811
    file = tiny_folder / "scheduler" / "scheduler_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"num_train_timesteps": 10**12}))
    line = f"{file}: num_train_timesteps is 1000000000000, expected 1000, as in training"
    assert refused(lambda: CDDICMPipeline.from_pretrained(tiny_folder)) == line


def test_a_detector_declares_many_cells(tmp_path):
    Detector(["a"], image_size=32, widths=(8, 8, 8)).save_pretrained(tmp_path)
    file = tmp_path / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"image_size": 16 * 10**8}))
    said = refused(lambda: load_detector(tmp_path))
    assert said.startswith(f"{file}: no valid Detector config (the model needs at least")


def test_a_retrieval_model_declares_a_wide_fusion(tmp_path, make_model):  # noqa: F811
    make_model().save_pretrained(tmp_path / "m")
    file = tmp_path / "m" / "config.json"
    config = json.loads(file.read_text())
    config["options"]["fusion"]["width"] = 4_000_000
    file.write_text(json.dumps(config))
    said = refused(lambda: RetrievalModel.from_pretrained(tmp_path / "m"))
    assert said.startswith(f"{file}: no RetrievalModel can be built from it (the model needs at least")


def test_many_pictures_at_once(tiny_pipeline, monkeypatch):  # noqa: F811
    monkeypatch.setattr("cdd_icm.sampling.pipeline.MEMORY", Limit(2**16))
    picture = Image.new("RGB", (32, 32))
    said = refused(lambda: tiny_pipeline(picture, "a red cube", num_candidates=256))
    assert said.startswith("instruction: 256 pictures at once need at least 3 MiB, over the limit of 64 KiB")


# --- the dry run ---------------------------------------------------------------------------------------


def test_a_dry_run_tells_data_batch_and_memory(tmp_path, capsys):
    settings = TINY | {"data": {"image_size": 32, "path": str(SAMPLE)}, "output_dir": str(tmp_path / "run")}
    (tmp_path / "x.yaml").write_text(yaml.safe_dump(settings))
    assert cli.main(["train", "--dry-run", str(tmp_path / "x.yaml"), "training.batch_size=8"]) == 0
    data, batch, memory = capsys.readouterr().out.splitlines()
    assert data == f"data: {SAMPLE}: 12 dialogs with 60 turns; 3 to validate"
    assert batch == "batch: 8 turns of 32x32 pixels, of which 8 at once; 100000 turns in all"
    assert memory.startswith("a step on ") and " GiB of memory: weights 0.01, gradients 0.01, " in memory
    assert not (tmp_path / "run").exists()


def test_the_memory_of_a_step(tmp_path):
    """Weights are counted; the estimate of activations grows with the batch and shrinks with its parts."""
    cpu, dialogs = torch.device("cpu"), load_dialogs(SAMPLE, "train")
    config = generator(out=str(tmp_path), training={"batch_size": 8})
    needed = step_memory(config, dialogs, cpu)
    assert needed.optimizer == 2 * needed.gradients and needed.gradients <= needed.weights == needed.average
    assert needed.total == sum(vars(needed).values())
    larger = step_memory(generator(out=str(tmp_path), training={"batch_size": 16}), dialogs, cpu)
    assert larger.activations == 2 * needed.activations and larger.weights == needed.weights
    parts = {"batch_size": 16, "gradient_accumulation": 2}
    assert step_memory(generator(out=str(tmp_path), training=parts), dialogs, cpu) == needed


def test_the_estimate_is_what_autograd_keeps(tmp_path):
    """Of a model with known activations: one linear map after another, whose inputs are kept."""
    from cdd_icm.train.memory import _kept

    class Layers(torch.nn.Sequential):
        def forward(self, batch, draws):
            return super().forward(batch)

    with torch.device("meta"):
        model = Layers(torch.nn.Linear(10, 20), torch.nn.ReLU(), torch.nn.Linear(20, 30))
        batch = torch.empty(8, 10)
    assert _kept(model, batch, None) == 4 * (8 * 10 + 8 * 20)


def test_weights_of_an_ordinary_model_are_within_the_limits(tmp_path):
    save_file({"a": torch.zeros(2)}, tmp_path / "x.safetensors")
    assert load_tensors(tmp_path / "x.safetensors")["a"].tolist() == [0, 0]
