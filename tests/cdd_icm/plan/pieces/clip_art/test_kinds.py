"""Each kind of edit: what it changes is what its words ask for."""

from collections import Counter

import numpy as np
import pytest

from cdd_icm.plan.pieces.clip_art import altering, giving, removing
from cdd_icm.plan.pieces.clip_art.draft import Draft
from cdd_icm.plan.pieces.clip_art.following_up import follow_up
from cdd_icm.plan.pieces.clip_art.kinds import KINDS, OTHERWISE
from cdd_icm.plan.pieces.clip_art.shapes import side_of, wears
from cdd_icm.plan.shared.speech.requests import request
from tests.cdd_icm.plan.pieces.clip_art.scenes import SCENE


def _made(make, number: int = 300, scene=SCENE, touched=("dog", "boy")):
    """Texts with the pieces before and after, by name."""
    rng = np.random.default_rng(7)
    for _ in range(number):
        draft = Draft(rng, scene, touched, list(scene))
        clause = make(draft)
        if clause is None:
            assert tuple(draft.after) == scene  # a kind that gives up has changed nothing
            continue
        assert tuple(draft.after) != scene
        after = {obj.name: obj for obj in draft.after}
        assert len(after) == len(draft.after)
        yield request(rng, [clause]), {obj.name: obj for obj in scene}, after


@pytest.mark.parametrize("make", [make for make, _ in KINDS], ids=lambda make: make.__name__)
def test_each_kind_can_be_made_and_changes_something(make):
    scene = tuple(obj for obj in SCENE if obj.name != "crown") if make is giving.give_both else SCENE
    touched = ("dog",) if make is follow_up else ("dog", "boy")
    texts = [text for text, _, _ in _made(make, 60, scene, touched)]
    assert len(texts) > 3
    assert all(text and "{" not in text for text in texts)


def test_the_shares_add_up_to_one():
    assert sum(share for _, share in KINDS) == pytest.approx(1, abs=0.001)
    assert sum(share for _, share in OTHERWISE) < 0.3


def test_what_is_removed_is_gone_and_the_rest_stays():
    counts = Counter()
    for _, before, after in _made(removing.remove):
        gone = before.keys() - after.keys()
        assert len(gone) == 1 and all(before[name] == obj for name, obj in after.items())
        counts.update(gone)
    assert set(counts) == {obj.name for obj in SCENE}


def test_a_replacement_takes_the_place_and_size_of_the_old_one():
    for text, before, after in _made(removing.replaced):
        (old,), (new,) = before.keys() - after.keys(), after.keys() - before.keys()
        assert abs(before[old].x - after[new].x) < 1e-9, text
        assert before[old].depth == after[new].depth


def test_moves_keep_the_look_and_go_where_the_words_say():
    for text, before, after in _made(altering.move, 600):
        ((name, obj),) = [(n, o) for n, o in after.items() if o != before[n]]
        old = before[name]
        assert obj.look == old.look
        if text.endswith(("to the left", "further left", "leftwards")):
            assert obj.x < old.x, text
        if text.endswith((" up", "higher", "upwards", "in the sky")):
            assert obj.y < 0.35 or obj.y < old.y, text
        if text.endswith((" down", "lower", "downwards", "on the grass")):
            assert obj.y > old.y or obj.y > 0.5, text


def test_sizes_change_by_the_words():
    seen = Counter()
    for text, before, after in _made(altering.resize, 600):
        ((name, obj),) = [(n, o) for n, o in after.items() if o != before[n]]
        change = int(obj.depth - before[name].depth)
        assert obj.look == {**before[name].look, "depth": str(int(obj.depth))}
        if "bigger" in text or "larger" in text:
            seen["bigger"] += 1
            assert change < 0, text
        elif "smaller" in text or "shrink" in text:
            seen["smaller"] += 1
            assert change > 0, text
    assert min(seen.values()) > 20


def test_turned_pieces_face_the_side_that_is_named():
    for text, before, after in _made(altering.turn, 400):
        ((name, obj),) = [(n, o) for n, o in after.items() if o != before[n]]
        assert side_of(obj) != side_of(before[name])
        words = text.lower().rstrip("?.!").split()
        if words[-1] in ("left", "right") and "face" in words:
            assert side_of(obj) == words[-1], text


@pytest.mark.parametrize(("word", "face"), [("smile", "2"), ("laugh", "1"), ("cry", "3"), ("scare", "4")])
def test_moods_are_those_of_the_words(word, face):
    found = 0
    for text, before, after in _made(altering.mood, 900):
        ((name, obj),) = [(n, o) for n, o in after.items() if o != before[n]]
        if text.split()[0] == word or text.endswith(f" {word}") and "big" not in text:
            found += 1
            assert obj.look["face"] == face, text
    assert found


def test_what_is_given_to_wear_is_worn():
    for text, before, after in _made(giving.dress, 200):
        (name,) = after.keys() - before.keys()
        people = [after["boy"], after["girl"]]
        assert any(wears(person, after[name]) for person in people), text


def test_a_follow_up_changes_only_what_the_turn_before_drew():
    for text, before, after in _made(follow_up, 200, touched=("dog",)):
        assert {name for name, obj in before.items() if after.get(name) != obj} == {"dog"}, text
        if text.endswith("smaller"):
            assert after["dog"].depth > before["dog"].depth
        if text.endswith("bigger"):
            assert after["dog"].depth < before["dog"].depth
