"""The metrics as pure functions of arrays; each is in [0, 1] unless stated otherwise."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8


def precision_recall_f1(
    truth: Bool[np.ndarray, "N C"], found: Bool[np.ndarray, "N C"]
) -> tuple[Float[np.ndarray, " N"], Float[np.ndarray, " N"], Float[np.ndarray, " N"]]:
    """Precision, recall and F1 of each image; 0 if a denominator is 0.

    Their means equal scikit-learn's with average='samples' and zero_division=0, which does not return the
    values per image that intervals and paired differences need.
    """
    shared = (truth & found).sum(axis=1)
    true_count, found_count = truth.sum(axis=1), found.sum(axis=1)

    def ratio(
        numerator: Int[np.ndarray, " N"], denominator: Int[np.ndarray, " N"]
    ) -> Float[np.ndarray, " N"]:
        return np.where(denominator > 0, numerator / np.maximum(denominator, 1), 0.0)

    return (
        ratio(shared, found_count),
        ratio(shared, true_count),
        ratio(2 * shared, found_count + true_count),
    )


def relations(coordinates: Float[np.ndarray, "n 2"]) -> Int[np.ndarray, "2 n n"]:
    """GeNeVA's scene graph: for each axis the sign of c_i - c_j, and of c_i - 0.5 on the diagonal."""
    c = coordinates.T  # (2, n)
    signs = np.sign(c[:, :, None] - c[:, None, :])
    diagonal = np.arange(c.shape[1])
    signs[:, diagonal, diagonal] = np.sign(c - 0.5)
    return signs.astype(int)


def relational_similarity(
    truth: Bool[np.ndarray, " C"],
    found: Bool[np.ndarray, " C"],
    true_coordinates: Float[np.ndarray, "C K"],
    found_coordinates: Float[np.ndarray, "C K"],
) -> float:
    """RSIM of one image: recall x the share of equal entries of the two graphs over the classes in both.

    The axes are x and y, or x and depth if the coordinates have a depth (El-Nouby et al. 2019, arXiv
    1811.09845).
    """
    shared = truth & found
    if not shared.any():
        return 0.0
    axes = [0, 2] if true_coordinates.shape[1] == 3 else [0, 1]
    equal = relations(true_coordinates[shared][:, axes]) == relations(found_coordinates[shared][:, axes])
    return float(shared.sum() / truth.sum() * equal.mean())


def preservation(
    before: UInt8[np.ndarray, "N h w 3"],
    after: UInt8[np.ndarray, "N h w 3"],
    allowed: Bool[np.ndarray, "N h w"],
) -> Float[np.ndarray, " N"]:
    """Mean absolute change, in levels 0..255, of each picture outside of `allowed`; 0 if there is no such
    pixel."""
    change = np.abs(after.astype(np.int16) - before).mean(axis=3) * ~allowed  # (N, h, w)
    return change.sum(axis=(1, 2)) / np.maximum(1, (~allowed).sum(axis=(1, 2)))


def bootstrap_interval(
    values: Float[np.ndarray, " N"], dialogs: Int[np.ndarray, " N"], seed: int = 0, resamples: int = 2000
) -> tuple[float, float]:
    """95 % percentile bootstrap interval of the mean of `values` (Efron 1979). Whole dialogs are resampled,
    because pictures of the same dialog are not independent; `dialogs[i]` is the dialog of the i-th value."""
    _, member = np.unique(dialogs, return_inverse=True)
    sums, counts = np.bincount(member, values), np.bincount(member)
    drawn = np.random.default_rng(seed).integers(len(sums), size=(resamples, len(sums)))
    low, high = np.quantile(sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1), [0.025, 0.975])
    return float(low), float(high)
