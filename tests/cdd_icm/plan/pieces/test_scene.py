"""Scenes and changes as tensors."""

from cdd_icm.plan.pieces.scene import Scene, changes_of
from tests.cdd_icm.plan.pieces.toy import CLASSES, GRID, TRAITS, piece, scene


def test_a_scene_has_the_cell_and_traits_of_each_class():
    one = scene(piece("dog", 0.6, 0.3, depth="1"), touched=("dog",))
    assert one.cells.tolist() == [[-1, 6, -1]]
    assert one.traits.tolist() == [[[-1, -1], [1, 0], [-1, -1]]]
    assert one.touched.tolist() == [[False, True, False]]
    assert not one.emptied().exists.any() and not one.emptied().touched.any()


def test_moved_and_changed_pieces_are_drawn_and_go_from_where_they_were():
    before = [piece("dog", 0.1, 0.1), piece("sun", 0.9, 0.1), piece("boy", 0.4, 0.8)]
    after = [piece("dog", 0.9, 0.9), piece("sun", 0.9, 0.1), piece("boy", 0.4, 0.8, flip="1")]
    changes = changes_of(before, after, CLASSES, TRAITS, GRID, 0.02, 0)
    assert changes.drawn.cells.tolist() == [[13, 15, -1]]
    assert not changes.removed.any()
    assert changes.gone(scene(*before)).tolist() == [[True, True, False]]


def test_scenes_are_joined_and_taken_apart():
    one, other = scene(piece("dog", 0.6, 0.3)), scene(piece("sun", 0.1, 0.1))
    both = Scene.concatenated([one, other])
    assert both.cells.shape == (2, 3)
    assert both[1:].cells.equal(other.cells) and both[:1].traits.equal(one.traits)
