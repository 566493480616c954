"""What comes from elsewhere runs nothing and reads no file out of its folder.

Tables: what goes in, and the one line that comes out.
"""

import json
import os
import shutil
import sys
import tarfile
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

from cdd_icm import CDDICMPipeline, DrawingSession, cli, limits
from cdd_icm.data import load_dialogs
from cdd_icm.data.files import FolderFiles, TarFiles, ZipFiles
from cdd_icm.data.picture import decode
from cdd_icm.errors import InputError
from cdd_icm.hub import load_tokenizer
from cdd_icm.model.backbone import model_settings
from cdd_icm.sampling.folder import check_folder
from cdd_icm.sources import check_links, expand, open_stream
from retrieval import cli as retrieval_cli
from retrieval.index.store import Store, _entry
from tests.cdd_icm.conftest import tiny_folder, tiny_pipeline  # noqa: F401

ROOT = Path(__file__).parents[1]
SHIPPED = ROOT / "data" / "pretrained"

# --- addresses -------------------------------------------------------------------------------------------

ONLY = "expected a local path or one of https://, s3://, gs://, hf://"
OVER = "over the limit of 100000 files"

ADDRESSES = {
    "pipe:touch ran": f"pipe:touch ran: pipe: is refused; {ONLY}",
    "PIPE:touch ran": f"PIPE:touch ran: pipe: is refused; {ONLY}",
    "ftp://host/x.tar": f"ftp://host/x.tar: ftp: is refused; {ONLY}",
    "http://host/x.tar": f"http://host/x.tar: http: is refused; {ONLY}",
    "file:///etc/passwd": f"file:///etc/passwd: file: is refused; {ONLY}",
    "ssh://host/x.tar": f"ssh://host/x.tar: ssh: is refused; {ONLY}",
    "scp:host:x.tar": f"scp:host:x.tar: scp: is refused; {ONLY}",
    "simplecache::https://host/x": f"simplecache::https://host/x: simplecache: is refused; {ONLY}",
    "{pipe:touch ran,x.tar}": f"pipe:touch ran: pipe: is refused; {ONLY}",
    "{pi,ca}pe:x": f"pipe:x: pipe: is refused; {ONLY}",
    "x/{0..999999999}.tar": f"x/{{0..999999999}}.tar: names 1000000000 files, {OVER} (CDD_ICM_LIMITS=10000 "
    "allows it)",
    "{a..z}{0..9999}": f"{{a..z}}{{0..9999}}: names 260000 files, {OVER} (CDD_ICM_LIMITS=3 allows it)",
    "{{0..99999},a}{1,2}": "{{0..99999},a}{1,2}: names 200002 files, "
    f"{OVER} (CDD_ICM_LIMITS=3 allows it)",
    "{{0..999}\\,{0..999}}": "{{0..999}\\,{0..999}}: names 1000000 files, "
    f"{OVER} (CDD_ICM_LIMITS=10 allows it)",
    "\0000\0{0..999999}": f"\0000\0{{0..999999}}: names 1000000 files, {OVER} (CDD_ICM_LIMITS=10 allows it)",
    "{1{2,3}": "{1{2,3}: not a brace pattern (Unbalanced braces: '{1{2,3}')",
}


@pytest.mark.parametrize(("address", "line"), ADDRESSES.items())
def test_an_address_is_refused(address, line):
    with pytest.raises(InputError) as refused:
        expand(address)
    assert str(refused.value) == line


@pytest.mark.parametrize("address", ["x.tar", "/a/pipe:x", "a/b:c.tar", "https://host/x.tar", "s3://b/x"])
def test_an_address_is_taken(address):
    assert expand(address) == [address]


PATTERNS = ("x-{000..063}", "{a,b}{1..3}", "{5..1..2}", "{b..e..2}", "{x{1..2},y}", "{a}", "\\{1..9\\}", "x")


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_pattern_is_counted_as_it_is_listed(pattern, monkeypatch):
    listed = len(expand(pattern))
    monkeypatch.setenv(limits.SETTING, str(listed / limits.FILES.number))
    assert len(expand(pattern)) == listed
    monkeypatch.setenv(limits.SETTING, str((listed - 0.5) / limits.FILES.number))
    with pytest.raises(InputError, match=f"names {listed} files, over the limit of {listed - 0.5} files"):
        expand(pattern)


@pytest.mark.parametrize(("scheme", "package"), [("s3", "s3fs"), ("gs", "gcsfs")])
def test_a_scheme_without_its_package(scheme, package, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)  # as where it is not installed
    with pytest.raises(InputError) as refused:
        open_stream(f"{scheme}://bucket/x.tar")
    assert (
        str(refused.value)
        == f"{scheme}://bucket/x.tar: {scheme}:// needs the package {package} (pip install {package})"
    )


