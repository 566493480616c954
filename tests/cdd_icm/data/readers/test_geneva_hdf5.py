import json

import h5py
import numpy as np
import pytest

from cdd_icm.data import kind_of, load_dialogs
from cdd_icm.data.check import info
from cdd_icm.data.readers.iclevr import ICLEVR_CLASSES
from cdd_icm.errors import InputError


@pytest.fixture
def clevr_h5(tmp_path):
    """Two dialogs of two turns in GeNeVA's form: all pictures red, which in BGR is the last channel."""
    path = tmp_path / "clevr_train.h5"
    with h5py.File(path, "w") as file:
        file["background"] = np.full((10, 12, 3), 7, np.uint8)
        file["entities"] = json.dumps([" ".join(reversed(name.split())) for name in ICLEVR_CLASSES])
        for id in ("000000", "000001"):
            group = file.create_group(id)
            images = np.zeros((2, 128, 128, 3), np.uint8)
            images[..., 2] = 255
            objects, coords = np.zeros((2, 24)), np.zeros((2, 24, 3))
            objects[:, 1], coords[:, 1] = 1, (64, 32, 9.5)
            objects[1, 0], coords[1, 0] = 1, (96, 64, 11)
            group["images"], group["objects"], group["coords"] = images, objects, coords
            group["text"] = json.dumps(["Add a red cube at the center", "Add a gray cube behind it"])
    return path


@pytest.fixture
def codraw_h5(tmp_path):
    path = tmp_path / "codraw_val.h5"
    with h5py.File(path, "w") as file:
        file["background"] = np.full((128, 128, 3), 7, np.uint8)
        group = file.create_group("0")
        group["images"] = np.zeros((1, 128, 128, 3), np.uint8)
        group["objects"] = np.eye(1, 58, 3)
        group["coords"] = np.full((1, 58, 3), 2)
        group.create_dataset("utterences", data=[b"<teller> a sun"], dtype=h5py.special_dtype(vlen=str))
    return path


def test_iclevr(clevr_h5):
    first, second = load_dialogs(clevr_h5, split="train")
    assert kind_of(clevr_h5) == "iclevr"
    assert (first.split, first.id, second.id) == ("train", "clevr_train_000000", "clevr_train_000001")
    assert [turn.instruction for turn in first.turns][1] == "Add a gray cube behind it"
    # in the order drawn, whatever that of the columns
    assert [(t.name, t.x, t.y, t.depth) for t in first.turns[1].objects] == [
        ("red cube", 0.5, 0.25, 9.5),
        ("gray cube", 0.75, 0.5, 11.0),
    ]
    assert first.turns[0].picture.decode()[0, 0].tolist() == [255, 0, 0]  # RGB
    assert first.canvas.decode().shape == (10, 12, 3)
    assert first.turns[0].picture.key == second.turns[0].picture.key != first.canvas.key


def test_codraw_in_a_folder(codraw_h5):
    (dialog,) = load_dialogs(codraw_h5.parent)
    assert kind_of(codraw_h5.parent) == "codraw"
    assert (dialog.split, dialog.turns[0].instruction) == ("val", "<teller> a sun")
    assert [(t.name, t.x, t.depth) for t in dialog.turns[0].objects] == [("class 03", 2 / 128, 2.0)]


def test_a_split_without_dialogs_hides_no_other(codraw_h5):
    with h5py.File(codraw_h5.with_name("codraw_test.h5"), "w") as file:
        file["background"] = np.full((128, 128, 3), 7, np.uint8)
    assert kind_of(codraw_h5.parent) == "codraw"
    assert [dialog.split for dialog in load_dialogs(codraw_h5.parent)] == ["val"]


