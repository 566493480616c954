"""Every sampler that can be named works: it ends at the picture that the network is sure of."""

import pytest
import torch

from cdd_icm.diffusion import SAMPLERS, scheduler_like
from cdd_icm.errors import InputError


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_sampler_ends_at_the_picture_that_the_network_predicts(tiny_pipeline, monkeypatch, name):
    truth = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(1)) * 1.6 - 0.8
    monkeypatch.setattr(
        tiny_pipeline.unet, "forward", lambda noisy, *args: truth.expand(len(noisy), -1, -1, -1)
    )
    monkeypatch.setattr(tiny_pipeline, "scheduler", scheduler_like(tiny_pipeline.scheduler, name))
    out = tiny_pipeline(
        tiny_pipeline.canvas,
        "add a cube",
        num_inference_steps=10,
        output_type="pt",
        generator=torch.Generator().manual_seed(0),
    )
    assert (2 * out.images - 1 - truth).abs().mean() < 0.01


def test_others_are_refused(tiny_pipeline):
    with pytest.raises(InputError, match="'Euler' can't be used; the nearest that can is"):
        scheduler_like(tiny_pipeline.scheduler, "Euler")
