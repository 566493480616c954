"""InfoNCE by hand, with its hard negatives, and over two processes."""

import pytest
import torch
from safetensors.torch import load_file

from cdd_icm.objectives.icm import info_nce
from tests.cdd_icm.two_processes import best_vector, info_nce_batch, loss_of_share


def naive(queries, images, scale, hard_images, valid, there):
    """Loops, a line for each term. The best of an image's vectors scores."""
    total, n = 0.0, len(queries)
    for i in range(n):
        row = [(image @ queries[i]).max() for image in images]
        row += [(hard[i] @ queries[i]).max() for h, hard in enumerate(hard_images) if there[h, i]]
        column = [(images[i] @ query).max() for query in queries]
        for side in (row, column):
            scores = scale * torch.stack(side)
            total += valid[i] * (scores.logsumexp(0) - scores[i]) / 2
    return total / valid.sum()


def test_info_nce_by_hand():
    (queries, images, hard_images), valid, there = info_nce_batch()
    scale = torch.tensor(3.0)
    for some in (there, torch.ones(2, 8, dtype=torch.bool)):
        ours = info_nce(queries, images, scale, hard_images, valid, some)
        theirs = naive(queries, images, scale, hard_images, valid, some)
        assert torch.allclose(ours, theirs, rtol=1e-5)
    assert info_nce(queries, images, scale, hard_images, valid) == ours
    plain = naive(queries, images, scale, [], torch.ones(8), torch.ones(0, 8))
    assert torch.allclose(info_nce(queries, images, scale), plain, rtol=1e-5)


def test_mixed_precision_leaves_info_nce_alone():
    parts, valid, there = info_nce_batch()

    def gradients(mixed):
        with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
            loss = info_nce(*parts[:2], torch.tensor(100.0), *parts[2:], valid, there)
        return torch.autograd.grad(loss, parts)

    assert all(map(torch.equal, gradients(True), gradients(False)))


def test_info_nce_of_another_score_by_hand():
    parts, valid, there = info_nce_batch(3)
    scale = torch.tensor(3.0)
    queries, images, hard_images = parts
    ours = info_nce(queries, images, scale, hard_images, valid, there, score=best_vector)
    theirs = naive(queries, images, scale, hard_images, valid, there)
    for one, other in zip(torch.autograd.grad(ours, parts), torch.autograd.grad(theirs, parts), strict=True):
        assert torch.allclose(one, other, atol=1e-6)
    assert torch.allclose(ours, theirs, rtol=1e-5)


def test_info_nce_of_a_batch_without_a_valid_row_is_0():
    (queries, images, *_), *_ = info_nce_batch()
    loss = info_nce(queries, images, torch.tensor(3.0), valid=torch.zeros(8, dtype=torch.bool))
    loss.backward()
    assert loss == 0 and not queries.grad.any()


@pytest.mark.parametrize(("vectors", "several"), [(1, ()), (3, (3,))])
def test_info_nce_of_two_processes_is_that_of_the_joined_batch(two_processes, vectors, several):
    loss, gradients = loss_of_share(slice(None), *several)
    halves = [load_file(two_processes / f"info_nce_{vectors}_{rank}.safetensors") for rank in range(2)]
    assert torch.allclose((halves[0]["loss"] + halves[1]["loss"]) / 2, loss, rtol=1e-5)
    for i, gradient in enumerate(gradients):  # DDP takes the mean over processes
        assert torch.allclose((halves[0][str(i)] + halves[1][str(i)]) / 2, gradient, rtol=1e-4, atol=1e-6)
