from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import termios
from pathlib import Path
from types import ModuleType

import pytest
from PIL import Image

from retrieval.cli import _parser, main
from tests.retrieval.colours import Colours, paint

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "data" / "iclevr_sample"


def test_benchmark_info_prints_the_protocol(cir, capsys):
    arguments = [
        "benchmark",
        "info",
        "fashioniq",
        str(cir / "fashion-iq"),
        "gallery=union",
        "exclude_reference=true",
    ]
    assert main([*arguments, "categories=[dress]"]) == 0
    out = capsys.readouterr().out
    assert "reference: excluded\n" in out
    assert "queries: {'dress': 2017}\ngallery: {'dress': 2628}\n" in out


def test_benchmark_info_lists_all_missing_pictures(write, tmp_path, capsys):
    path = write("mine.jsonl", '{"reference": "1", "text": "a", "target": "2"}')
    (tmp_path / "images").mkdir()
    assert main(["benchmark", "info", "triplets", str(path), "--images", str(tmp_path / "images")]) == 2
    captured = capsys.readouterr()
    assert "missing: 1 (reference of query 1)\nmissing: 2 (target of query 1)\n" in captured.out
    assert captured.err == f"cdd-retrieval: {tmp_path / 'images'}: 2 pictures are missing\n"
    for name in ("1", "2"):
        Image.new("RGB", (2, 2)).save(tmp_path / "images" / f"{name}.png")
    assert main(["benchmark", "info", "triplets", str(path), "--images", str(tmp_path / "images")]) == 0
    assert "pictures: 2 of 2 found" in capsys.readouterr().out


def test_faults_are_one_line_and_exit_status_2(tmp_path, capsys):
    for arguments in (
        ["benchmark", "info", "cirr", str(tmp_path)],
        ["benchmark", "info", "cirr", str(tmp_path), "split"],
        ["benchmark", "info", "cirr", str(tmp_path), "split=[a"],
        ["benchmark", "info", "dialogs", 300 * "x"],
        ["submission", "check", str(tmp_path / "none.json")],
    ):
        assert main(arguments) == 2
        error = capsys.readouterr().err
        assert error.startswith("cdd-retrieval: ") and error.count("\n") == 1


QUERY = {"reference_img_id": 1, "relative_caption": "two dogs", "shared_concept": "a dog"}


def test_submission_check(write, capsys):
    path = write("circo.json", {str(i): list(range(50)) for i in range(800)})
    assert main(["submission", "check", str(path)]) == 0
    assert capsys.readouterr().out == f"{path}: CIRCO: 800 queries; image numbers not checked\n"
    folder = write("annotations/test.json", [{"id": i} | QUERY for i in range(800)]).parents[1]
    assert main(["submission", "check", str(path), "--circo", str(folder)]) == 0
    assert capsys.readouterr().out.endswith("CIRCO: 800 queries; image numbers not checked\n")
    listed = [{"id": i, "file_name": f"{i}.jpg"} for i in range(49)]
    write("annotations/image_info_unlabeled2017.json", {"images": listed})
    assert main(["submission", "check", str(path), "--circo", str(folder)]) == 2
    assert "query 0: 49 is not an image of unlabeled2017" in capsys.readouterr().err
    path.write_text(json.dumps({"0": [1, 2]}))
    assert main(["submission", "check", str(path)]) == 2


@pytest.fixture
def indexed(tmp_path, uri, monkeypatch):
    """cdd-retrieval's arguments for a store and a model, over a folder of three pictures."""

    class RetrievalModel(Colours):
        @classmethod
        def from_pretrained(cls, folder):
            return cls(folder.name)

        def to(self, device):
            return self

    module = ModuleType("retrieval.model")
    module.RetrievalModel = RetrievalModel
    monkeypatch.setitem(sys.modules, "retrieval.model", module)
    for name in ("red", "green", "blue"):
        paint(tmp_path / "pictures" / f"{name}.png", name)
    (tmp_path / "pictures" / "metadata.jsonl").write_text('{"file_name": "red.png", "price": 3}')
    return ["--store", uri, "--model", "m0de1"]


@pytest.mark.slow
def test_index_then_search(indexed, tmp_path, capsys):
    pictures = tmp_path / "pictures"
    assert main(["index", str(pictures), *indexed]) == 0
    out = capsys.readouterr().out
    assert f"{indexed[1]}: 3 added, 0 updated, 0 unchanged, 0 duplicates, 0 removed; 3 pictures\n" in out
    assert main(["index", str(pictures), *indexed]) == 0
    assert "0 added, 0 updated, 3 unchanged" in capsys.readouterr().out

    sheet = tmp_path / "out" / "sheet.png"
    query = ["--image", str(pictures / "red.png"), "--text", "red", "-k", "2", "--out", str(sheet)]
    assert main(["search", *indexed, *query]) == 0
    first, second, last = capsys.readouterr().out.splitlines()
    assert first == f'1\t1.0000\t{pictures / "red.png"}\t12x10\t{{"price": 3}}'
    assert second.startswith("2\t") and last == str(sheet)
    assert Image.open(sheet).format == "PNG"
    assert main(["search", *indexed, "--text", "blue", "--filter", "price > 2"]) == 0
    assert capsys.readouterr().out.count("\n") == 1
    assert main(["search", *indexed, "--text", "blue", "--filter", "price > 3"]) == 0
    captured = capsys.readouterr()
    assert captured.out == "" and f"{indexed[1]}: nothing found among 3 pictures\n" in captured.err


