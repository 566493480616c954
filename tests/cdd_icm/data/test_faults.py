"""Bad data, case by case: one line that names file and field, status 2, and `data info` lists all at once."""

import json
import zipfile

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from cdd_icm.cli import main
from cdd_icm.data import load_dialogs
from cdd_icm.data.check import info, preview
from cdd_icm.errors import InputError


def truncated(folder):
    picture = folder / "images/CLEVR_train_000001_2.png"
    picture.write_bytes(picture.read_bytes()[:60])


def not_json(folder):
    (folder / "scenes/CLEVR_train_000001.json").write_text('{"objects": [')


def unknown_class(folder):
    scene = folder / "scenes/CLEVR_train_000001.json"
    scene.write_text(scene.read_text().replace("cube", "cone"))


def no_coordinates(folder):
    scene = folder / "scenes/CLEVR_train_000001.json"
    scene.write_text(scene.read_text().replace("pixel_coords", "coords"))


def place(written):
    def spoil(folder):
        scene = folder / "scenes/CLEVR_train_000001.json"
        scene.write_text(scene.read_text().replace("[160, 60, 9.5]", written, 1))

    return spoil


def twice(folder):
    scene = folder / "scenes/CLEVR_train_000001.json"
    scene.write_text(scene.read_text().replace("sphere", "cube"))


def huge(folder):
    Image.new("1", (9_000, 8_000)).save(folder / "images/CLEVR_train_000001_2.png")


def deep(folder):
    Image.new("I;16", (8, 8)).save(folder / "images/CLEVR_train_000001_2.png")


def swollen(folder):
    text = PngInfo()
    text.add_text("a", 2_000_000 * "a", zip=True)
    Image.new("1", (8, 8)).save(folder / "images/CLEVR_train_000001_2.png", pnginfo=text)


FAULTS = {
    "missing picture": (
        lambda folder: (folder / "images/CLEVR_train_000001_1.png").unlink(),
        "images/CLEVR_train_000001: pictures [0, 2] have a gap",
    ),
    "missing last picture": (
        lambda folder: (folder / "images/CLEVR_train_000001_2.png").unlink(),
        "text/CLEVR_train_000001.txt: 3 lines of text for 2 pictures",
    ),
    "no pictures": (
        lambda folder: [file.unlink() for file in folder.glob("images/*_train_000001_*")],
        "images/CLEVR_train_000001: the dialog has no pictures",
    ),
    "two pictures of a turn": (
        lambda folder: Image.new("1", (8, 8)).save(folder / "images/CLEVR_train_000001_1.jpg"),
        "images/CLEVR_train_000001_1.png: turn 1 is duplicated by images/CLEVR_train_000001_1.jpg",
    ),
    "truncated picture": (truncated, "images/CLEVR_train_000001_2.png: picture can't be decoded"),
    "not a picture": (
        lambda folder: (folder / "images/CLEVR_train_000001_2.png").write_text("a cat"),
        "images/CLEVR_train_000001_2.png: picture can't be decoded (not a picture; 5 bytes)",
    ),
    "picture with too much text": (
        swollen,
        "images/CLEVR_train_000001_2.png: picture can't be decoded (Decompressed data too large",
    ),
    "huge picture": (huge, "images/CLEVR_train_000001_2.png: 9000x8000 are 72000000 pixels, over the limit"),
    "16-bit picture": (deep, "images/CLEVR_train_000001_2.png: mode I;16 has more than 8 bits"),
    "scene that is not JSON": (not_json, "scenes/CLEVR_train_000001.json: not JSON"),
    "unknown class": (unknown_class, "scenes/CLEVR_train_000001.json: objects: unknown class 'red cone'"),
    "scene that is too deep": (
        lambda folder: (folder / "scenes/CLEVR_train_000001.json").write_text("[" * 100_000),
        "scenes/CLEVR_train_000001.json: not JSON (maximum recursion depth exceeded",
    ),
    "scene that is a list": (
        lambda folder: (folder / "scenes/CLEVR_train_000001.json").write_text("[1]"),
        "scenes/CLEVR_train_000001.json: [1] is not a JSON object",
    ),
    "missing field": (no_coordinates, "scenes/CLEVR_train_000001.json: objects: pixel_coords is missing"),
    "place that is no number": (
        place("[160, NaN, 9.5]"),
        "scenes/CLEVR_train_000001.json: objects: pixel_coords: nan is not a finite number",
    ),
    "place that no float holds": (
        place(f"[160, 1{400 * '0'}, 9.5]"),
        f"scenes/CLEVR_train_000001.json: objects: pixel_coords: 1{400 * '0'} is not a finite number",
    ),
    "place that is text": (
        place('"123"'),
        "scenes/CLEVR_train_000001.json: objects: pixel_coords: '123' is not of type list",
    ),
    "place of two numbers": (
        place("[160, 60]"),
        "scenes/CLEVR_train_000001.json: objects: pixel_coords: [160, 60] are not three numbers",
    ),
    "class that comes twice": (
        twice,
        "scenes/CLEVR_train_000001.json: objects: red cube is duplicated",
    ),
    "missing scene": (
        lambda folder: (folder / "scenes/CLEVR_train_000001.json").unlink(),
        "scenes/CLEVR_train_000001.json: No such file or directory",
    ),
    "missing text": (
        lambda folder: (folder / "text/CLEVR_train_000001.txt").unlink(),
        "text/CLEVR_train_000001.txt: No such file or directory",
    ),
    "empty text": (
        lambda folder: (folder / "text/CLEVR_train_000001.txt").write_text("\n"),
        "text/CLEVR_train_000001.txt: the dialog has no text",
    ),
    "empty line": (
        lambda folder: (folder / "text/CLEVR_train_000001.txt").write_text("a\n \nb"),
        "text/CLEVR_train_000001.txt: line 2 is empty",
    ),
    "text that is not UTF-8": (
        lambda folder: (folder / "text/CLEVR_train_000001.txt").write_bytes(b"\xff\xfe\x00"),
        "text/CLEVR_train_000001.txt: UTF-16 text, expected UTF-8",
    ),
}


