"""What users of such tools report elsewhere and was right here from the start."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cdd_icm import cli, load_dialogs
from cdd_icm.data.cache import PictureCache
from cdd_icm.data.picture import decode
from cdd_icm.errors import InputError
from cdd_icm.sampling.dialogs import generate_dialogs
from retrieval.images import find
from retrieval.index.build import index
from retrieval.index.store import Store
from tests.cdd_icm.conftest import SAMPLE, tiny_pipeline  # noqa: F401
from tests.retrieval.colours import Colours, paint

ROOT = Path(__file__).parents[1]
RED, BLUE, WHITE = (255, 0, 0), (0, 0, 255), (255, 255, 255)


def halves(mode="RGB"):
    """A picture of 4x2 pixels, red on the left and blue on the right."""
    picture = Image.new("RGB", (4, 2), RED)
    picture.paste(BLUE, (2, 0, 4, 2))
    return picture.convert(mode)


def encoded(picture, format, **options):
    file = io.BytesIO()
    picture.save(file, format, **options)
    return file.getvalue()


def turned(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(halves(), "PNG", exif=exif)


def clear():
    picture = halves("RGBA")
    picture.putpixel((0, 0), (0, 255, 0, 0))
    return picture


PICTURES = {
    "as it is": (encoded(halves(), "PNG"), (2, 4), RED, BLUE),
    "EXIF, upside down": (turned(3), (2, 4), BLUE, RED),
    "EXIF, mirrored": (turned(2), (2, 4), BLUE, RED),
    "EXIF, on its side": (turned(6), (4, 2), RED, BLUE),
    "CMYK": (encoded(halves("CMYK"), "TIFF"), (2, 4), RED, BLUE),
    "palette": (encoded(halves("P"), "PNG"), (2, 4), RED, BLUE),
    "palette with a clear colour": (encoded(halves("P"), "GIF", transparency=0), (2, 4), None, None),
    "alpha": (encoded(clear(), "PNG"), (2, 4), WHITE, BLUE),
    "animated": (
        encoded(halves(), "GIF", save_all=True, append_images=[Image.new("RGB", (4, 2), "green")]),
        (2, 4),
        RED,
        BLUE,
    ),
    "animated WebP": (
        encoded(halves(), "WEBP", save_all=True, append_images=[Image.new("RGB", (4, 2))], lossless=True),
        (2, 4),
        RED,
        BLUE,
    ),
}


@pytest.mark.parametrize(("data", "shape", "first", "last"), PICTURES.values(), ids=PICTURES.keys())
def test_pictures_are_what_a_viewer_shows(data, shape, first, last):
    pixels = decode(data, "picture")
    assert pixels.shape == (*shape, 3) and pixels.dtype == np.uint8
    if first is not None:
        assert (tuple(pixels[0, 0]), tuple(pixels[-1, -1])) == (first, last)


NAMES = ["a b.png", " c .png", "grün.png", "絵.png", "👩‍🎨.png", "a'b\"c.png", "100%.png", "#1.png", "-n.png"]


def test_names_with_spaces_and_other_letters(tmp_path):
    rows = []
    for number, name in enumerate(NAMES):
        paint(tmp_path / "pictures" / name, "red", size=(12, 10 + number))
        rows.append({"file_name": name, "dialog_id": name, "turn": 1, "instruction": name})
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (tmp_path / "pictures" / "metadata.jsonl").write_text(text, encoding="utf-8")
    assert {dialog.id for dialog in load_dialogs(tmp_path / "pictures")} == set(NAMES)
    (tmp_path / "pictures" / "metadata.jsonl").unlink()
    with Store(str(tmp_path / "mine.db"), Colours().fingerprint, Colours.width, create=True) as store:
        assert index(tmp_path / "pictures", store, Colours(), progress=False).added == len(NAMES)
        assert {entry.path for entry in store.entries()} == set(NAMES)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_marks_and_line_ends_of_metadata(tmp_path, end, encoding):
    rows = [{"file_name": f"{n}.png", "dialog_id": "d", "turn": n, "instruction": "ü\u2028b"} for n in (1, 2)]
    for row in rows:
        paint(tmp_path / row["file_name"], "red")
    text = end.join(json.dumps(row, ensure_ascii=False) for row in rows) + end
    (tmp_path / "metadata.jsonl").write_text(text, encoding=encoding, newline="")
    (dialog,) = load_dialogs(tmp_path)
    assert [turn.instruction for turn in dialog.turns] == ["ü\u2028b"] * 2


def test_a_picture_that_was_moved_is_named(tmp_path, capsys):
    paint(tmp_path / "a.png", "red")
    row = {"file_name": "a.png", "dialog_id": "d", "turn": 1, "instruction": "a"}
    (tmp_path / "metadata.jsonl").write_text(json.dumps(row))
    (tmp_path / "a.png").rename(tmp_path / "b.png")
    assert cli.main(["data", "info", str(tmp_path)]) == 2
    said = f"cdd-icm: {tmp_path}/metadata.jsonl:1: file_name: {tmp_path}/a.png: no such file"
    assert said in capsys.readouterr().err.splitlines()


def test_a_picture_on_another_level_is_found(tmp_path):
    from retrieval.benchmarks import triplets

    (tmp_path / "t.jsonl").write_text('{"reference": "a", "text": "t", "target": "b"}')
    benchmark = triplets.read(tmp_path / "t.jsonl")
    paint(tmp_path / "elsewhere" / "a.png", "red")
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "link").symlink_to(tmp_path / "elsewhere")
    paint(tmp_path / "images" / "deep" / "er" / "b.webp", "blue")
    assert find(benchmark, tmp_path / "images").missing == ()


@pytest.mark.slow
def test_a_seed_means_the_same_picture_in_any_batch(tiny_pipeline):  # noqa: F811
    dialogs = load_dialogs(SAMPLE, "test")[:3]
    drawn = [
        generate_dialogs(tiny_pipeline, dialogs, batch_size=size, seed=5, progress=False)
        for size in (1, 2, 3)
    ]
    for other in drawn[1:]:
        for one, same in zip(drawn[0], other, strict=True):
            assert np.abs(one.astype(int) - same).max() <= 1  # sums of another order


@pytest.mark.slow
def test_a_home_that_can_not_be_written_is_no_hindrance(tiny_pipeline, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.setenv("HOME", "/dev/null/home")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    tiny_pipeline.save_pretrained(tmp_path / "m")
    command = ["generate", "--model", str(tmp_path / "m"), "--out", str(tmp_path / "o"), "--device", "cpu"]
    assert cli.main([*command, "--say", "a cube"]) == 0
    with pytest.raises(
        InputError, match="^/dev/null/home/.cache/cdd-icm: the picture cache can't be written"
    ):
        PictureCache.open_or_build(None, [], 8)


@pytest.mark.slow
@pytest.mark.parametrize("module", ["cdd_icm", "retrieval.cli"])
def test_head_ends_the_output_quietly(module):
    command = f"{sys.executable} -m {module} config | head -1; echo ${{PIPESTATUS[0]}}"
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    out = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=ROOT, env=environment)
    first, status = out.stdout.splitlines()
    assert " = " in first and status in ("0", "141") and "Error" not in out.stderr
