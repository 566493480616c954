"""Measures of the pieces of clip art, and where people have heads and hands."""

import pytest

from cdd_icm.data.codraw_painter import CODRAW_CLASSES
from cdd_icm.plan.pieces.clip_art.shapes import (
    FACE,
    FEET,
    HANDS,
    HEAD,
    PEOPLE,
    SIZE,
    faced,
    half_size,
    on_head,
    resized,
    side_of,
    wears,
)
from tests.cdd_icm.plan.pieces.clip_art.scenes import piece


def test_every_class_has_a_size_and_people_have_all_poses():
    assert set(SIZE) == set(CODRAW_CLASSES)
    for table in (HEAD, FACE, HANDS, FEET):
        assert set(table) == set(PEOPLE)
        assert all(len(poses) == 7 for poses in table.values())


def test_half_a_size_is_half_of_the_drawing_at_its_scale():
    width, height = half_size(piece("sun", 0.5, 0.5, depth=0))
    assert (2 * 500 * width, 2 * 400 * height) == pytest.approx((148, 148))
    assert half_size(piece("sun", 0.5, 0.5, depth=2)) == pytest.approx((0.49 * width, 0.49 * height))


@pytest.mark.parametrize("name", PEOPLE)
@pytest.mark.parametrize("pose", "0123456")
def test_a_mirrored_person_wears_hats_in_the_mirrored_place(name, pose):
    person = piece(name, 0.4, 0.6, pose=pose)
    for hat in ("crown", "glasses"):
        x, y = on_head(hat, person)
        assert on_head(hat, person.mirrored()) == pytest.approx((1 - x, y))
        assert y < person.y
        assert wears(person, piece(hat, x, y)) and not wears(person, piece(hat, x + 0.3, y))


@pytest.mark.parametrize("name", ["dog", "rocket", "boy"])
def test_a_piece_faces_the_side_it_is_turned_to(name):
    obj = piece(name, 0.5, 0.5)
    for side, mirrored in (("left", "right"), ("right", "left")):
        assert side_of(faced(obj, side)) == side
        assert side_of(faced(obj, side).mirrored()) == mirrored


def test_another_size_leaves_all_else():
    obj = piece("boy", 0.3, 0.6, pose="4", face="3")
    new = resized(obj, "0")
    assert (new.depth, new.look) == (0.0, {**obj.look, "depth": "0"}) and (new.x, new.y) == (obj.x, obj.y)
