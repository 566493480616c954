"""Whatever is given, the answer is one line: tables of what goes in, and the line that comes out."""

import json
from pathlib import Path

import pytest
from PIL import Image

from cdd_icm import CDDICMPipeline, cli, load_config, load_dialogs
from cdd_icm.errors import InputError
from cdd_icm.evaluation.report import read_report
from cdd_icm.io import parse_json
from cdd_icm.sources import local_path
from cdd_icm.text import decode_text, read_text
from retrieval import cli as retrieval_cli
from retrieval.evaluation.report import read_report as read_retrieval_report
from tests.cdd_icm.conftest import tiny_pipeline  # noqa: F401
from tests.retrieval.conftest import make_model  # noqa: F401

ROOT = Path(__file__).parents[1]
SAMPLE = ROOT / "data" / "iclevr_sample"
TINY = str(ROOT / "configs/generate/tiny.yaml")

# --- encodings -------------------------------------------------------------------------------------------

TEXT = 'füge "a" hinzu'

ENCODINGS = {
    "UTF-16": (TEXT.encode("utf-16"), "f: UTF-16 text, expected UTF-8 (convert it: iconv -f UTF-16 -t UTF-8"),
    "UTF-16, no mark": (TEXT.encode("utf-16-le"), "f: UTF-16-LE text, expected UTF-8"),
    "UTF-16, big end first": (b"\xfe\xff" + TEXT.encode("utf-16-be"), "f: UTF-16 text, expected UTF-8"),
    "UTF-32": (TEXT.encode("utf-32"), "f: UTF-32 text, expected UTF-8"),
    "Latin-1": (
        f"a\n{TEXT}".encode("latin-1"),
        "f: not UTF-8 text (byte 0xfc on line 2); if it is Latin-1, convert it: iconv -f LATIN1 -t UTF-8",
    ),
    "Shift JIS": ("絵を描く".encode("shift-jis"), "f: not UTF-8 text (byte 0x8a on line 1)"),
    "cut in a character": ("a絵".encode()[:-1], "f: not UTF-8 text (byte 0xe7 on line 1)"),
    "NUL": (b"add a\ncube\0", "f: a NUL character on line 2, expected text"),
}


@pytest.mark.parametrize(("encoded", "line"), ENCODINGS.values(), ids=ENCODINGS.keys())
def test_other_encodings_are_named(encoded, line):
    with pytest.raises(InputError) as refused:
        decode_text(encoded, "f")
    assert str(refused.value).startswith(line) and "\n" not in str(refused.value)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_utf_8_is_read_with_and_without_its_mark(tmp_path, encoding):
    (tmp_path / "f").write_text(TEXT, encoding=encoding)
    assert read_text(tmp_path / "f") == TEXT
    assert parse_json(json.dumps([TEXT], ensure_ascii=False).encode(encoding), "f") == [TEXT]


PICTURE_ROW = '{"file_name": "a.png", "dialog_id": 1, "turn": 1, "instruction": "füge"}'

READ = {
    "config": ("c.yaml", "output_dir: füge", ["train", "FILE"]),
    "dialog": ("d.txt", "füge", ["generate", "--model", "m", "--out", "o", "--dialog", "FILE"]),
    "metadata": ("metadata.jsonl", PICTURE_ROW, ["data", "info", "FOLDER"]),
    "i-CLEVR": ("text/CLEVR_train_000001.txt", "füge", ["data", "info", "FOLDER"]),
    "CoDraw": ("CoDraw.json", '{"data": {"ü": 1}}', ["data", "info", "FILE"]),
    "sentences": ("s.jsonl", '{"kind": "ü"}', ["sentences", "FILE", "--model", "m", "--report", "OUT.json"]),
    "report": ("r.json", '{"name": "ü"}', ["compare", "FILE"]),
    "retrieval report": ("r.json", '{"name": "ü"}', ["retrieval", "compare", "FILE"]),
    "benchmark": ("t.jsonl", '{"text": "ü"}', ["retrieval", "benchmark", "info", "triplets", "FILE"]),
    "submission": ("s.json", '{"ü": []}', ["retrieval", "submission", "check", "FILE"]),
    "retrieval config": ("c.yaml", "composer: füge", ["retrieval", "train", "FILE"]),
}