@pytest.mark.parametrize(("spoil", "says"), FAULTS.values(), ids=FAULTS.keys())
def test_fault_table(iclevr, capsys, spoil, says):
    spoil(iclevr)
    assert main(["data", "info", str(iclevr)]) == 2
    printed = capsys.readouterr()
    lines = [line for line in printed.err.splitlines() if line.startswith("cdd-icm: ")]
    assert len(lines) == 1 and f"{iclevr}/{says}" in lines[0]
    assert printed.out.endswith("\n1 fault\n") and "val: 1 dialogs" in printed.out


def test_all_faults_at_once(iclevr):
    not_json(iclevr)
    (iclevr / "text/CLEVR_train_000000.txt").unlink()
    (iclevr / "images/CLEVR_val_000000_1.png").write_bytes(b"")
    (iclevr / "images/CLEVR_train_000002_0.png").write_bytes(b"x")
    assert len(info(iclevr, progress=False).faults) == 4


def test_broken_zips_beside_a_good_one(iclevr, tmp_path):
    folder = tmp_path / "zips"
    folder.mkdir()
    with zipfile.ZipFile(folder / "b.zip", "w") as archive:
        for file in sorted(iclevr.rglob("*")):
            archive.write(file, file.relative_to(iclevr).as_posix())
    for name in ("a.zip", "c.zip"):
        (folder / name).write_bytes(b"PK")
    later = bytearray((folder / "b.zip").read_bytes())
    later[later.find(b"PK\x01\x02") + 6] = 139  # of the first entry, ten times the version that it needs
    (folder / "d.zip").write_bytes(later)
    found = info(folder, progress=False)
    assert found.splits["train"].dialogs == 3
    assert [fault.split(": ")[:2] for fault in found.faults] == [
        [f"{folder / name}", f"not a readable zip ({says})"]
        for name, says in (
            ("a.zip", "File is not a zip file"),
            ("c.zip", "File is not a zip file"),
            ("d.zip", "zip file version 13.9"),
        )
    ]


def test_the_first_fault_stops_a_reader(iclevr):
    not_json(iclevr)
    with pytest.raises(InputError, match="not JSON"):
        load_dialogs(iclevr)


def test_a_zip_with_a_damaged_member(iclevr, tmp_path):
    path = tmp_path / "all.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(iclevr.rglob("*")):
            archive.write(file, file.relative_to(iclevr).as_posix())
        place = archive.getinfo("images/CLEVR_val_000000_0.png")
    content = bytearray(path.read_bytes())
    content[place.header_offset + 80] ^= 255
    path.write_bytes(content)
    (fault,) = info(path, progress=False).faults
    assert fault.startswith(f"{path}/images/CLEVR_val_000000_0.png: damaged in the zip")


def test_a_zip_with_an_encrypted_member(iclevr, tmp_path):
    path = tmp_path / "all.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(iclevr.rglob("*")):
            archive.write(file, file.relative_to(iclevr).as_posix())
        archive.getinfo("images/CLEVR_val_000000_0.png").flag_bits |= 1
    (fault,) = info(path, progress=False).faults
    assert fault.startswith(f"{path}/images/CLEVR_val_000000_0.png: ") and "encrypted" in fault


@pytest.mark.parametrize("command", [["info"], ["preview", "--out", "x.png"]])
def test_wrong_places(tmp_path, capsys, command):
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.zip").write_bytes(b"PK")
    for name, says in (
        ("nowhere", "no such file or folder"),
        ("empty", "no data of a known kind is here"),
        ("broken.zip", "not a readable zip"),
    ):
        assert main(["data", command[0], str(tmp_path / name), *command[1:]]) == 2
        error = capsys.readouterr().err.strip()
        assert error.startswith(f"cdd-icm: {tmp_path / name}: ") and says in error and "\n" not in error


def test_data_without_the_split(iclevr):
    with pytest.raises(InputError, match="no dialogs of split 'tset'"):
        load_dialogs(iclevr, split="tset")


