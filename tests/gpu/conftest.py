"""Checks that need a GPU: each one skips where torch finds none."""

import pytest
import torch

from tests.cdd_icm.conftest import any_pipeline, make_config, planless_pipeline, settings_in, tiny_pipeline

__all__ = ["any_pipeline", "make_config", "planless_pipeline", "settings_in", "tiny_pipeline"]


def pytest_itemcollected(item):
    if "tests/gpu/" in item.path.as_posix():
        item.add_marker("gpu")


@pytest.fixture(autouse=True, scope="session")
def cuda():
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    return torch.device("cuda")


@pytest.fixture(autouse=True)
def full_precision(monkeypatch):
    """No TF32, so that a GPU can be compared with the CPU."""
    monkeypatch.setattr(torch.backends.cuda.matmul, "allow_tf32", False)
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
