"""Guidance: its published form, its ends and bounds, and the matcher's gradient by finite differences."""

import pytest
import torch

from cdd_icm.config import SamplingConfig
from cdd_icm.diffusion.guidance import branches, classifier_free, combine, icm_step
from cdd_icm.model.matcher import log_match
from cdd_icm.sampling.denoiser import Denoiser


@pytest.fixture
def predictions():
    names = ("full", "image_only", "nothing")
    return dict(
        zip(names, torch.randn(3, 2, 3, 4, 4, generator=torch.Generator().manual_seed(0)), strict=True)
    )


def test_the_published_form(predictions):
    full, image, nothing = predictions.values()
    # e(0,0) + s_I (e(I,0) - e(0,0)) + s_T (e(I,T) - e(I,0)): InstructPix2Pix, equation 3
    expected = nothing + 1.5 * (image - nothing) + 7.5 * (full - image)
    assert torch.allclose(classifier_free(full, image, nothing, 7.5, 1.5), expected)
    assert torch.allclose(combine(predictions, 7.5, 1.5), expected)


def test_scale_1_is_the_plain_conditional(predictions):
    full = predictions["full"]
    assert torch.allclose(classifier_free(*predictions.values(), 1.0, 1.0), full, atol=1e-6)
    assert branches(1.0, 1.0) == ("full",) and torch.equal(combine({"full": full}, 1.0, 1.0), full)


@pytest.mark.parametrize("scales", [(2.0, 1.0), (0.0, 1.0), (1.0, 1.5), (3.0, 0.0), (1.0, 1.0)])
def test_the_branches_that_are_left_out_have_no_weight(predictions, scales):
    needed = {name: predictions[name] for name in branches(*scales)}
    assert torch.allclose(combine(needed, *scales), combine(predictions, *scales), atol=1e-6)


def test_icm_step_is_classifier_guidance_on_the_predicted_picture():
    x, g, noisy = torch.randn(3, 2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    alpha, sigma = torch.full((2, 1, 1, 1), 0.8), torch.full((2, 1, 1, 1), 0.6)
    eps = (noisy - alpha * x) / sigma
    moved = (noisy - sigma * (eps - 0.01 * sigma * g)) / alpha
    assert torch.allclose(icm_step(x, g, alpha, sigma, 0.01), moved, atol=1e-5)


@pytest.mark.parametrize("alpha", [0.0, 1e-4, 0.3, 0.999])
def test_icm_step_is_bounded(alpha):
    alpha = torch.full((2, 1, 1, 1), alpha)
    x, g = torch.randn(2, 2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    g[1] *= 1e6
    moved = icm_step(x, g, alpha, (1 - alpha**2).sqrt(), 50.0, max_rms=0.1) - x
    assert (moved.square().mean(dim=(1, 2, 3)).sqrt() <= 0.1 + 1e-5).all()
    direction = (moved * g).flatten(1).sum(1) / moved.flatten(1).norm(dim=1) / g.flatten(1).norm(dim=1)
    assert torch.allclose(direction, torch.ones(2), atol=1e-3)


def test_the_matchers_gradient_equals_finite_differences(any_pipeline):
    generator = torch.Generator().manual_seed(0)
    noisy, way = torch.randn(2, 2, 3, 32, 32, generator=generator)
    step = torch.tensor([100, 700])
    reference = torch.rand(2, 3, 32, 32, generator=generator) * 2 - 1
    conditions = {
        "full": any_pipeline.encode(reference, ["add a red cube", "add a blue cube"]),
        "image_only": any_pipeline.encode(reference, ["", ""]),
    }
    settings = SamplingConfig(icm_guidance_scale=1.0)
    parts = (any_pipeline.unet, any_pipeline.matcher, any_pipeline.scheduler, "sample")
    gradient = Denoiser(*parts, settings, reference, conditions, plan=None)._match_gradient(noisy, step)
    queries = conditions["full"].query, conditions["image_only"].query

    def along(h):
        return log_match(any_pipeline.matcher, noisy + h * way, step, *queries)

    measured = (along(0.01) - along(-0.01)) / 0.02
    assert torch.allclose((gradient * way).flatten(1).sum(1), measured, rtol=2e-2, atol=1e-4)
    assert measured.abs().min() > 1e-3  # or nothing was measured
