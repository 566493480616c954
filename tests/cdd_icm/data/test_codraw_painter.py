import numpy as np
import pytest
from PIL import Image

from cdd_icm.data.codraw_painter import (
    CLASS_OF_PNG,
    CODRAW_CLASSES,
    ClipArt,
    PaintedPicture,
    Piece,
    parse_canvas,
)
from cdd_icm.errors import InputError

BLUE, GREEN, RED, WHITE = (0, 0, 255), (0, 255, 0), (255, 0, 0), (255, 255, 255)


@pytest.fixture
def art(tmp_path):
    """Plain clip art: sprites of 40x20, left half red, right half green; the sky's are blue."""
    for png in CLASS_OF_PNG:
        sprite = Image.new("RGBA", (40, 20), (*RED, 255))
        sprite.paste((*GREEN, 255), (20, 0, 40, 20))
        if png.startswith("s_"):
            sprite.paste((*BLUE, 255), (0, 0, 40, 20))
        sprite.save(tmp_path / png)
    Image.new("RGBA", (500, 400), "white").save(tmp_path / "background.png")
    return ClipArt(tmp_path)


def paint(art, *pieces):
    canvas = f"{len(pieces)}," + ",".join(pieces) + ","
    return PaintedPicture(art, parse_canvas(canvas, "here")).decode()


def rectangle(pixels):
    """left, top, right, bottom of what is not white."""
    rows, columns = np.nonzero((pixels != 255).any(2))
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


def test_classes():
    assert len(set(CODRAW_CLASSES)) == len(CODRAW_CLASSES) == 58
    assert len(CLASS_OF_PNG) == 126
    assert set(CLASS_OF_PNG.values()) == set(CODRAW_CLASSES)
    assert CLASS_OF_PNG["s_3s.png"] == "sun" and CLASS_OF_PNG["hb0_34s.png"] == "boy"


def test_looks():
    assert Piece("s_3s.png", 0, 0, 2, True).look == {"depth": "2", "flip": "1"}
    girl = Piece("hb1_13s.png", 0, 0, 0, False).look
    assert girl == {"depth": "0", "flip": "0", "pose": "2", "face": "3"}


def test_x_and_y_are_the_centre_and_depth_scales(art):
    assert rectangle(paint(art, "t_4s.png,0,4,7,100,50,0,0")) == (80, 40, 120, 60)
    assert rectangle(paint(art, "t_4s.png,0,4,7,100,50,1,0")) == (86, 43, 114, 57)
    assert rectangle(paint(art, "t_4s.png,0,4,7,100,50,2,0")) == (90, 45, 110, 55)


def test_flip_mirrors_left_right(art):
    plain = paint(art, "t_4s.png,0,4,7,100,50,0,0")
    flipped = paint(art, "t_4s.png,0,4,7,100,50,0,1")
    assert tuple(plain[50, 85]) == RED and tuple(flipped[50, 85]) == GREEN
    assert np.array_equal(flipped[:, 80:120], plain[:, 80:120][:, ::-1])


def test_near_covers_far_and_toys_cover_trees_at_one_depth(art):
    far_toy, near_tree = "t_4s.png,0,4,7,100,50,1,0", "p_8s.png,1,8,1,110,50,0,0"
    assert tuple(paint(art, near_tree, far_toy)[50, 95]) == RED  # the tree's left half, over the toy's right
    near_toy = "t_4s.png,0,4,7,100,50,0,0"
    assert tuple(paint(art, near_tree, near_toy)[50, 115]) == GREEN


def test_the_sky_is_behind_everything(art):
    near_cloud, far_tree = "s_2s.png,0,2,0,100,50,0,0", "p_8s.png,1,8,1,100,50,2,0"
    assert tuple(paint(art, near_cloud, far_tree)[50, 95]) == RED


def test_the_edge_cuts_and_minus_10000_is_off_the_canvas(art):
    assert rectangle(paint(art, "t_4s.png,0,4,7,5,398,0,0")) == (0, 388, 25, 400)
    assert (paint(art, "t_4s.png,0,4,7,-10000,-10000,0,0") == 255).all()
    assert (paint(art, "t_4s.png,0,4,7,650,50,0,0") == 255).all()


def test_transparency_blends(art):
    Image.new("RGBA", (40, 20), (0, 0, 0, 128)).save(art.folder / "e_0s.png")
    assert abs(int(paint(art, "e_0s.png,0,0,6,100,50,0,0")[50, 100, 0]) - 127) <= 1


def test_keys_follow_the_pixels(art, tmp_path):
    def key(canvas):
        return PaintedPicture(art, parse_canvas(canvas, "here")).key

    on = "t_4s.png,0,4,7,100,50,0,0"
    assert key(f"1,{on},") == key(f"2,{on},e_0s.png,1,0,6,-10000,-10000,0,1")
    assert key(f"1,{on}") != key("1,t_4s.png,0,4,7,100,50,0,1")
    before = key(f"1,{on}")
    Image.new("RGBA", (40, 20), "black").save(tmp_path / "t_4s.png")
    changed = ClipArt(tmp_path)  # `art` goes on with what it read
    assert PaintedPicture(changed, parse_canvas(f"1,{on}", "here")).key != before == key(f"1,{on}")


@pytest.mark.parametrize(
    ("canvas", "says"),
    [
        ("1,zz_9s.png,0,3,0,253,64,0,1", "unknown class of clip art 'zz_9s.png'"),
        ("2,s_3s.png,0,3,0,253,64,0,1", "8 fields"),
        ("1,s_3s.png,0,3,0,here,64,0,1", "x 'here'"),
        ("1,s_3s.png,0,3,0,253,64,3,1", "depth '3'"),
        ("x", "'x' pieces"),
    ],
)
def test_bad_canvas(canvas, says):
    with pytest.raises(InputError, match="train_1: abs_d: .*") as error:
        parse_canvas(canvas, "train_1: abs_d")
    assert says in str(error.value)


def test_missing_clip_art_is_named(art):
    (art.folder / "c_8s.png").unlink()
    with pytest.raises(InputError, match=r"c_8s\.png: clip art"):
        art.check()
