"""Requests about scenes of clip art: what the text says is what is asked for."""

import re
from collections import Counter

import numpy as np
import pytest

from cdd_icm.data.codraw_painter import CODRAW_CLASSES
from cdd_icm.plan.pieces.clip_art.draft import new_piece
from cdd_icm.plan.pieces.clip_art.edit_turn import edit_turn, plain_turn
from cdd_icm.plan.pieces.clip_art.kinds import OTHERWISE
from cdd_icm.plan.pieces.clip_art.lacked_things import LACKED
from cdd_icm.plan.pieces.clip_art.names import GENERAL, MANY, NAMES, VOCABULARY
from cdd_icm.plan.pieces.clip_art.places import in_picture
from cdd_icm.plan.shared.intents import INTENTS
from cdd_icm.plan.shared.speech.mistakes import slip
from tests.cdd_icm.plan.pieces.clip_art.scenes import SCENE

SELDOM_NAMED = re.compile(
    "dress|look like|(be|into) an? (king|queen|viking|pirate|witch|wizard|magician|chef|cook|baker|baseball)|"
    "hats?|camp|bbq|barbecue|grill|rain|sunny|sun|storm|thunder|fly|cloud|pie|plant|tree|grow|fire"
)
"""Idioms mean a piece without naming it."""


@pytest.fixture(scope="module")
def requests():
    rng = np.random.default_rng(0)
    return [edit_turn(SCENE, ("dog",), rng) for _ in range(5000)]


def test_every_class_has_names():
    assert set(NAMES) == set(CODRAW_CLASSES)
    for members in (*GENERAL.values(), *MANY.values()):
        assert set(members) <= set(CODRAW_CLASSES)


def test_no_name_is_that_of_two_classes():
    owners = Counter(word for words in NAMES.values() for word in set(words))
    assert [word for word, count in owners.items() if count > 1] == []


def test_what_the_world_lacks_is_no_name_of_what_it_has():
    assert len(set(LACKED)) > 500
    assert not set(LACKED) & {word for words in NAMES.values() for word in words}


def test_intents_have_their_shares_and_only_changes_change(requests):
    counts = Counter(request.intent for request in requests)
    assert set(counts) == set(INTENTS)
    for intent, share in OTHERWISE:
        assert 0.75 * share < counts[intent] / len(requests) < 1.3 * share, intent
    for request in requests:
        assert (request.before != request.after) == (request.intent == "change"), request.instruction


def test_scenes_stay_valid(requests):
    for request in requests:
        names = [obj.name for obj in request.after]
        assert len(names) == len(set(names)) and set(names) <= set(CODRAW_CLASSES)
        for obj in request.after:
            assert 0 <= obj.x <= 1 and 0 <= obj.y <= 1
            assert obj.look["depth"] in "012" and obj.look["flip"] in "01"
            assert obj.depth == float(obj.look["depth"])
            assert (obj.name in ("boy", "girl")) == ("pose" in obj.look) == ("face" in obj.look)


def test_what_is_added_is_named():
    rng, unnamed = np.random.default_rng(6), 0
    for _ in range(2500):
        request = plain_turn(SCENE, ("dog",), rng)
        text = request.instruction.lower()
        for name in {obj.name for obj in request.after} - {obj.name for obj in request.before}:
            general = [word for word, members in (*GENERAL.items(), *MANY.items()) if name in members]
            if not any(word.lower() in text for word in (*NAMES[name], *general)):
                assert SELDOM_NAMED.search(text), (name, text)
                unnamed += 1
    assert unnamed < 60


def test_requests_differ(requests):
    assert len({request.instruction for request in requests}) > 0.98 * len(requests)


def test_the_same_numbers_make_the_same_request():
    one, other = (edit_turn(SCENE, (), np.random.default_rng(5)) for _ in range(2))
    assert one == other


def test_the_empty_canvas_can_be_asked_for_anything_but_changes():
    rng = np.random.default_rng(1)
    for _ in range(300):
        request = edit_turn((), (), rng)
        assert request.before == () and (request.after or request.intent != "change")


def test_a_piece_that_is_touched_but_gone_is_not_spoken_of():
    assert edit_turn(SCENE, ("snake", "dog"), np.random.default_rng(2)).touched == ("dog",)


@pytest.mark.parametrize(
    ("word", "holds"),
    [
        ("left", lambda place: place.x < 0.5),
        ("right", lambda place: place.x > 0.5),
        ("corner", lambda place: abs(place.x - 0.5) > 0.3),
        ("sky", lambda place: place.y < 0.35),
        ("grass", lambda place: place.y > 0.6),
        ("corner", lambda place: abs(place.x - 0.5) > 0.25 and abs(place.y - 0.5) > 0.2),
    ],
)
def test_places_are_where_the_words_say(word, holds):
    rng, found = np.random.default_rng(2), 0
    for _ in range(2000):
        place = in_picture(new_piece("dog", rng), rng)
        if word in re.sub("right (in|at)", "", place.text).split():
            found += 1
            assert holds(place), place
    assert found > 20


@pytest.mark.parametrize("word", ["left", "right", "boy", "cat", "hat", "bear", "above", "tree", "sun"])
def test_no_slip_makes_another_word_of_the_world(word):
    rng = np.random.default_rng(3)
    slips = {slip(rng, word, VOCABULARY) for _ in range(500)}
    assert len(slips) > 3 and slips & VOCABULARY <= {word}
