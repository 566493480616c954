"""The matcher: its score and the posterior of a query."""

import pytest
import torch

from cdd_icm.model.matcher import Matcher, log_match


@pytest.fixture(scope="module")
def matcher():
    torch.manual_seed(0)
    return Matcher(image_size=32, query_width=8, width=16).eval()


def test_the_score_is_a_bounded_cosine(matcher):
    noisy, query = torch.randn(4, 3, 32, 32), torch.randn(4, 8) * 100
    step = torch.tensor([0, 10, 500, 999])
    image, text = matcher.embed_image(noisy, step), matcher.embed_query(query)
    assert torch.allclose(image.norm(dim=1), torch.ones(4), atol=1e-5)
    assert torch.allclose(text.norm(dim=1), torch.ones(4), atol=1e-5)
    assert torch.allclose(matcher(noisy, step, query), (image * text).sum(1) / 0.07, rtol=1e-4)
    bounded = Matcher(image_size=32, query_width=8, width=16, max_logit_scale=5.0)
    assert bounded.scale == 5


def test_the_matcher_knows_the_noise_level(matcher):
    noisy, query = torch.randn(1, 3, 32, 32), torch.randn(1, 8)
    one, other = (matcher(noisy, torch.tensor([t]), query) for t in (0, 900))
    assert not torch.allclose(one, other, atol=1e-4)


def test_log_match_is_a_posterior_over_two_queries(matcher):
    noisy, step = torch.randn(3, 3, 32, 32), torch.tensor([5, 50, 500])
    query, other = torch.randn(2, 3, 8)
    p, q = (
        log_match(matcher, noisy, step, query, other).exp(),
        log_match(matcher, noisy, step, other, query).exp(),
    )
    assert torch.allclose(p + q, torch.ones(3), atol=1e-5)
    scores = torch.stack([matcher(noisy, step, query), matcher(noisy, step, other)])
    assert torch.allclose(p, scores.softmax(0)[0], atol=1e-5)