@pytest.mark.parametrize(("name", "text", "command"), READ.values(), ids=READ.keys())
@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_every_text_file_is_read_in_one_encoding(tmp_path, capsys, name, text, command, encoding):
    file = tmp_path / "in" / name
    file.parent.mkdir(parents=True)
    file.write_bytes(text.encode(encoding))
    if name.startswith("text/"):
        (tmp_path / "in/images").mkdir()
        Image.new("RGB", (8, 8)).save(tmp_path / "in/images/CLEVR_train_000001_0.png")
    Image.new("RGB", (8, 8)).save(file.parent / "a.png")
    program, *rest = command if command[0] == "retrieval" else ["", *command]
    places = {"FILE": str(file), "FOLDER": str(tmp_path / "in"), "OUT.json": str(tmp_path / "out.json")}
    main = retrieval_cli.main if program else cli.main
    assert main([places.get(each, each) for each in rest]) == 2
    error = capsys.readouterr().err
    expected = (
        "UTF-16 text, expected UTF-8" if encoding == "utf-16" else "not UTF-8 text (byte 0xfc on line 1)"
    )
    (line,) = (line for line in error.splitlines() if f"{file}" in line)  # `info` lists other faults, too
    assert expected in line and (error.count("\n") == 1 or "info" in command)


# --- characters and paths --------------------------------------------------------------------------------

LONG = "a" * 5000

COMMANDS = {
    "train": (cli, ["train", "X"]),
    "override": (cli, ["train", TINY, "output_dir=X"]),
    "info": (cli, ["data", "info", "X"]),
    "convert": (cli, ["data", "convert", str(SAMPLE), "X"]),
    "preview": (cli, ["data", "preview", str(SAMPLE), "--out", "X"]),
    "generate, model": (cli, ["generate", "--say", "a", "--out", "o", "--model", "X"]),
    "generate, dialog": (cli, ["generate", "--dialog", "X", "--out", "o", "--model", "m"]),
    "generate, data": (cli, ["generate", "--data", "X", "--out", "o", "--model", "m"]),
    "evaluate, report": (cli, ["evaluate", "--model", "m", "--data", str(SAMPLE), "--report", "X.json"]),
    "evaluate, data": (cli, ["evaluate", "--model", "m", "--data", "X", "--report", "OUT/r.json"]),
    "compare": (cli, ["compare", "X"]),
    "sentences": (cli, ["sentences", "X", "--model", "m", "--report", "OUT/r.json"]),
    "benchmark": (retrieval_cli, ["benchmark", "info", "cirr", "X"]),
    "benchmark, images": (retrieval_cli, ["benchmark", "info", "triplets", "TRIPLETS", "--images", "X"]),
    "retrieval train": (retrieval_cli, ["train", "X"]),
    "retrieval model": (
        retrieval_cli,
        ["evaluate", "--model", "X", "--data", str(SAMPLE), "--report", "r.json"],
    ),
    "retrieval compare": (retrieval_cli, ["compare", "X"]),
    "submission": (retrieval_cli, ["submission", "check", "X"]),
    "index, model": (retrieval_cli, ["index", str(SAMPLE), "--store", "OUT/s.db", "--model", "X"]),
    "search, image": (retrieval_cli, ["search", "--store", "OUT/s.db", "--image", "X"]),
    "search, out": (retrieval_cli, ["search", "--store", "OUT/s.db", "--text", "a", "--out", "X.png"]),
    "search, store": (retrieval_cli, ["search", "--store", "X.db", "--text", "a"]),
    "status": (retrieval_cli, ["status", "--store", "X.db"]),
    "remove": (retrieval_cli, ["remove", "a", "--store", "OUT/s.db", "--model", "X"]),
}

GIVEN = {
    "NUL": ("a\0b", ("a\\x00b", " has a NUL character\n")),
    "surrogate": ("a\udcffb", ("a\\udcffb", " has a lone surrogate\n")),
    "too long": (LONG, None),
}


