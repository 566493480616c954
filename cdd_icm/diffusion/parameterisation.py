"""Converts between the network's prediction and the clean picture x."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

Images = Float[Tensor, "B C H W"]
Level = Float[Tensor, "B 1 1 1"]

PREDICTION_TYPES = ("sample", "v_prediction")
"""What the network of a saved model may predict. Not epsilon, see `to_sample`."""


def add_noise(x: Images, eps: Images, alpha: Level, sigma: Level) -> Images:
    """x_t = alpha x + sigma eps."""
    return alpha * x + sigma * eps


def to_sample(prediction: Images, noisy: Images, alpha: Level, sigma: Level, kind: str) -> Images:
    """The clean picture x, given a prediction of `kind`.

    The kinds are "sample" (x itself), "v_prediction" (v = alpha eps - sigma x, Salimans and Ho 2022, arXiv
    2202.00512) and "epsilon" (eps), from which x can't be recovered if alpha is 0.
    """
    if kind == "sample":
        return prediction
    if kind == "v_prediction":
        return alpha * noisy - sigma * prediction
    return (noisy - sigma * prediction) / alpha.clamp(min=1e-3)


def from_sample(x: Images, noisy: Images, alpha: Level, sigma: Level, kind: str) -> Images:
    """The inverse of `to_sample`."""
    if kind == "sample":
        return x
    if kind == "v_prediction":
        return (alpha * noisy - x) / sigma.clamp(min=1e-3)
    return (noisy - alpha * x) / sigma.clamp(min=1e-3)
