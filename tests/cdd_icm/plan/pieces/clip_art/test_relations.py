"""Places by other pieces: where they are agrees with the words for them."""

import re

import numpy as np
import pytest

from cdd_icm.plan.pieces.clip_art.draft import new_piece, put
from cdd_icm.plan.pieces.clip_art.mentions import Speaker
from cdd_icm.plan.pieces.clip_art.relations import beside, by_person, moved_by
from cdd_icm.plan.pieces.clip_art.shapes import half_size
from tests.cdd_icm.plan.pieces.clip_art.scenes import SCENE, piece


def _places(name: str, mark, number: int = 600):
    rng = np.random.default_rng(4)
    for _ in range(number):
        obj = new_piece(name, rng)
        spoken = []
        place = beside(obj, (mark,), rng, Speaker(rng, (mark,), ()), spoken.append)
        if place is not None:
            assert spoken == [mark]
            yield put(obj, place, False), place


@pytest.mark.parametrize(
    ("words", "holds"),
    [
        (r"left of|left side of|(to|on) (the .*|his|her)s? left", lambda obj, mark: obj.x < mark.x),
        (r"right of|right side of|(to|on) (the .*|his|her)s? right", lambda obj, mark: obj.x > mark.x),
        (
            r"^(above|over (?!to)|up above|directly above)",
            lambda obj, mark: obj.y < mark.y - half_size(mark)[1],
        ),
        (r"^(next to|beside|near) ", lambda obj, mark: abs(obj.x - mark.x) < 0.35),
        (r"^behind ", lambda obj, mark: obj.depth >= mark.depth and abs(obj.x - mark.x) < 0.1),
    ],
)
@pytest.mark.parametrize("mark", [piece("dog", 0.5, 0.7), piece("boy", 0.45, 0.65, 0)])
def test_a_piece_is_on_the_side_that_the_words_say(words, holds, mark):
    found = [obj for obj, place in _places("cat", mark) if re.search(words, place.text)]
    assert len(found) > 4
    for obj in found:
        assert holds(obj, mark), obj


def test_what_is_on_the_table_is_at_its_top_and_what_is_under_it_at_its_foot():
    table = piece("table", 0.5, 0.7, 0)
    on, under = [], []
    for obj, place in _places("pie", table, 1500):
        if re.search("left|right", place.text):
            continue
        if re.search(r"^(on|onto|on top of) ", place.text):
            on.append(obj)
        elif re.search(r"^(under|underneath|beneath) ", place.text):
            under.append(obj)
    assert on and under
    assert all(obj.y < table.y and abs(obj.x - table.x) < half_size(table)[0] for obj in on)
    assert all(obj.y > table.y and abs(obj.x - table.x) < half_size(table)[0] for obj in under)


def test_hats_go_on_heads_and_balls_in_hands_or_at_feet():
    rng, boy = np.random.default_rng(3), SCENE[1]
    speaker = Speaker(rng, SCENE, ())
    hat = by_person(new_piece("viking hat", rng), boy, rng, speaker)
    assert hat.y < boy.y - 0.1 and abs(hat.x - boy.x) < 0.03 and hat.depth == boy.look["depth"]
    for _ in range(30):
        ball = by_person(new_piece("soccer ball", rng), boy, rng, speaker)
        if "hand" in ball.text:
            assert ball.x > boy.x and abs(ball.y - boy.y) < 0.05  # unmirrored, the boy reaches to the right
        if "feet" in ball.text:
            assert ball.y > boy.y + 0.1


def test_closer_is_nearer_and_away_is_farther():
    rng, dog, sun = np.random.default_rng(5), SCENE[3], SCENE[0]
    said = set()
    for _ in range(200):
        place = moved_by(dog, sun, rng, Speaker(rng, SCENE, ()))
        if place is None:
            continue
        near = abs(place.x - sun.x) < abs(dog.x - sun.x)
        if re.search("closer|nearer|toward", place.text):
            said.add("closer")
            assert near
        elif re.search("away|further|farther", place.text):
            said.add("away")
            assert not near
    assert said == {"closer", "away"}
