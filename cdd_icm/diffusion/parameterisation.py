"""What the network predicts, and the clean picture that it stands for."""

from __future__ import annotations

from torch import Tensor


def add_noise(x: Tensor, eps: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
    """x_t = alpha x + sigma eps."""
    return alpha * x + sigma * eps


def to_sample(prediction: Tensor, noisy: Tensor, alpha: Tensor, sigma: Tensor, kind: str) -> Tensor:
    """The clean picture that a prediction stands for. v = alpha eps - sigma x (Salimans and Ho 2022, arXiv
    2202.00512); `epsilon` says nothing about x where alpha is 0.
    """
    if kind == "sample":
        return prediction
    if kind == "v_prediction":
        return alpha * noisy - sigma * prediction
    return (noisy - sigma * prediction) / alpha.clamp(min=1e-3)


def from_sample(x: Tensor, noisy: Tensor, alpha: Tensor, sigma: Tensor, kind: str) -> Tensor:
    """The inverse of `to_sample`."""
    if kind == "sample":
        return x
    if kind == "v_prediction":
        return (alpha * noisy - x) / sigma.clamp(min=1e-3)
    return (noisy - alpha * x) / sigma.clamp(min=1e-3)
