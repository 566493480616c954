import json

import numpy as np
import pytest
from PIL import Image

from cdd_icm.data import SceneObject, kind_of, load_dialogs
from cdd_icm.errors import InputError


@pytest.fixture
def write(tmp_path):
    def write(rows, folder=tmp_path):
        folder.mkdir(exist_ok=True)
        for row in rows:
            Image.new("RGB", (20, 10), (len(row.get("instruction") or ""), 0, 0)).save(
                folder / row["file_name"]
            )
        (folder / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
        return tmp_path

    return write


def row(dialog, turn, instruction=None, **fields):
    fields = {"file_name": f"{dialog}_{turn}.png", "dialog_id": dialog, "turn": turn} | fields
    return fields if instruction is None else fields | {"instruction": instruction}


def test_rows_become_dialogs_in_order(write):
    objects = [{"name": "cat", "x": 0.25, "y": 0.5, "look": {"pose": "asleep"}}]
    path = write(
        [row("b", 2, "a dog"), row("b", 1, "a cat", objects=objects), row("a", 0, "a sun", split="val")]
    )
    b, a = load_dialogs(path)
    assert kind_of(path) == "folder"
    assert [(turn.instruction, turn.objects) for turn in b.turns] == [
        ("a cat", (SceneObject("cat", 0.25, 0.5, 0.0, {"pose": "asleep"}),)),
        ("a dog", None),
    ]
    assert (a.id, a.split, b.split) == ("a", "val", "train")
    assert load_dialogs(path, split="val") == [a]


def test_canvas_is_turn_0_then_canvas_png_then_white(write, tmp_path):
    path = write([row("a", 0), row("a", 1, "a sun")])
    assert load_dialogs(path)[0].canvas.decode()[0, 0].tolist() == [0, 0, 0]
    path = write([row("a", 1, "a sun")])
    assert np.array_equal(load_dialogs(path)[0].canvas.decode(), np.full((10, 20, 3), 255))
    Image.new("RGB", (20, 10), (1, 2, 3)).save(tmp_path / "canvas.png")
    assert load_dialogs(path)[0].canvas.decode()[0, 0].tolist() == [1, 2, 3]


def test_a_folder_a_split(write, tmp_path):
    write([row("a", 1, "a sun")], tmp_path / "train")
    write([row("b", 1, "a cat")], tmp_path / "test")
    assert [(d.split, d.id) for d in load_dialogs(tmp_path)] == [("test", "b"), ("train", "a")]


def test_pictures_of_any_mode(write, tmp_path):
    path = write([row("a", 1, "grey"), row("a", 2, "clear"), row("a", 3, "palette")])
    Image.new("L", (20, 10), 77).save(tmp_path / "a_1.png")
    Image.new("RGBA", (20, 10), (255, 0, 0, 0)).save(tmp_path / "a_2.png")
    Image.new("RGB", (20, 10), (9, 8, 7)).quantize(4).save(tmp_path / "a_3.png")
    grey, clear, palette = (turn.picture.decode()[0, 0].tolist() for turn in load_dialogs(path)[0].turns)
    assert (grey, clear, palette) == ([77, 77, 77], [255, 255, 255], [9, 8, 7])


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"turn": "one"}, "metadata.jsonl:1: turn: 'one' is not of type int"),
        ({"instruction": "  "}, "metadata.jsonl:1: instruction: turn 1 of dialog 'a' has no text"),
        ({"file_name": "../a_1.png"}, "metadata.jsonl:1: file_name: '../a_1.png' leaves the folder"),
        ({"file_name": 5000 * "a"}, f"{5000 * 'a'}: no such file"),
        ({"objects": [{"name": "cat", "x": 160, "y": 3}]}, "metadata.jsonl:1: objects: x 160"),
        (
            {"objects": [{"name": "cat", "x": 10**400, "y": 3}]},
            f"metadata.jsonl:1: 1{'0' * 39} needs more than 64 bits",
        ),
        (
            {"objects": [{"name": "cat", "x": 0, "y": 0, "look": {"pose": 3}}]},
            "1: objects: look: pose: 3 is not",
        ),
        ({"objects": [{"x": 0.1, "y": 0.1}]}, "metadata.jsonl:1: objects: name is missing"),
        ({"instruction": "a \ud800 sun"}, "instruction: 'a \\ud800 sun' has a lone surrogate"),
        ({"split": "../evil"}, "metadata.jsonl:1: split: '../evil' can't name a file"),
        ({"split": "train/easy"}, "metadata.jsonl:1: split: 'train/easy' can't name a file"),
        ({"split": ""}, "metadata.jsonl:1: split: '' can't name a file"),
        ({"dialog_id": ".."}, "metadata.jsonl:1: dialog_id: '..' can't name a file"),
        ({"turn": 4}, "dialog 'a' has turns [4]"),
    ],
)
def test_faulty_rows(write, tmp_path, fields, says):
    path = write([row("a", 1, "a sun")])
    (tmp_path / "metadata.jsonl").write_text(json.dumps(row("a", 1, "a sun") | fields))
    with pytest.raises(InputError) as error:
        load_dialogs(path)
    assert says in str(error.value)


def test_all_faults_at_once_and_the_good_dialogs_stay(write, tmp_path):
    path = write([row("a", 1, "a sun"), row("b", 1, "a cat"), row("c", 1, "a dog"), row("c", 3, "a hat")])
    (tmp_path / "b_1.png").unlink()
    with open(tmp_path / "metadata.jsonl", "a") as file:
        file.write("{not json\n" + "[" * 100_000)
    faults = []
    dialogs = load_dialogs(path, on_fault=faults.append)
    assert [dialog.id for dialog in dialogs] == ["a"]
    assert len(faults) == 4
    text = "\n".join(map(str, faults))
    assert (
        "b_1.png: no such file" in text
        and "metadata.jsonl:5: not JSON" in text
        and "metadata.jsonl:6: not JSON" in text
    )
    assert "turns [1, 3]" in text
