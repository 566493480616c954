"""Attention: both kernels are the same function."""

import pytest
import torch

from cdd_icm.model.attention import Attention, fused_attention, plain_attention


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("biased", [False, True])
def test_the_fused_kernel_equals_matmul_and_softmax(masked, biased):
    """In value and gradient."""
    generator = torch.Generator().manual_seed(0)
    shapes = ((2, 3, 5, 8), (2, 3, 7, 8), (2, 3, 7, 8), (3, 5, 7))
    leaves = [torch.randn(*shape, generator=generator).double().requires_grad_() for shape in shapes]
    mask = torch.rand(2, 7, generator=generator) < 0.7 if masked else None
    bias = leaves[3] if biased else None
    results = []
    for attend in (plain_attention, fused_attention):
        out = attend(*leaves[:3], mask, bias)
        weights = torch.linspace(0, 1, out.numel(), dtype=out.dtype).view_as(out)
        used = leaves if biased else leaves[:3]
        results.append((out, *torch.autograd.grad((out * weights).sum(), used)))
    for plain, fused in zip(*results, strict=True):
        torch.testing.assert_close(fused, plain)


def test_what_is_masked_is_not_attended_to():
    torch.manual_seed(0)
    attention, x, y = Attention(8, heads=2), torch.randn(1, 3, 8), torch.randn(1, 4, 8)
    mask = torch.tensor([[True, True, False, True]])
    before = attention(x, y, mask)
    y[:, 2] += 9
    assert torch.equal(attention(x, y, mask), before)
    y[:, 1] += 9
    assert not torch.allclose(attention(x, y, mask), before)
