"""The conditional UNet: each way in can be switched off for good."""

import pytest
import torch

from cdd_icm.model.fusion import Fused
from cdd_icm.model.unet import ConditionalUNet

SWITCHES = {"cross_attention": "text_tokens", "reference": "reference"}
"""The input that each switch lets in."""


def make(**switches):
    torch.manual_seed(0)
    sizes = {"image_size": 16, "condition_width": 8, "patch_size": 2, "widths": (64, 64), "heads": 2}
    unet = ConditionalUNet(**sizes, attention=(False, True), **switches).eval()
    for p in unet.parameters():  # some start at 0, and would hide what they weigh
        torch.nn.init.normal_(p, std=0.1)
    return unet


def inputs(changed=()):
    generator = torch.Generator().manual_seed(0)

    def draw(name, *shape):
        first, second = torch.randn(2, 2, *shape, generator=generator)
        return second if name in changed else first

    fused = Fused(
        image_tokens=draw("image_tokens", 4, 8),
        text_tokens=draw("text_tokens", 3, 8),
        mask=torch.ones(2, 3, dtype=torch.bool),
        query=draw("query", 8),
        text_pooled=draw("text_pooled", 8),
        words=draw("words", 6, 16),
    )
    noisy, reference = draw("noisy", 3, 16, 16), draw("reference", 3, 16, 16)
    return noisy, torch.tensor([3, 900]), fused, reference, torch.tensor([0.0, 0.05])


@pytest.mark.slow
@pytest.mark.parametrize("switch", SWITCHES)
@torch.no_grad()
def test_a_switch_that_is_off_lets_nothing_in(switch):
    changed, on, off = [SWITCHES[switch]], make(), make(**{switch: False})
    assert not torch.allclose(on(*inputs()).prediction, on(*inputs(changed)).prediction, atol=1e-4)
    assert torch.equal(off(*inputs()).prediction, off(*inputs(changed)).prediction)


@pytest.mark.parametrize("name", ["query", "image_tokens"])
@torch.no_grad()
def test_query_and_image_tokens_count_without_cross_attention(name):
    unet = make(cross_attention=False)
    assert not torch.allclose(unet(*inputs()).prediction, unet(*inputs([name])).prediction, atol=1e-4)


@torch.no_grad()
def test_padding_never_changes_the_prediction():
    unet, (noisy, t, fused, reference, level) = make(), inputs()
    fused.mask[:, 2] = False
    one = unet(noisy, t, fused, reference, level).prediction
    fused.text_tokens[:, 2] += 9
    assert torch.allclose(unet(noisy, t, fused, reference, level).prediction, one, atol=1e-5)


def test_a_map_finer_than_what_is_unshuffled_is_unshuffled_too():
    """A step of one place of the map is seen."""
    torch.manual_seed(0)
    unet = make(map_channels=2, map_size=16)
    assert unet.unet.conv_in.in_channels == 2 * 3 * 2**2 + 2 * 2**2
    here = torch.zeros(2, 2, 16, 16)
    here[:, :, 2, 2] = 1.0
    pictures = [unet(*inputs(), plan).prediction for plan in (here, here.roll(1, dims=-1))]
    assert not torch.allclose(*pictures, atol=1e-4)


def test_training_keeps_the_blocks_in_channels_last():
    """Every other layout is copied into that one before a convolution, and back after it."""
    unet, strange = make().to(memory_format=torch.channels_last).train(), []

    def look(conv, args):
        if not args[0].is_contiguous(memory_format=torch.channels_last):
            strange.append(conv)

    for name, part in unet.named_modules():
        if "resnets" in name and isinstance(part, torch.nn.Conv2d):
            part.register_forward_pre_hook(look)
    unet(*inputs()).prediction.sum().backward()
    assert unet.training and strange == []