@pytest.mark.slow
def test_status_and_remove(indexed, tmp_path, capsys):
    pictures = tmp_path / "pictures"
    paint(pictures / "a" / "white.png", "white")
    main(["index", str(pictures), *indexed])
    capsys.readouterr()
    assert main(["status", *indexed]) == 0
    uri = indexed[1]
    assert capsys.readouterr().out.splitlines() == [
        f"4\t{pictures}",
        f"{uri}: 4 pictures; 0 files are gone and 0 changed",
    ]
    (pictures / "green.png").unlink()
    paint(pictures / "blue.png", "red", "green")
    assert main(["status", *indexed]) == 2
    assert capsys.readouterr().out.splitlines() == [
        f"4\t{pictures}",
        f"gone\t{pictures / 'green.png'}",
        f"changed\t{pictures / 'blue.png'}",
        f"{uri}: 4 pictures; 1 files are gone and 1 changed",
    ]
    query = ["--text", "green", "-k", "4", "--out", str(tmp_path / "sheet.png")]
    assert main(["search", *indexed, *query]) == 0
    captured = capsys.readouterr()
    first, *others, last = captured.out.splitlines()
    assert first.endswith("green.png\t12x10\t{}\tgone") and last == str(tmp_path / "sheet.png")
    assert not any(line.endswith("\tgone") for line in others)
    assert captured.err == f"{uri}: the files of 1 hits are gone; `cdd-retrieval status` lists all of them\n"

    for arguments, status, says in (
        (["--gone"], 0, f"{uri}: 1 removed; 3 pictures\n"),
        ([str(pictures / "a")], 0, f"{uri}: 1 removed; 2 pictures\n"),
        ([str(pictures / "red.png")], 0, f"{uri}: 1 removed; 1 pictures\n"),
        (["--gone"], 2, f"no picture whose file is gone is in {uri}; its folders: {pictures}\n"),
        ([str(tmp_path / "other")], 2, f"other: no picture of it is in {uri}; its folders: {pictures}\n"),
        ([], 2, "remove: give either PATH or --gone\n"),
        ([str(pictures), "--gone"], 2, "remove: give either PATH or --gone\n"),
    ):
        assert main(["remove", *arguments, *indexed]) == status
        captured = capsys.readouterr()
        assert (captured.err if status else captured.out).endswith(says)
    pictures.rename(tmp_path / "moved")  # the folder is gone
    assert main(["remove", str(pictures), *indexed]) == 0
    assert capsys.readouterr().out == f"{uri}: 1 removed; 0 pictures\n"


@pytest.mark.slow
def test_a_listing_that_lost_its_pictures_removes_none(indexed, tmp_path, capsys):
    pictures = tmp_path / "pictures"
    main(["index", str(pictures), *indexed])
    for name in ("green", "blue"):
        (pictures / f"{name}.png").unlink()
    capsys.readouterr()
    assert main(["index", str(pictures), *indexed]) == 2
    assert capsys.readouterr().err.endswith(
        f"cdd-retrieval: {pictures}: 2 of the store's 3 pictures are no longer here, over a tenth of them, "
        "and were not removed; --prune removes them\n"
    )
    assert main(["index", str(pictures), *indexed, "--prune"]) == 0
    assert "2 removed; 1 pictures" in capsys.readouterr().out


def test_the_shipped_model_is_the_default(monkeypatch, tmp_path):
    """Without its folder, --model must be given."""
    index = ["index", "pictures", "--store", "mine.db"]
    config = json.loads((_parser().parse_args(index).model / "config.json").read_text())
    assert config["composer"] == "fusion"
    monkeypatch.setattr("retrieval.store_cli.SHIPPED", tmp_path / "none")
    with pytest.raises(SystemExit):
        _parser().parse_args(index)


@pytest.mark.slow
def test_the_shipped_model_finds_the_next_picture_of_a_sample_dialog(tmp_path, capsys):
    """The README's two commands."""
    store = ["--store", str(tmp_path / "sample.db")]
    pictures = SAMPLE / "images"
    assert main(["index", str(pictures), *store]) == 0
    text = "Add a gray cylinder behind it on the right and behind the cyan sphere on the right"
    query = ["--image", str(pictures / "CLEVR_test_000000_1.webp"), "--text", text, "-k", "1"]
    capsys.readouterr()
    assert main(["search", *store, *query, "--out", str(tmp_path / "sheet.png")]) == 0
    assert str(pictures / "CLEVR_test_000000_2.webp") in capsys.readouterr().out.splitlines()[0]
    assert Image.open(tmp_path / "sheet.png").format == "PNG"


