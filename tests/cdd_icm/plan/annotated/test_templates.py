"""Templates begin as the mean of what was painted around their objects."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from cdd_icm.data import Dialog, SceneObject, Turn
from cdd_icm.plan.shared.splats import TemplateSplats
from cdd_icm.plan.shared.template_ids import TemplateTable
from cdd_icm.plan.shared.template_initialisation import add_mean_pictures

RED, BLUE, GRAY = (255, 0, 0), (0, 0, 255), (128, 128, 128)
TRAITS = {"flip": ("0", "1")}


@dataclass(frozen=True)
class Pixels:
    rgb: np.ndarray

    @property
    def key(self):
        return self.rgb.tobytes().hex()

    def decode(self):
        return self.rgb


def picture(*squares):
    """32 x 32, gray, with squares of 8 pixels around (x, y)."""
    rgb = np.full((32, 32, 3), GRAY, np.uint8)
    for x, y, colour in squares:
        rgb[max(y - 4, 0) : y + 4, max(x - 4, 0) : x + 4] = colour
    return Pixels(rgb)


def dialog(flip, x, y):
    """A red ball, then a blue cube elsewhere, whose `flip` nobody told."""
    ball = SceneObject("ball", x / 32, y / 32, look={"flip": flip})
    cube = SceneObject("cube", 16 / 32, 16 / 32)
    red = (x, y, RED)
    turns = (
        Turn("a ball", picture(red), (ball,)),
        Turn("a cube", picture(red, (16, 16, BLUE)), (ball, cube)),
    )
    return Dialog("d", "train", picture(), turns)


@pytest.fixture
def begun():
    """The templates of a grid of 2 pixels to a place, of 2 places to a template's pixel."""

    def begin(forms, dialogs=None, **options):
        classes = ("ball", "cube")
        table = TemplateTable(classes, TRAITS, forms)
        splats = TemplateSplats(table.count, 5, 2, 16, 2)
        torch.nn.init.zeros_(splats.weight)
        dialogs = dialogs or [dialog("0", 8, 8), dialog("0", 24, 8), dialog("1", 24, 24)]
        options = {"turns": 6, "image_size": 32, "progress": False} | options
        add_mean_pictures(splats, table, classes, TRAITS, 0.02, dialogs, **options)
        return splats.weight.detach().transpose(0, 1)  # (P, 5, 5, 5)

    return begin


def test_a_template_shows_the_colour_and_the_cover_of_its_class(begun):
    ball, cube, *traits = begun(forms={})
    for template, colour in ((ball, (1, -1, -1)), (cube, (-1, -1, 1))):
        # 8 pixels are 4 places, 2 of the template's pixels of which its middle begins one place earlier
        painted = template[3] > 0
        assert painted.nonzero().amin(dim=0).tolist() == [1, 1]
        assert painted.nonzero().amax(dim=0).tolist() == [3, 3]
        assert template[3, 2, 2] == 1
        assert torch.allclose(template[:3, 2, 2], torch.tensor(colour, dtype=torch.float), atol=0.01)
        assert not template[:, ~painted].any() and not template[4].any()
    assert not torch.stack(traits).any()


def test_what_lies_outside_the_picture_says_nothing(begun):
    whole = begun(forms={}, dialogs=[dialog("0", 24, 8)])
    assert torch.equal(begun(forms={}, dialogs=[dialog("0", 24, 8), dialog("0", 0, 24)]), whole)


def test_forms_have_their_own_and_what_nobody_told_has_none(begun):
    templates = begun(forms={"ball": ["flip"], "cube": ["flip"]})
    assert [bool(template.any()) for template in templates] == [True, True, False, False]


def test_the_seed_chooses_the_turns(begun):
    assert not begun(forms={}, turns=0).any()
    seen = [begun(forms={}, turns=1, seed=seed).flatten(1).any(dim=1).tolist() for seed in range(6)]
    assert all(sum(classes) == 1 for classes in seen) and seen.count(seen[0]) < 6
