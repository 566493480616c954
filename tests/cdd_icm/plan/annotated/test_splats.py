"""The plan as a feature map."""

import pytest
import torch
from torch.nn.functional import conv_transpose2d

from cdd_icm.plan.shared.splats import TemplateSplats


@pytest.mark.parametrize(("radius", "pixel"), [(0, 1), (2, 1), (1, 2), (0, 3)])
def test_splats_are_a_convolution(radius, pixel):
    """Of the plan, as planes of zeros and ones, with the templates at the size at which they are laid."""
    torch.manual_seed(0)
    splats, width = TemplateSplats(5, 3, radius, 6, pixel), (2 * radius + 1) * pixel
    ids = torch.tensor(
        [
            [[0, 0, 3], [35, 1, -1], [-1, 2, 4]],  # in corners, one without a trait, one that is not drawn
            [[14, 0, 4], [14, 1, 3], [30, 2, -1]],  # two in one place
        ]
    )
    plan = torch.zeros(2, 5, 36)
    for item, things in enumerate(ids.tolist()):
        for place, *planes in things:
            for plane in planes:
                plan[item, plane, place] += float(place >= 0 and plane >= 0)
    kernel = splats.weight.repeat_interleave(pixel, 2).repeat_interleave(pixel, 3).transpose(0, 1)
    whole = conv_transpose2d(plan.unflatten(2, (6, 6)), kernel)
    convolved = whole[..., width // 2 :, width // 2 :][..., :6, :6]
    assert torch.allclose(splats(ids), convolved, atol=1e-6)
    given, expected = (
        torch.autograd.grad(map.square().sum(), splats.weight)[0] for map in (splats(ids), convolved)
    )
    assert torch.allclose(given, expected, atol=1e-5)
    assert not splats(torch.full_like(ids, -1)).any()
