import json
import lzma
from collections import Counter

import numpy as np
import pytest

from cdd_icm.data import kind_of, load_dialogs
from cdd_icm.data.codraw_painter import CODRAW_CLASSES
from cdd_icm.data.readers.codraw import count_raw_dialogs, turns_by_geneva

SUN, TREE, BOY, OTHER_BOY = (
    "s_3s.png,0,3,0,250,60,0,0",
    "p_8s.png,1,8,1,100,200,0,0",
    "hb0_1s.png,2,1,2,300,250,0,0",
    "hb0_2s.png,3,2,2,200,250,0,0",
)


def canvas(*pieces):
    return f"{len(pieces)}," + ",".join(pieces) + ","


def scene(*rounds):
    return {
        "dialog": [{"msg_t": teller, "msg_d": drawer, "abs_d": after} for teller, drawer, after in rounds]
    }


def turns(*rounds):
    return [
        (text, sorted(piece.name for piece in pieces))
        for text, pieces in turns_by_geneva(scene(*rounds), "here")
    ]


def test_each_round_that_adds_a_class_is_a_turn():
    assert turns(
        ("Sun, top CENTER.", "ok", canvas(SUN)),
        ("a tree on the left", "where's the hole?", canvas(SUN, TREE)),
    ) == [
        ("<teller> sun top center", ["sun"]),
        ("<teller> a tree on the left <drawer> where's the hole", ["oak tree", "sun"]),
    ]


def test_chitchat_is_dropped_and_texts_of_an_unchanged_canvas_move_to_the_next_turn():
    assert turns(
        ("hi", "hello", ""),
        ("ok now a sun", "done", ""),
        ("it is on the left", "ok", canvas(SUN)),
        ("thanks", "bye", ""),
    ) == [("<teller> now a sun <teller> it is on the left", ["sun"])]


def test_small_talk_changes_nothing():
    assert turns(
        ("Hello!", "ok.", canvas(SUN)), ("a tree", "Ok, thanks. Bye!", ""), ("", "", canvas(SUN, TREE))
    ) == [("<teller> a tree", ["oak tree", "sun"])]


def test_texts_of_a_round_without_a_new_class_move_to_the_next_turn():
    assert turns(
        ("a boy", "", canvas(BOY)),
        ("make him smile", "", canvas(OTHER_BOY)),  # another expression is the same class
        ("a sun", "", canvas(SUN, OTHER_BOY)),
    ) == [("<teller> a boy", ["boy"]), ("<teller> make him smile <teller> a sun", ["boy", "sun"])]


def test_a_canvas_before_any_words_waits_for_them():
    assert turns(("", "ok", canvas(SUN)), ("a sun", "", canvas(SUN, TREE))) == [
        ("<teller> a sun", ["oak tree", "sun"])
    ]


def test_what_is_taken_away_may_come_back():
    assert turns(
        ("a sun and a tree", "", canvas(SUN, TREE)),
        ("no tree", "", canvas(SUN)),
        ("a boy", "", canvas(SUN, BOY)),
    )[1] == ("<teller> no tree <teller> a boy", ["boy", "sun"])


@pytest.fixture
def with_clip_art(real_data):
    return {"clip_art": real_data / "codraw" / "Pngs"}


def test_the_three_layouts_are_the_same_data(tmp_path, with_clip_art):
    scenes = {
        "train_00001": scene(("a sun", "", canvas(SUN))),
        "val_00002": scene(("a sun", "", canvas(SUN)), ("a boy", "", canvas(SUN, BOY))),
    }
    plain, packed, many = tmp_path / "CoDraw.json", tmp_path / "some.json.xz", tmp_path / "many"
    plain.write_text(json.dumps({"count": 2, "data": scenes}))
    packed.write_bytes(lzma.compress(plain.read_bytes()))
    many.mkdir()
    for id, one in scenes.items():
        (many / f"{id}.json").write_text(json.dumps(one))
    read = [load_dialogs(path, **with_clip_art) for path in (plain, packed, many)]
    assert {kind_of(path) for path in (plain, packed, many)} == {"codraw"}
    assert read[0] == read[1] == read[2]
    assert [(d.id, d.split, len(d.turns)) for d in read[0]] == [
        ("train_00001", "train", 1),
        ("val_00002", "val", 2),
    ]


@pytest.mark.slow
def test_real_counts(real_data):
    assert count_raw_dialogs(real_data / "codraw") == {"train": 7989, "val": 1002, "test": 1002}


@pytest.fixture(scope="module")
def real(real_data):
    return {dialog.id: dialog for dialog in load_dialogs(real_data / "codraw", split="val")}


@pytest.mark.slow
def test_every_real_val_dialog_keeps_a_turn(real):
    assert len(real) == 1002
    assert sum(len(dialog.turns) for dialog in real.values()) == 4184
    assert {thing.name for d in real.values() for t in d.turns for thing in t.objects} == set(CODRAW_CLASSES)


def test_a_real_scene_checked_by_eye(real):
    """val_06688: its five pictures were looked at beside its words; these pixels are what was seen."""
    dialog = real["val_06688"]
    assert [len(turn.objects) for turn in dialog.turns] == [1, 2, 3, 4, 6]
    assert "he is wearing a pirate hat" in dialog.turns[2].instruction
    assert Counter(thing.name for thing in dialog.turns[-1].objects) == Counter(
        ["sun", "cloud", "boy", "girl", "pirate hat", "beach ball"]
    )
    pixels = dialog.turns[-1].picture.decode().astype(int)
    assert pixels.shape == (400, 500, 3)

    def colour(name):
        thing = next(thing for thing in dialog.turns[-1].objects if thing.name == name)
        return pixels[round(thing.y * 400), round(thing.x * 500)]

    assert np.abs(colour("sun") - (255, 255, 0)).max() < 8
    assert colour("cloud").min() > 200
    assert np.abs(pixels[395, 250] - pixels[300, 480]).max() < 8 and pixels[395, 250].argmax() == 1  # grass
    hat, boy = (next(t for t in dialog.turns[-1].objects if t.name == name) for name in ("pirate hat", "boy"))
    assert abs(hat.x - boy.x) < 0.05 and hat.y < boy.y  # the hat is on the boy
    assert (dialog.canvas.decode()[10] == dialog.canvas.decode()[10, 0]).all()  # an empty sky
