"""Pixels as numbers."""

import torch

from cdd_icm.data.picture import to_float


def test_to_float():
    assert to_float(torch.tensor([0, 255], dtype=torch.uint8)).tolist() == [-1.0, 1.0]
