"""The feature map of pieces."""

import pytest
import torch

from cdd_icm.plan.pieces.scene import Scene
from cdd_icm.plan.pieces.templates import CHANNELS, PieceTemplates
from tests.cdd_icm.plan.pieces.toy import CLASSES, TRAITS

SIZE = 12
FORMS = {name: ("depth", "flip") for name in CLASSES}


def placed(place, flip, name=1):
    cells, traits = torch.full((1, 3), -1), torch.full((1, 3, 2), -1)
    cells[0, name], traits[0, name] = place, torch.tensor([1, flip])
    return Scene(cells, traits, torch.zeros(1, 3, dtype=torch.bool))


NOTHING = Scene(torch.full((1, 3), -1), torch.full((1, 3, 2), -1), torch.zeros(1, 3, dtype=torch.bool))


@pytest.mark.parametrize("pixel", [1, 2])
@pytest.mark.parametrize("place", [0, 11, 40, 66, 143])
def test_a_piece_in_the_mirror_makes_the_mirrored_map(place, pixel):
    templates = PieceTemplates(CLASSES, TRAITS, FORMS, 1, SIZE, pixel)
    row, column = divmod(place, SIZE)
    mirrored = row * SIZE + SIZE - 1 - column
    one, other = (templates(placed(*at), NOTHING) for at in ((place, 0), (mirrored, 1)))
    assert one.abs().sum() > 0
    assert torch.allclose(one.flip(-1), other, atol=1e-6)


def test_what_is_drawn_and_what_goes_have_channels_of_their_own():
    templates = PieceTemplates(CLASSES, TRAITS, FORMS, 1, SIZE, 1)
    drawn, gone = templates(placed(40, 0), NOTHING), templates(NOTHING, placed(40, 0))
    assert drawn.shape == (1, 2 * CHANNELS, SIZE, SIZE)
    assert not drawn[:, CHANNELS:].any() and not gone[:, :CHANNELS].any()
    assert torch.equal(drawn[:, :CHANNELS], gone[:, CHANNELS:])


def test_each_class_and_size_has_a_template_of_its_own():
    templates = PieceTemplates(CLASSES, TRAITS, FORMS, 1, SIZE, 1)
    assert templates.table.count == len(CLASSES) * 2  # the mirrored ones are no further templates
    one, other = templates(placed(40, 0, name=0), NOTHING), templates(placed(40, 0, name=1), NOTHING)
    assert not torch.allclose(one, other)
