"""The conditional UNet: each way in can be switched off for good."""

import pytest
import torch
from torch.nn.functional import conv_transpose2d

from cdd_icm.model.fusion import Fused
from cdd_icm.model.unet import ConditionalUNet
from cdd_icm.plan.annotated.splats import Stamps

SWITCHES = {
    # switch: the inputs that it lets in, with the other switches off that would let them in too
    "query": (["query"], {}),
    "cross_attention": (["text_tokens", "image_tokens"], {"spatial": False}),
    "spatial": (["image_tokens"], {"cross_attention": False}),
    "reference": (["reference"], {}),
}


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


@pytest.mark.parametrize("switch", SWITCHES)
@torch.no_grad()
def test_a_switch_that_is_off_lets_nothing_in(switch):
    changed, others = SWITCHES[switch]
    on, off = make(**{switch: True, **others}), make(**{switch: False, **others})
    assert not torch.allclose(on(*inputs()).prediction, on(*inputs(changed)).prediction, atol=1e-4)
    assert torch.equal(off(*inputs()).prediction, off(*inputs(changed)).prediction)


@torch.no_grad()
def test_padding_never_changes_the_prediction():
    unet, (noisy, t, fused, reference, level) = make(), inputs()
    fused.mask[:, 2] = False
    one = unet(noisy, t, fused, reference, level).prediction
    fused.text_tokens[:, 2] += 9
    assert torch.allclose(unet(noisy, t, fused, reference, level).prediction, one, atol=1e-5)


@pytest.mark.parametrize(("reach", "step"), [(0, 1), (2, 1), (1, 2), (0, 3)])
def test_stamps_are_a_convolution(reach, step):
    """Of the plan, as planes of zeros and ones, with the templates at the size at which they are laid."""
    torch.manual_seed(0)
    stamps, width = Stamps(5, 3, reach, 6, step), (2 * reach + 1) * step
    marks = torch.tensor(
        [
            [[0, 0, 3], [35, 1, -1], [-1, 2, 4]],  # in corners, one without a look, one that is not drawn
            [[14, 0, 4], [14, 1, 3], [30, 2, -1]],  # two in one place
        ]
    )
    plan = torch.zeros(2, 5, 36)
    for item, things in enumerate(marks.tolist()):
        for place, *planes in things:
            for plane in planes:
                plan[item, plane, place] += float(place >= 0 and plane >= 0)
    kernel = stamps.weight.repeat_interleave(step, 2).repeat_interleave(step, 3).transpose(0, 1)
    whole = conv_transpose2d(plan.unflatten(2, (6, 6)), kernel)
    convolved = whole[..., width // 2 :, width // 2 :][..., :6, :6]
    assert torch.allclose(stamps(marks), convolved, atol=1e-6)
    given, expected = (
        torch.autograd.grad(map.square().sum(), stamps.weight)[0] for map in (stamps(marks), convolved)
    )
    assert torch.allclose(given, expected, atol=1e-5)
    assert not stamps(torch.full_like(marks, -1)).any()


def test_places_finer_than_what_is_unshuffled_divide_it():
    """Where a template lies tells more than the cell: a step of one place is seen."""
    torch.manual_seed(0)
    unet = make(plan_planes=3, plan_reach=1, plan_channels=2, plan_grid=16)
    assert unet.unet.conv_in.in_channels == 2 * 3 * 2**2 + 2 * 2**2
    here, there = (torch.tensor([[[at, 0]], [[at, 1]]]) for at in (34, 35))
    pictures = [unet(*inputs(), plan=plan).prediction for plan in (here, there)]
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