TINY = str(ROOT / "configs/generate/tiny.yaml")
SAMPLE = str(ROOT / "data" / "iclevr_sample")

PLACES = {
    "train, streaming": (cli, ["train", TINY, "data.path=PIPE.tar", "output_dir=OUT"]),
    "train": (cli, ["train", TINY, "data.path=PIPE", "output_dir=OUT"]),
    "train-detector": (
        cli,
        [
            "train-detector",
            str(ROOT / "configs/detect/iclevr.yaml"),
            "data.path=PIPE",
            "output_dir=OUT",
        ],
    ),
    "data info": (cli, ["data", "info", "PIPE"]),
    "data preview": (cli, ["data", "preview", "PIPE"]),
    "data convert": (cli, ["data", "convert", "PIPE", "OUT"]),
    "generate, data": (cli, ["generate", "--data", "PIPE", "--model", "m", "--out", "OUT"]),
    "generate, model": (cli, ["generate", "--say", "a", "--model", "PIPE", "--out", "OUT"]),
    "train, config": (cli, ["train", "PIPE"]),
    "generate, dialog": (cli, ["generate", "--dialog", "PIPE", "--model", "m", "--out", "OUT"]),
    "search, image": (retrieval_cli, ["search", "--store", "OUT.db", "--image", "PIPE"]),
    "compare": (cli, ["compare", "PIPE"]),
    "benchmark info": (retrieval_cli, ["benchmark", "info", "cirr", "PIPE"]),
    "benchmark info, dialogs": (retrieval_cli, ["benchmark", "info", "dialogs", "PIPE"]),
    "index": (retrieval_cli, ["index", SAMPLE, "--store", "OUT.db", "--model", "PIPE"]),
    "store": (retrieval_cli, ["search", "--store", "PIPE.db", "--text", "a", "--device", "cpu"]),
    "retrieval compare": (retrieval_cli, ["compare", "PIPE"]),
    "retrieval evaluate": (
        retrieval_cli,
        ["evaluate", "--model", "PIPE", "--data", SAMPLE, "--report", "OUT.json", "--device", "cpu"],
    ),
}


@pytest.mark.parametrize(("program", "arguments"), PLACES.values(), ids=PLACES.keys())
def test_no_command_runs_where_a_source_is_named(program, arguments, tmp_path, monkeypatch, capsys):
    """`pipe:` is what WebDataset would hand to a shell."""
    monkeypatch.chdir(tmp_path)
    given = [a.replace("PIPE", "pipe:touch ran").replace("OUT", "out") for a in arguments]
    assert program.main(given) == 2
    said = capsys.readouterr().err.splitlines()
    assert "pipe:touch ran" in said[-1] and "pipe: is refused" in said[-1]
    assert not [name for name in os.listdir() if name.startswith("ran")]


# --- code in a folder ------------------------------------------------------------------------------------


def change(file: Path, **values) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), **values}))


def with_code(folder: Path) -> None:
    """A tokenizer that comes with code, which leaves `ran` behind."""
    change(
        folder / "tokenizer" / "tokenizer_config.json",
        tokenizer_class="Own",
        auto_map={"AutoTokenizer": [None, "own.Own"]},
    )
    (folder / "tokenizer" / "own.py").write_text(f"open({str(folder / 'ran')!r}, 'w')\nclass Own: pass\n")


def linked(folder: Path, name: str, target: Path) -> None:
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(target)


