from __future__ import annotations

import json

from PIL import Image

from retrieval.cli import main


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
    assert "missing: 1\nmissing: 2\n" in captured.out
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
        ["submission", "check", str(tmp_path / "none.json")],
    ):
        assert main(arguments) == 2
        error = capsys.readouterr().err
        assert error.startswith("cdd-retrieval: ") and error.count("\n") == 1


def test_submission_check(write, capsys):
    path = write("circo.json", {str(i): list(range(50)) for i in range(800)})
    assert main(["submission", "check", str(path)]) == 0
    assert capsys.readouterr().out == f"{path}: CIRCO: 800 queries; image numbers not checked\n"
    path.write_text(json.dumps({"0": [1, 2]}))
    assert main(["submission", "check", str(path)]) == 2