@pytest.mark.parametrize(("module", "command"), COMMANDS.values(), ids=COMMANDS.keys())
@pytest.mark.parametrize(("given", "line"), GIVEN.values(), ids=GIVEN.keys())
def test_any_argument_is_answered_in_one_line(tmp_path, capsys, monkeypatch, module, command, given, line):
    monkeypatch.chdir(tmp_path)
    rows = [{"reference": "a", "text": "b", "target": "c"}]
    (tmp_path / "t.jsonl").write_text("\n".join(map(json.dumps, rows)))
    arguments = [each.replace("TRIPLETS", "t.jsonl").replace("OUT", str(tmp_path)) for each in command]
    arguments = [each.replace("X", given) if each[0] == "X" or "=X" in each else each for each in arguments]
    assert module.main(arguments) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and ": " in error
    if line is not None:
        shown, reason = line
        assert ": argument: '" in error and shown in error and error.endswith(reason)


FOLDERS = {
    "train": (cli, ["train", "X"]),
    "compare": (cli, ["compare", "X"]),
    "dialog": (cli, ["generate", "--dialog", "X", "--out", "o", "--model", "m"]),
    "sentences": (cli, ["sentences", "X", "--model", "m", "--report", "r.json"]),
    "retrieval compare": (retrieval_cli, ["compare", "X"]),
    "retrieval train": (retrieval_cli, ["train", "X"]),
    "submission": (retrieval_cli, ["submission", "check", "X"]),
    "benchmark": (retrieval_cli, ["benchmark", "info", "triplets", "X"]),
    "image": (retrieval_cli, ["search", "--store", "s.db", "--image", "X"]),
}


@pytest.mark.parametrize(("module", "command"), FOLDERS.values(), ids=FOLDERS.keys())
def test_a_folder_is_no_file(tmp_path, capsys, monkeypatch, module, command):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "X").mkdir()
    assert module.main(command) == 2
    assert capsys.readouterr().err.endswith(": X: Is a directory\n")


OUTPUTS = {
    "convert": (["data", "convert", str(SAMPLE), "X"], ": X: already exists\n"),
    "preview": (
        ["data", "preview", str(SAMPLE), "--out", "X.png"],
        ": X.png: can't be written (Is a directory)\n",
    ),
    "report": (
        ["evaluate", "--model", "m", "--data", "d", "--report", "X.json"],
        ": X.json: can't be written (Is a directory)\n",
    ),
}


@pytest.mark.parametrize(("command", "line"), OUTPUTS.values(), ids=OUTPUTS.keys())
def test_a_folder_where_a_file_is_written(tmp_path, capsys, monkeypatch, command, line):
    monkeypatch.chdir(tmp_path)
    for name in ("X", "X.png", "X.json"):
        (tmp_path / name).mkdir()
    assert cli.main(command) == 2
    assert capsys.readouterr().err.endswith(line)


CONFIGS = {
    "NUL": ('output_dir: "a\\0b"', "output_dir: 'a\\x00b' has a NUL character"),
    "surrogate": ('output_dir: "\\ud800"', "output_dir: '\\ud800' has a lone surrogate"),
    "in a section": ('data: {path: "\\0"}', "data: path: '\\x00' has a NUL character"),
    "in a list": ('objective: {augmentations: ["a", "\\0"]}', "'\\x00' has a NUL character"),
}


@pytest.mark.parametrize(("text", "line"), CONFIGS.values(), ids=CONFIGS.keys())
def test_characters_of_a_config(tmp_path, text, line):
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(InputError) as refused:
        load_config(tmp_path / "c.yaml")
    assert str(refused.value).startswith(f"{tmp_path / 'c.yaml'}: ") and line in str(refused.value)


PATHS = {
    "NUL": ("a\0", "path: 'a\\x00' has a NUL character"),
    "surrogate": ("\ud800", "path: '\\ud800' has a lone surrogate"),
    "too long": (LONG, f"{80 * 'a'}...: the path is too long"),
    "nothing": (None, "path: None, expected text or a path"),
    "a number": (3, "path: 3, expected text or a path"),
    "a list": (["a"], "path: list, expected text or a path"),
}

READERS = (
    *(local_path, load_config, load_dialogs, CDDICMPipeline.from_pretrained),
    *(read_report, read_retrieval_report),
)


@pytest.mark.parametrize("read", READERS, ids=lambda read: getattr(read, "__qualname__", str(read)))
@pytest.mark.parametrize(("path", "line"), PATHS.values(), ids=PATHS.keys())
def test_paths_from_python(read, path, line):
    with pytest.raises(InputError) as refused:
        read(path)
    assert str(refused.value) == line
