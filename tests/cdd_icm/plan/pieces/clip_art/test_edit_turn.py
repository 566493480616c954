"""Requests about scenes of clip art: what the text says is what is asked for."""

from collections import Counter

import numpy as np
import pytest

from cdd_icm.data.codraw_painter import CODRAW_CLASSES
from cdd_icm.data.dialog import SceneObject
from cdd_icm.plan.pieces.clip_art.edit_turn import edit_turn
from cdd_icm.plan.pieces.clip_art.names import GENERAL, MANY, NAMES
from cdd_icm.plan.pieces.clip_art.places import by_person, in_picture
from cdd_icm.plan.shared.intents import INTENTS

PERSON = {"depth": "1", "flip": "0", "pose": "0", "face": "0"}
PIECE = {"depth": "1", "flip": "0"}
SCENE = (
    SceneObject("sun", 0.2, 0.1, 1.0, PIECE),
    SceneObject("boy", 0.3, 0.6, 1.0, PERSON),
    SceneObject("dog", 0.7, 0.7, 1.0, PIECE),
    SceneObject("pine tree", 0.9, 0.5, 0.0, {"depth": "0", "flip": "0"}),
)


@pytest.fixture(scope="module")
def requests():
    rng = np.random.default_rng(0)
    return [edit_turn(SCENE, ("dog",), rng) for _ in range(3000)]


def test_every_class_has_names():
    assert set(NAMES) == set(CODRAW_CLASSES)
    for members in (*GENERAL.values(), *MANY.values()):
        assert set(members) <= set(CODRAW_CLASSES)


def test_all_intents_occur_and_only_changes_change(requests):
    shares = Counter(request.intent for request in requests)
    assert set(shares) == set(INTENTS)
    assert shares["change"] > 0.7 * len(requests)
    for request in requests:
        assert (request.before != request.after) == (request.intent == "change"), request


def test_scenes_stay_valid(requests):
    for request in requests:
        names = [obj.name for obj in request.after]
        assert len(names) == len(set(names)) and set(names) <= set(CODRAW_CLASSES)
        for obj in request.after:
            assert 0 <= obj.x <= 1 and 0 <= obj.y <= 1
            assert obj.look["depth"] in "012" and obj.look["flip"] in "01"
            assert obj.depth == float(obj.look["depth"])
            assert (obj.name in ("boy", "girl")) == ("pose" in obj.look) == ("face" in obj.look)


def test_what_is_not_spoken_of_stays(requests):
    """At most three edits, each of one or two pieces, but for removing many."""
    for request in requests:
        after = {obj.name: obj for obj in request.after}
        changed = sum(obj.name in after and after[obj.name] != obj for obj in request.before)
        assert (
            changed <= 6
            and sum(obj.name not in {old.name for old in request.before} for obj in after.values()) <= 3
        )


def test_the_same_numbers_make_the_same_request():
    one, other = (edit_turn(SCENE, (), np.random.default_rng(5)) for _ in range(2))
    assert one == other


def test_the_empty_canvas_can_be_asked_for_anything_but_changes():
    rng = np.random.default_rng(1)
    for _ in range(300):
        request = edit_turn((), (), rng)
        assert request.before == () and (request.after or request.intent != "change")


@pytest.mark.parametrize(
    ("word", "holds"),
    [
        ("left", lambda place: place.x < 0.35),
        ("right", lambda place: place.x > 0.65),
        ("middle", lambda place: 0.4 < place.x < 0.6),
        ("sky", lambda place: place.y < 0.35),
        ("grass", lambda place: place.y > 0.6),
        ("corner", lambda place: abs(place.x - 0.5) > 0.25 and abs(place.y - 0.5) > 0.2),
    ],
)
def test_places_are_where_the_words_say(word, holds):
    rng, found = np.random.default_rng(2), 0
    for _ in range(2000):
        place = in_picture("dog", rng)
        if word in place.text.replace("right in the", "in the").split():
            found += 1
            assert holds(place), place
    assert found > 20


def test_a_hat_goes_above_the_person_and_a_ball_on_the_side_the_person_faces():
    rng, boy = np.random.default_rng(3), SCENE[1]
    hat = by_person("crown", boy, rng, lambda obj: obj.name)
    assert hat.y < boy.y - 0.1 and abs(hat.x - boy.x) < 0.03
    ball = by_person("beach ball", boy, rng, lambda obj: obj.name)
    assert ball.x > boy.x  # unmirrored, the boy faces right
