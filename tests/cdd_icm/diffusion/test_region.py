"""The region that a turn changes, and the composite over the reference."""

import pytest
import torch

from cdd_icm.diffusion.region import changed_region, composite


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_where_the_mask_is_0_the_reference_comes_through_exactly(dtype):
    painted, reference = torch.randn(2, 2, 3, 4, 4)
    shut, open = torch.full((2, 1, 4, 4), -1e4, dtype=dtype), torch.full((2, 1, 4, 4), 1e4, dtype=dtype)
    assert torch.equal(composite(painted, shut, reference), reference)
    assert torch.equal(composite(painted, open, reference), painted)
    assert torch.allclose(composite(painted, shut * 0, reference), (painted + reference) / 2)
    assert composite(painted, None, reference) is painted


def test_changed_region_by_hand():
    reference = torch.zeros(2, 3, 32, 48)
    target = reference.clone()
    target[1, 1, 10, 20] = 0.13  # one channel of one pixel, just over the threshold
    target[:, :, 25, 5] = 0.11  # under it
    changed = changed_region(reference, target)
    expected = torch.zeros(2, 1, 32, 48, dtype=torch.bool)
    expected[1, :, 6:15, 16:25] = True
    assert torch.equal(changed, expected)
    assert torch.equal(changed_region(target, reference), expected)