@pytest.mark.slow
def test_a_killed_index_goes_on_without_duplicates(tmp_path, capsys):
    pictures, store = tmp_path / "pictures", ["--store", str(tmp_path / "mine.db")]
    files = {str(paint(pictures / f"{n}.png", "red", "blue", size=(n + 2, 4))) for n in range(80)}
    index = ["index", str(pictures), *store, "--batch-size", "2"]
    command = [sys.executable, "-m", "retrieval.cli", *index]
    terminal, inside = pty.openpty()  # where standard error is none, there is no bar to go by
    termios.tcsetwinsize(inside, (24, 120))
    with subprocess.Popen(command, cwd=ROOT, stderr=inside) as process:
        os.close(inside)
        said = b""
        while not re.search(rb" [1-7]\d/80 ", said):  # all of them but the newest are in the store
            said += (piece := os.read(terminal, 4096))
            assert piece, said.decode()
        process.kill()
    os.close(terminal)
    assert process.returncode == -signal.SIGKILL
    assert main(index) == 0
    counts = r"(\d+) added, 0 updated, (\d+) unchanged, 0 duplicates, 0 removed; 80 pictures\n"
    added, unchanged = map(int, re.search(counts, capsys.readouterr().out).groups())
    assert added + unchanged == 80 and 8 <= unchanged < 80
    assert main(["search", *store, "--text", "Add a red cube", "-k", "100"]) == 0
    found = [line.split("\t")[2] for line in capsys.readouterr().out.splitlines()]
    assert len(found) == 80 and set(found) == files


@pytest.mark.slow
def test_a_refused_index_leaves_the_store_to_another_model(indexed, tmp_path, monkeypatch, capsys):
    (tmp_path / "empty").mkdir()
    faulty = paint(tmp_path / "faulty" / "red.png", "red").parent
    (faulty / "metadata.jsonl").write_text("{")
    pictures = str(tmp_path / "pictures")
    for arguments in (
        ["index", str(tmp_path / "none"), *indexed],
        ["index", str(tmp_path / "empty"), *indexed],
        ["index", str(faulty), *indexed],
        ["index", pictures, *indexed, "--batch-size", "0"],
    ):
        assert main(arguments) == 2
    with monkeypatch.context() as patch:
        patch.setattr(Colours, "vectors", 300)
        assert main(["index", pictures, *indexed]) == 2
        assert "model: 300 vectors of 48 numbers a picture are " in capsys.readouterr().err
    assert main(["index", pictures, *indexed[:3], "other"]) == 0


@pytest.mark.slow
def test_unreadable_pictures_are_an_error_unless_allowed(indexed, tmp_path, capsys):
    bad = tmp_path / "pictures" / "bad.png"
    bad.write_bytes(b"no picture")
    arguments = ["index", str(tmp_path / "pictures"), *indexed]
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert f"left out: {bad}: picture can't be decoded" in captured.out and "3 added" in captured.out
    assert "1 pictures can't be read and were left out, which --allow-unreadable allows" in captured.err
    assert main([*arguments, "--allow-unreadable"]) == 0


@pytest.mark.slow
def test_faults_of_stores_and_queries_are_one_line_and_exit_status_2(indexed, tmp_path, capsys):
    pictures = str(tmp_path / "pictures")
    search = ["search", *indexed]
    assert main([*search, "--text", "red"]) == 2
    none = rf"cdd-retrieval: {re.escape(indexed[1])}: no (store|pictures were indexed) here\n"
    assert re.fullmatch(none, capsys.readouterr().err)
    assert main(["index", pictures, *indexed]) == 0
    capsys.readouterr()
    (tmp_path / "folder.png").mkdir()
    # told before anything is done: the picture isn't there either
    out = [*search, "--image", "none.png", "--out"]
    for arguments, fault in (
        (["index", pictures, *indexed[:3], "other"], "made with model m0de1, but this is model other"),
        (
            ["search", *indexed[:3], "other", "--text", "red"],
            "made with model m0de1, but this is model other",
        ),
        (["index", str(tmp_path / "none"), *indexed], "none: no such folder"),
        (search, "query: neither a picture nor a text is given"),
        ([*search, "--image", str(tmp_path / "none.png")], "none.png: No such file or directory"),
        ([*search, "--text", "red", "--filter", "price >"], "filter 'price >'"),
        ([*search, "--text", "red", "--out", "sheet.tiff"], "--out sheet.tiff: expected a name that ends"),
        ([*out, str(tmp_path / "pictures" / "red.png" / "a.png")], "a.png: can't be written (File exists)"),
        ([*out, str(tmp_path / "folder.png")], "folder.png: can't be written (Is a directory)"),
    ):
        assert main(arguments) == 2
        error = capsys.readouterr().err.splitlines()[-1:]
        assert error and error[0].startswith("cdd-retrieval: ") and fault in error[0]