def test_codraw_takes_its_names_from_objects_txt(codraw_h5):
    codraw_h5.with_name("objects.txt").write_text("\n".join(f"thing_{i}" for i in range(58)))
    (dialog,) = load_dialogs(codraw_h5)
    assert dialog.turns[0].objects[0].name == "thing_3"
    codraw_h5.with_name("objects.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match=r"objects\.txt: UTF-16 text, expected UTF-8"):
        load_dialogs(codraw_h5)


@pytest.mark.parametrize("key", ["background", "entities", "000001/text", "000001/images", "000001/coords"])
def test_a_wrong_key_is_named(clevr_h5, key):
    with h5py.File(clevr_h5, "a") as file:
        file.move(key, f"{key}_misnamed")
    with pytest.raises(InputError) as error:
        load_dialogs(clevr_h5)
    assert str(error.value).startswith(f"{clevr_h5}: no key '{key}'")


BROKEN = {  # what stands in place of a key, and what is said of it
    "flat background": ("background", np.zeros((8, 8), np.uint8), "is uint8 (8, 8), not uint8 (H, W, 3)"),
    "background of floats": ("background", np.zeros((8, 8, 3)), "is float64 (8, 8, 3), not uint8 (H, W, 3)"),
    "background of text": ("background", "gray", "is object (), not uint8 (H, W, 3)"),
    "entities that are a number": ("entities", "3", "is not a JSON list (it is 3)"),
    "objects of text": ("000001/objects", "none", "is object, not numbers"),
    "coords of text": ("000001/coords", b"none", "is object, not numbers"),
    "coords without numbers": (
        "000001/coords",
        np.full((2, 24, 3), np.nan),
        "has numbers that are not fin",
    ),
    "text that is a number": ("000001/text", 3, "is int64, not text"),
    "text that is too deep": ("000001/text", "[" * 100_000, ": not JSON (maximum recursion depth exceeded"),
    "a dialog that is no group": ("000001", np.zeros(3), "is not a dialog's group"),
    "a dialog that lies nowhere": ("000001", h5py.SoftLink("/nowhere"), ": a link, which may lead to"),
    "half a character": (
        "000001/text",
        '["a \\ud800", "a cube"]',
        ": 'a \\ud800' has a lone surrogate",
    ),
    "blank text": ("000001/text", '["a cube", " "]', ": the dialog, or a turn of it, has no text"),
}


@pytest.mark.parametrize(("key", "value", "says"), BROKEN.values(), ids=BROKEN.keys())
def test_fault_table(clevr_h5, key, value, says):
    with h5py.File(clevr_h5, "a") as file:
        del file[key]
        file[key] = value
    found = info(clevr_h5, progress=False)
    (fault,) = found.faults
    assert fault.startswith(f"{clevr_h5}: {key}{'' if says[0] == ':' else ' '}{says}")
    read = sum(split.dialogs for split in found.splits.values())
    assert read == key.startswith("000001")  # the other dialog


@pytest.mark.parametrize("key", ["objects", "coords"])
def test_a_damaged_chunk(clevr_h5, key):
    with h5py.File(clevr_h5, "a") as file:
        values = file["000001"].pop(key)[()]
        stored = file["000001"].create_dataset(key, data=values, compression="gzip")
        chunk = stored.id.get_chunk_info(0)
    content = bytearray(clevr_h5.read_bytes())
    content[chunk.byte_offset : chunk.byte_offset + chunk.size] = bytes(chunk.size)
    clevr_h5.write_bytes(content)
    found = info(clevr_h5, progress=False)
    (fault,) = found.faults
    assert fault.startswith(f"{clevr_h5}: 000001/{key} can't be read (")
    assert found.splits["train"].dialogs == 1


@pytest.mark.parametrize(("number", "name", "read"), [(0, "", 0), (2, ": 000001", 1)])
def test_a_damaged_group(clevr_h5, number, name, read):
    content = clevr_h5.read_bytes().split(b"TREE")  # a group each, that of the file first
    clevr_h5.write_bytes(b"TREE".join(content[: number + 1]) + b"tree" + b"TREE".join(content[number + 1 :]))
    found = info(clevr_h5, progress=False)
    (fault,) = found.faults
    assert fault.startswith(f"{clevr_h5}{name} can't be read (") and "wrong B-tree signature" in fault
    assert sum(split.dialogs for split in found.splits.values()) == read


def test_wrong_shapes_and_classes(clevr_h5):
    with h5py.File(clevr_h5, "a") as file:
        del file["000001/coords"], file["000000/images"]
        file["000001/coords"] = np.zeros((2, 23, 3))
        file["000000/images"] = np.zeros((2, 128, 128, 3), np.float32)
    faults = []
    assert load_dialogs(clevr_h5, on_fault=faults.append) == []
    assert ["000000/images is float32" in str(faults[0]), "000001/coords has shape" in str(faults[1])] == [
        True
    ] * 2


def test_a_broken_file_before_a_good_one(codraw_h5):
    broken = [codraw_h5.with_name(f"codraw_{name}.h5") for name in ("train", "test", "xtra")]
    for file in broken:
        file.write_bytes(b"something else")
    found = info(codraw_h5.parent, progress=False)
    assert (found.kind, found.splits["val"].dialogs) == ("codraw", 1)
    assert sorted(fault.partition(":")[0] for fault in found.faults) == sorted(map(str, broken))


def test_not_hdf5(tmp_path):
    (tmp_path / "clevr_train.h5").write_bytes(b"something else")
    with pytest.raises(InputError, match=r"clevr_train\.h5: not a readable HDF5 file"):
        load_dialogs(tmp_path)