def test_codraw_faults_all_at_once(tmp_path):
    good = {"msg_t": "a sun", "msg_d": "ok", "abs_d": "1,s_3s.png,0,3,0,253,64,0,1,"}
    scenes = {
        "badid": {"dialog": [good]},
        "../evil_1": {"dialog": [good]},
        "train_1": {"dialog": [good]},
        "train_2": {"dialog": [good | {"abs_d": "1,q_3s.png,0,3,0,253,64,0,1,"}]},
        "train_3": {"dialog": [{"msg_t": "hi"}]},
        "train_4": {"dialog": [good | {"msg_t": "", "msg_d": ""}]},
        "train_5": {"dialog": [good | {"msg_d": None}]},
        "train_6": {"dialog": [good | {"msg_t": " ", "msg_d": "\t"}]},
        "train_7": {"dialog": [good | {"abs_d": "1,s_3s.png,0,3,0,253,64,-1,1,"}]},
        "train_8": {"dialog": [good | {"abs_d": "1,s_3s.png,0,3,0,253,64,0,7,"}]},
        "train_9": {"dialog": [good | {"abs_d": "1,s_3s.png,0,3,0,nan,64,0,1,"}]},
        "train_10": {"dialog": [good | {"msg_t": "a \ud800 sun"}]},
    }
    (tmp_path / "CoDraw.json").write_text(json.dumps({"data": scenes}))
    found = info(tmp_path, progress=False)
    assert found.splits["train"].dialogs == 1
    file = tmp_path / "CoDraw.json"
    for says in (
        f"{tmp_path}/Pngs/background.png: clip art: No such file or directory",
        f"{file}: train_2: dialog[0].abs_d: unknown class of clip art 'q_3s.png'",
        f"{file}: train_3: dialog: KeyError('msg_d')",
        f"{file}: train_4: the dialog has no text",
        f"{file}: train_5: dialog[0].msg_d: None is not of type str",
        f"{file}: train_6: the dialog has no text",
        f"{file}: train_7: dialog[0].abs_d: s_3s.png: x '253', y '64', depth '-1', flip '1'",
        f"{file}: train_8: dialog[0].abs_d: s_3s.png: x '253', y '64', depth '0', flip '7'",
        f"{file}: train_9: dialog[0].abs_d: s_3s.png: x 'nan', y '64', depth '0', flip '1'",
        f"{file}: train_10: dialog[0].msg_t: 'a \\ud800 sun' has a lone surrogate",
        f"{file}: ../evil_1: '../evil_1' is not a dialog's name (<split>_<number>)",
        f"{file}: badid: 'badid' is not a dialog's name (<split>_<number>)",
    ):
        assert says in found.faults


def test_codraw_that_is_not_json(tmp_path):
    (tmp_path / "CoDraw_1_0.json").write_text('{"data": {"train_1"')
    with pytest.raises(InputError, match=r"CoDraw_1_0\.json: not JSON"):
        load_dialogs(tmp_path, clip_art=tmp_path, on_fault=lambda fault: raise_unless_clip_art(fault))
    (tmp_path / "CoDraw_1_0.json").write_text("[" * 100_000)
    with pytest.raises(InputError, match=r"CoDraw_1_0\.json: not JSON \(maximum recursion depth"):
        load_dialogs(tmp_path, clip_art=tmp_path, on_fault=lambda fault: raise_unless_clip_art(fault))
    (tmp_path / "CoDraw_1_0.json").rename(tmp_path / "CoDraw_1_0.json.xz")
    with pytest.raises(InputError, match=r"CoDraw_1_0\.json\.xz: can't be read"):
        load_dialogs(tmp_path, clip_art=tmp_path, on_fault=lambda fault: raise_unless_clip_art(fault))


def raise_unless_clip_art(fault):
    if "clip art" not in str(fault):
        raise fault


def test_info_counts(iclevr):
    found = info(iclevr, progress=False)
    assert found.kind == "iclevr" and not found.faults
    train = found.splits["train"]
    assert (train.dialogs, train.turns, train.words) == (3, 9, [7] * 9)
    assert train.objects == {"red cube": 3, "red sphere": 3, "red cylinder": 3}
    assert sum(train.sizes.values()) == 10 and set(train.sizes) == {(16, 12)}  # nine and the canvas
    assert "train: 3 dialogs, 9 turns (3.00 per dialog)" in str(found)


def test_preview_has_a_row_a_dialog(iclevr):
    one, two = (preview(iclevr, n, split="train") for n in (1, 2))
    assert two.size == (one.width, 2 * one.height)
    assert preview(iclevr, 50).height == 4 * one.height


def test_convert_by_command(iclevr, tmp_path, capsys):
    out = tmp_path / "shards"
    assert main(["data", "convert", str(iclevr), str(out), "--split", "train"]) == 0
    assert capsys.readouterr().out.strip() == str(out / "train-000000.tar")
    assert len(load_dialogs(out)) == 3
