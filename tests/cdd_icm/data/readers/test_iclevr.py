import zipfile
from collections import Counter

import numpy as np
import pytest

from cdd_icm.data import SceneObject, kind_of, load_dialogs
from cdd_icm.data.readers.iclevr import ICLEVR_CLASSES


def zipped(folder, path, prefix=""):
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, prefix + file.relative_to(folder).as_posix())
    return path


def shape_of(dialogs):
    """What must not depend on where the dialogs were stored."""
    return [
        (d.id, d.split, d.canvas.key, [(t.instruction, t.picture.key, t.objects) for t in d.turns])
        for d in dialogs
    ]


def test_turns_objects_and_pictures(iclevr):
    dialogs = load_dialogs(iclevr)
    assert kind_of(iclevr) == "iclevr"
    assert [(d.split, d.id) for d in dialogs] == [
        ("train", "CLEVR_train_000000"),
        ("train", "CLEVR_train_000001"),
        ("train", "CLEVR_train_000002"),
        ("val", "CLEVR_val_000000"),
    ]
    dialog = dialogs[1]
    assert [turn.instruction for turn in dialog.turns][2] == "Add a red cylinder on the left"
    assert dialog.turns[1].objects == (
        SceneObject("red cube", 0.5, 0.25, 9.5),
        SceneObject("red sphere", 170 / 320, 0.25, 9.5),
    )
    assert dialog.reference(0) is dialog.canvas
    assert dialog.reference(2) is dialog.turns[1].picture
    assert dialog.turns[2].picture.decode().shape == (12, 16, 3)
    assert np.all(dialog.turns[2].picture.decode()[2, 1] == (200, 30, 5))


def test_a_zip_a_folder_of_zips_and_a_prefix_are_the_same_data(iclevr, tmp_path):
    expected = shape_of(load_dialogs(iclevr))
    assert shape_of(load_dialogs(zipped(iclevr, tmp_path / "all.zip"))) == expected
    (tmp_path / "zips").mkdir()
    zipped(iclevr, tmp_path / "zips" / "any_name.zip", prefix="i-CLEVR/")
    assert shape_of(load_dialogs(tmp_path / "zips")) == expected


def test_any_split_name_suffix_and_first_turn(make_iclevr, tmp_path):
    make_iclevr(tmp_path, 1, "my_test_2", suffix=".jpg", first_turn=1)
    (dialog,) = load_dialogs(tmp_path)
    assert load_dialogs(tmp_path, split="my_test_2") == [dialog]
    assert (dialog.split, len(dialog.turns)) == ("my_test_2", 3)


def test_a_byte_order_mark_is_no_text(iclevr):
    text = iclevr / "text/CLEVR_val_000000.txt"
    text.write_text(text.read_text(), encoding="utf-8-sig")
    (dialog,) = load_dialogs(iclevr, split="val")
    assert dialog.turns[0].instruction == "Add a red cube on the left"


def test_without_scenes_there_are_no_objects(iclevr):
    for scene in (iclevr / "scenes").iterdir():
        scene.unlink()
    assert load_dialogs(iclevr)[0].turns[0].objects is None


def test_a_zip_crosses_into_other_processes(iclevr, tmp_path):
    import pickle

    (dialog, *_) = load_dialogs(zipped(iclevr, tmp_path / "all.zip"))
    copy = pickle.loads(pickle.dumps(dialog))
    assert np.array_equal(copy.turns[0].picture.decode(), dialog.turns[0].picture.decode())


@pytest.fixture(scope="module")
def real(real_data):
    return load_dialogs(real_data / "iclevr")


def test_real_counts(real):
    assert Counter(dialog.split for dialog in real) == {"train": 3288, "val": 200, "test": 400}
    assert {len(dialog.turns) for dialog in real} == {5}
    classes = {thing.name for dialog in real for thing in dialog.turns[-1].objects}
    assert classes == set(ICLEVR_CLASSES) and len(ICLEVR_CLASSES) == 24


def test_real_dialog(real):
    dialog = next(dialog for dialog in real if dialog.id == "CLEVR_test_000000")
    assert dialog.turns[1].instruction == "Add a purple sphere in front of it on the left"
    assert dialog.turns[1].objects[1] == SceneObject("purple sphere", 118 / 320, 138 / 240, 9.0519)
    before, after = (turn.picture.decode().astype(int) for turn in dialog.turns[:2])
    y, x = round(120 * 138 / 240), round(160 * 118 / 320)
    red, green, blue = after[y, x]
    assert red > green + 20 and blue > green + 20  # purple, where the annotation says
    assert np.abs(after - before).sum(2)[y, x] > 60
