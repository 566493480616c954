"""The noise schedule's identities, and the weight of a noise level."""

import torch

from cdd_icm.diffusion.parameterisation import add_noise, from_sample
from cdd_icm.diffusion.schedule import snr_weight


def test_variance_is_preserved_and_the_last_step_is_noise(levels):
    alpha, sigma = levels()
    assert torch.allclose(alpha**2 + sigma**2, torch.ones_like(alpha), atol=1e-6)
    assert alpha[-1] == 0 and sigma[-1] == 1  # zero terminal SNR
    assert (alpha[1:] < alpha[:-1]).all() and alpha[0] > 0.99
    assert alpha.shape == (1000, 1, 1, 1)


def test_weight_is_snr_plus_1_up_to_its_bound(levels):
    alpha, sigma = levels()
    snr = (alpha[:-1] / sigma[:-1]) ** 2
    assert torch.allclose(snr_weight(alpha, sigma, 5.0)[:-1], (snr + 1).clamp(max=5), rtol=1e-4)
    assert snr_weight(alpha, sigma, 5.0)[-1] == 1
    # unbounded, the weighted error of x is the error of v
    x, other, eps = torch.randn(3, 500, 3, 4, 4)
    alpha, sigma = alpha[100:600], sigma[100:600]
    noisy = add_noise(x, eps, alpha, sigma)
    v, other_v = (from_sample(y, noisy, alpha, sigma, "v_prediction") for y in (x, other))
    assert torch.allclose(
        snr_weight(alpha, sigma, 1e9) * (x - other) ** 2, (v - other_v) ** 2, rtol=1e-3, atol=1e-4
    )