INDEX = "model_index.json"
FOLDERS = {
    "tokenizer with code": (with_code, "tokenizer: no tokenizer can be loaded from here ("),
    "scheduler that is a pipeline": (
        lambda f: change(f / INDEX, scheduler=["diffusers", "DiffusionPipeline"]),
        f"{INDEX}: scheduler is ['diffusers', 'DiffusionPipeline'], expected a class of diffusers",
    ),
    "scheduler of another module": (
        lambda f: change(f / INDEX, scheduler=["os", "system"]),
        f"{INDEX}: scheduler is ['os', 'system'], expected a class of diffusers",
    ),
    "tokenizer that is a model": (
        lambda f: change(f / INDEX, tokenizer=["transformers", "AutoModel"]),
        f"{INDEX}: tokenizer is ['transformers', 'AutoModel'], expected a class of transformers",
    ),
    "a part that is unknown": (
        lambda f: change(f / INDEX, helper=["own", "Own"]),
        f"{INDEX}: helper is ['own', 'Own'], but the pipeline has no such part",
    ),
    "a class of its own": (
        lambda f: change(f / INDEX, _class_name=["own", "CDDICMPipeline"]),
        f"{INDEX}: _class_name is ['own', 'CDDICMPipeline'], expected 'cdd_icm.CDDICMPipeline'",
    ),
    "pickled weights": (
        lambda f: (f / "unet" / "diffusion_pytorch_model.bin").write_bytes(b""),
        "unet/diffusion_pytorch_model.bin: pickled weights are refused; only safetensors are read",
    ),
    "weights in another folder": (
        lambda f: (f / "unet" / "x.safetensors.index.json").write_text('{"weight_map": {"a": "../../x"}}'),
        "unet/x.safetensors.index.json: weight_map: '../../x' leaves the folder",
    ),
    "config that is a link": (
        lambda f: linked(f / "unet", "config.json", Path("/etc/passwd")),
        "unet/config.json: a link to /etc/passwd, outside of its folder",
    ),
    "a folder that is a link": (
        lambda f: (shutil.rmtree(f / "tokenizer"), linked(f, "tokenizer", Path("/etc"))),
        "tokenizer: a link to /etc, outside of its folder",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize(("spoil", "line"), FOLDERS.values(), ids=FOLDERS.keys())
def test_a_model_folder_is_refused(tiny_folder, spoil, line, monkeypatch):  # noqa: F811
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("asked whether code may run"))
    spoil(tiny_folder)
    with pytest.raises(InputError) as refused:
        CDDICMPipeline.from_pretrained(tiny_folder)
    said = str(refused.value)
    assert said.startswith(f"{tiny_folder}/{line}") and "\n" not in said
    assert not (tiny_folder / "ran").exists()


@pytest.mark.parametrize(
    ("option", "value"),
    [("trust_remote_code", True), ("custom_pipeline", "own"), ("custom_revision", "main")],
)
def test_code_is_not_asked_for(tiny_folder, option, value):  # noqa: F811
    with pytest.raises(InputError, match=f"^{option}: {value!r}: code in a model's folder is never run$"):
        CDDICMPipeline.from_pretrained(tiny_folder, **{option: value})


def test_a_text_tower_of_transformers_is_refused():
    with pytest.raises(InputError, match="has a text tower from transformers, not open_clip$"):
        model_settings({"embed_dim": 8, "vision_cfg": {}, "text_cfg": {"hf_model_name": "someone/code"}})


def test_a_tokenizer_with_code_is_refused_on_its_own(tmp_path):
    shutil.copytree(SHIPPED / "retrieval_iclevr" / "tokenizer", tmp_path / "tokenizer")
    with_code(tmp_path)
    with pytest.raises(InputError, match="no tokenizer can be loaded from here"):
        load_tokenizer(tmp_path / "tokenizer")
    assert not (tmp_path / "ran").exists()


@pytest.mark.slow
def test_a_snapshot_of_the_hub_loads(tiny_folder, tmp_path):  # noqa: F811
    """Hugging Face's cache: the snapshot's files are links to blobs beside it."""
    repository = tmp_path / "hub" / "models--someone--model"
    snapshot = repository / "snapshots" / "0123"
    (repository / "blobs").mkdir(parents=True)
    files = [file for file in sorted(tiny_folder.rglob("*")) if file.is_file()]
    for number, file in enumerate(files):
        link = snapshot / file.relative_to(tiny_folder)
        link.parent.mkdir(parents=True, exist_ok=True)
        file.rename(repository / "blobs" / str(number))
        link.symlink_to(os.path.relpath(repository / "blobs" / str(number), link.parent))
    check_folder(snapshot)
    (tmp_path / "named").symlink_to(snapshot)  # what the user names may be a link itself
    check_folder(tmp_path / "named")
    linked(snapshot, "README.md", repository.parent / "models--other--model" / "blobs" / "0")
    with pytest.raises(InputError, match=r"README.md: a link to "):
        check_folder(snapshot)


def test_postscript_is_not_run():
    program = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n%%EOF\n"
    with pytest.raises(InputError) as refused:
        decode(program, "x.png")
    assert str(refused.value) == "x.png: PostScript is a program, not a picture; save it as PNG"


# --- names and links that leave a folder -----------------------------------------------------------------


def metadata(folder: Path, name: str):
    row = {"file_name": name, "dialog_id": "a", "turn": 1, "instruction": "b"}
    (folder / "metadata.jsonl").write_text(json.dumps(row))
    return lambda: load_dialogs(folder)


def hdf5(folder: Path, put) -> object:
    with h5py.File(folder / "other.hdf", "w") as other:
        other["images"] = np.zeros((1, 8, 8, 3), np.uint8)
    with h5py.File(folder / "clevr_train.h5", "w") as file:
        file["background"], file["entities"] = np.zeros((8, 8, 3), np.uint8), "[]"
        put(file.create_group("0"), folder / "other.hdf")
    return lambda: load_dialogs(folder / "clevr_train.h5")


def virtual(group, other):
    layout = h5py.VirtualLayout((1, 8, 8, 3), np.uint8)
    layout[:] = h5py.VirtualSource(str(other), "images", (1, 8, 8, 3))
    group.create_virtual_dataset("images", layout)


def external(group, other):
    group.create_dataset("images", (1, 8, 8, 3), np.uint8, external=[(str(other), 0, 192)])


def row(path):
    return {"content": "a", "folder": "/pictures", "path": path, "width": 1, "height": 1}


def store_with_link(folder):
    (folder / "x.db" / "collections").mkdir(parents=True)
    linked(folder / "x.db" / "collections", "schema.json", Path("/etc/passwd"))
    return lambda: Store(str(folder / "x.db"), "m0de1", 8)


def archive(folder, kind):
    if kind == "zip":
        with zipfile.ZipFile(folder / "x.zip", "w") as file:
            file.writestr("../../a.png", b"")
        return lambda: ZipFiles(folder / "x.zip").read("/etc/passwd")
    with tarfile.open(folder / "x.tar", "w") as file:
        member = tarfile.TarInfo("a.png")
        member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
        file.addfile(member)
    return lambda: TarFiles(folder / "x.tar").read("a.png")


LEAVE = {
    "metadata, up": (
        lambda f: metadata(f, "../../x.png"),
        "metadata.jsonl:1: file_name: '../../x.png' leaves",
    ),
    "metadata, absolute": (lambda f: metadata(f, "/etc/x"), "metadata.jsonl:1: file_name: '/etc/x' leaves"),
    "metadata, inside": (lambda f: metadata(f, "a/../../x"), "file_name: 'a/../../x' leaves the folder"),
    "metadata, Windows": (lambda f: metadata(f, "..\\x.png"), "file_name: '..\\\\x.png' leaves the folder"),
    "metadata, NUL": (lambda f: metadata(f, "a\0.png"), "file_name: 'a\\x00.png' has a NUL character"),
    "a folder's file": (lambda f: lambda: FolderFiles(f).read("../x"), ": '../x' leaves the folder"),
    "zip": (lambda f: archive(f, "zip"), "x.zip//etc/passwd: no such file in the zip"),
    "tar, a link": (lambda f: archive(f, "tar"), "x.tar/a.png: no such file in the tar"),
    "HDF5, external link": (
        lambda f: hdf5(f, lambda g, other: g.__setitem__("images", h5py.ExternalLink(str(other), "images"))),
        "clevr_train.h5: 0/images: a link, which may lead to another file",
    ),
    "HDF5, soft link": (
        lambda f: hdf5(f, lambda g, other: g.__setitem__("images", h5py.SoftLink("/background"))),
        "clevr_train.h5: 0/images: a link, which may lead to another file",
    ),
    "HDF5, virtual": (lambda f: hdf5(f, virtual), "clevr_train.h5: 0/images: its values are in another file"),
    "HDF5, external": (
        lambda f: hdf5(f, external),
        "clevr_train.h5: 0/images: its values are in another file",
    ),
    "store, up": (lambda f: lambda: _entry(row("../x"), "x.db"), "x.db: path: '../x' leaves the folder"),
    "store, absolute": (lambda f: lambda: _entry(row("/x"), "x.db"), "x.db: path: '/x' leaves the folder"),
    "store, a link": (store_with_link, "schema.json: a link to /etc/passwd, outside of its folder"),
}


@pytest.mark.parametrize(("prepare", "line"), LEAVE.values(), ids=LEAVE.keys())
def test_nothing_leads_out_of_a_folder(tmp_path, prepare, line):
    read = prepare(tmp_path)
    with pytest.raises(InputError) as refused:
        read()
    assert line in str(refused.value) and "\n" not in str(refused.value)


SESSIONS = {
    "picture above": ("canvas", "../x.png", "canvas is '../x.png', expected a file name"),
    "absolute picture": (
        "canvas",
        "/etc/x.png",
        "canvas is '/etc/x.png', expected a file name",
    ),
    "linked picture": ("canvas", "link.png", "link.png: a link to "),
}


@pytest.mark.parametrize(("key", "name", "line"), SESSIONS.values(), ids=SESSIONS.keys())
def test_a_session_reads_its_own_folder(tiny_pipeline, tmp_path, key, name, line):  # noqa: F811
    DrawingSession(tiny_pipeline).save(tmp_path / "session")
    Image.new("RGB", (32, 32)).save(tmp_path / "x.png")
    linked(tmp_path / "session", "link.png", tmp_path / "x.png")
    change(tmp_path / "session" / "session.json", **{key: name})
    with pytest.raises(InputError) as refused:
        DrawingSession.load(tmp_path / "session", tiny_pipeline)
    assert line in str(refused.value)


def test_links_inside_a_folder_are_followed(tmp_path):
    (tmp_path / "a").write_text("")
    linked(tmp_path, "b", Path("a"))
    check_links(tmp_path)
