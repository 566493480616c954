"""Seeds and digests decide noise and the names of cached files: their values are fixed for ever."""

import torch

from cdd_icm.hashing import content_digest, derive_seed, fingerprint, tensor_digest


def test_the_values_are_those_of_earlier_versions():
    assert derive_seed(3, "a", 2) == 22951206566479413  # the noise of a turn
    assert content_digest("white 3x4").startswith("86d40f80370c7d9c")  # a picture in the cache
    assert content_digest("ä") == content_digest("ä".encode())
    assert fingerprint(["a", 1]) == content_digest('["a", 1]')[:16]


def test_a_seed_depends_on_every_part_and_its_place():
    seeds = {derive_seed(*parts) for parts in ((0, 1), (1, 0), (0, 1, 0), (0, 2))}
    assert len(seeds) == 4 and max(seeds) < 2**56


def test_a_digest_of_tensors_depends_on_name_format_shape_and_bytes():
    ones = torch.ones(2, 3)
    several = [
        [("a", ones)],
        [("b", ones)],
        [("a", ones.half())],
        [("a", ones.T)],
        [("a", ones * 2)],
        [("a", ones), ("a", ones)],
    ]
    assert len({tensor_digest(tensors) for tensors in several} | {tensor_digest([], "x")}) == 7
    assert tensor_digest([("a", ones.T.contiguous().T)]) == tensor_digest([("a", ones)])
