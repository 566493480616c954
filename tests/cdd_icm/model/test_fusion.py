"""Gated fusion: the gate at its ends, and padding that nothing sees."""

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention

from cdd_icm.model.attention import Attention
from cdd_icm.model.backbone import Encoded
from cdd_icm.model.fusion import Gate, GatedFusion


@pytest.fixture
def sides():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, 2, 5, 8, generator=generator)


@pytest.mark.parametrize(("bias", "open"), [(-1e9, False), (1e9, True)])
def test_the_gate_at_its_ends(sides, bias, open):
    v, a = sides
    gate = Gate(8)
    with torch.no_grad():
        gate.merge.weight[8:], gate.merge.bias[8:] = 0.0, bias
    z = torch.cat([v, a, v * a, v - a], dim=-1)
    m = torch.tanh(z @ gate.merge.weight[:8].T + gate.merge.bias[:8])
    assert torch.allclose(gate(v, a), m if open else v, atol=1e-6)


def test_without_the_gate_it_is_a_linear_map(sides):
    v, a = sides
    plain = Gate(8, gated=False)
    assert torch.allclose(
        plain(v, a), torch.cat([v, a], -1) @ plain.merge.weight.T + plain.merge.bias, atol=1e-6
    )


def test_attention_is_torchs(sides):
    x, y = sides
    ours, mask = (
        Attention(8, 2),
        torch.tensor([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]], dtype=torch.bool),
    )
    k, v = ours.kv(y).chunk(2, dim=-1)
    q, k, v = (part.unflatten(-1, (2, 4)).transpose(1, 2) for part in (ours.q(x), k, v))  # (B, heads, N, 4)
    expected = scaled_dot_product_attention(q, k, v, attn_mask=mask[:, None, None])
    assert torch.allclose(ours(x, y, mask), ours.out(expected.transpose(1, 2).flatten(2)), atol=1e-5)


@pytest.mark.parametrize("gated", [True, False])
def test_padding_never_changes_a_result(gated):
    torch.manual_seed(0)
    fusion = GatedFusion(image_width=6, text_width=7, embed_dim=5, width=8, layers=2, heads=2, gated=gated)
    mask = torch.tensor([[1, 1, 1, 0, 0, 0], [1, 1, 1, 1, 1, 0]], dtype=torch.bool)
    image, text = (torch.randn(2, 4, 6), torch.randn(2, 5)), torch.randn(2, 5)
    tokens = torch.randn(2, 6, 7)
    noise = torch.randn_like(tokens).masked_fill(mask[..., None], 0.0) * 10
    one, other = (fusion(Encoded(*image, words, text, mask)) for words in (tokens, tokens + noise))
    short = fusion(Encoded(*(part[:1] for part in image), tokens[:1, :3], text[:1], mask[:1, :3]))
    assert torch.allclose(one.query, other.query, atol=1e-6)
    assert torch.allclose(one.image_tokens, other.image_tokens, atol=1e-6)
    assert torch.allclose(one.text_tokens[mask], other.text_tokens[mask], atol=1e-6)
    assert torch.allclose(one.query[:1], short.query, atol=1e-6)
    assert (one.query.shape, one.image_tokens.shape, one.text_tokens.shape) == ((2, 8), (2, 4, 8), (2, 6, 8))


def test_all_weights_are_used():
    fusion = GatedFusion(image_width=6, text_width=7, embed_dim=5, width=8, layers=2, heads=2)
    encoded = Encoded(
        torch.randn(1, 4, 6),
        torch.randn(1, 5),
        torch.randn(1, 3, 7),
        torch.randn(1, 5),
        torch.ones(1, 3).bool(),
    )
    fused = fusion(encoded)
    (fused.query.sum() + fused.image_tokens.square().sum() + fused.text_tokens.square().sum()).backward()
    assert [name for name, p in fusion.named_parameters() if p.grad is None] == []
