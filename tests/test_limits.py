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
from PIL import Image

from cdd_icm import CDDICMPipeline, cli, limits
from cdd_icm.config import load_config
from cdd_icm.data import load_dialogs
from cdd_icm.data.files import FolderFiles, TarFiles, ZipFiles
from cdd_icm.data.picture import decode
from cdd_icm.data.readers.codraw import count_raw_dialogs
from cdd_icm.data.readers.shards import first_dialogs
from cdd_icm.errors import InputError
from cdd_icm.evaluation.report import read_report
from cdd_icm.evaluation.sentences import read_sentences
from cdd_icm.hub import load_tokenizer
from cdd_icm.io import load_tensors, read_json
from cdd_icm.limits import GIB, MEMBER, Limit, check_file, read_local, read_stream
from retrieval.benchmarks import read_benchmark
from retrieval.evaluation import submission
from retrieval.index.damage import check_store
from tests.cdd_icm.conftest import SAMPLE, TINY, tiny_folder, tiny_pipeline, write_iclevr  # noqa: F401
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
        read_local(tmp_path / "x", MEMBER)
