"""What a network may predict, and the picture that it stands for."""

import pytest
import torch

from cdd_icm.diffusion.parameterisation import add_noise, from_sample, to_sample


@pytest.mark.parametrize("kind", ["sample", "v_prediction", "epsilon"])
def test_parameterisations_round_trip(levels, kind):
    x, eps = torch.randn(2, 998, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    alpha, sigma = levels(timestep=torch.arange(998))
    noisy = add_noise(x, eps, alpha, sigma)
    prediction = from_sample(x, noisy, alpha, sigma, kind)
    expected = {"sample": x, "v_prediction": alpha * eps - sigma * x, "epsilon": eps}[kind]
    assert torch.allclose(prediction, expected, atol=1e-3)
    there_and_back = to_sample(prediction, noisy, alpha, sigma, kind)
    shares = (
        slice(0, 990) if kind == "epsilon" else slice(None)
    )  # epsilon says little about x near pure noise
    assert torch.allclose(there_and_back[shares], x[shares], atol=1e-3)


def test_v_says_everything_at_pure_noise(levels):
    x, eps = torch.randn(2, 1, 3, 4, 4)
    alpha, sigma = levels(timestep=torch.tensor([999]))
    v = from_sample(x, eps, alpha, sigma, "v_prediction")
    assert torch.equal(v, -x) and torch.equal(to_sample(v, eps, alpha, sigma, "v_prediction"), x)
