"""How sure a number is: disjoint blocks, by their spread or left out in turn, and permutation tests; and how far two
sets of features are apart.

A bootstrap draws with replacement, and copies are just what Self-BLEU and its like react to; blocks hold none."""

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

Item = TypeVar("Item")
BLOCKS = 10


def standard_error(values: ArrayLike) -> NDArray[np.float64]:
    """Of the mean over the first axis, the values being independent; NaN for fewer than two."""
    array = np.asarray(values, dtype=np.float64)
    if len(array) < 2:
        return np.full(array.shape[1:], np.nan)
    return np.asarray(array.std(axis=0, ddof=1) / np.sqrt(len(array)))


def blocks(items: Sequence[Item], size: int = 2) -> list[Sequence[Item]]:
    """Ten disjoint blocks of equal size, with every tenth item each, so that neighbours in a file part. Fewer where a
    block would have less than `size` items, and none for a single block."""
    count = min(BLOCKS, len(items) // size)
    if count < 2:
        return []
    whole = items[: len(items) // count * count]
    return [whole[start::count] for start in range(count)]


def blocks_of(size: int) -> str:
    """How `blocks` cuts so many items, for a signature: `10x27` is ten blocks of 27."""
    found = blocks(range(size))
    return f"{len(found)}x{len(found[0])}" if found else "none"


def jackknife_error(without: ArrayLike) -> NDArray[np.float64]:
    """The standard error of a measure, from its values with one block left out each; NaN for fewer than two.

    The delete-a-block jackknife (Quenouille 1956, Tukey 1958): sqrt((G - 1) / G * sum of squared deviations). For
    measures that depend on the number of items, as Self-BLEU does: nine tenths of the items stand for all of them,
    where a block of a tenth by itself may vary three times too little."""
    values = np.asarray(without, dtype=np.float64)
    if len(values) < 2:
        return np.full(values.shape[1:], np.nan)
    deviations = values - values.mean(axis=0)
    return np.asarray(np.sqrt((1 - 1 / len(values)) * (deviations**2).sum(axis=0)))


def permutation_test(first: Sequence[float], second: Sequence[float], *, rounds: int = 10_000, seed: int = 0) -> float:
    """The chance of a difference of means at least this large if the labels "first" and "second" meant nothing.

    Two-sided, by relabelling at random; never 0, since the labels as they are count as one of the relabellings."""
    values, count = np.concatenate([first, second]), len(first)
    observed = abs(np.mean(first) - np.mean(second))
    shuffled = np.random.default_rng(seed).permuted(np.tile(values, (rounds, 1)), axis=1)
    differences = np.abs(shuffled[:, :count].mean(axis=1) - shuffled[:, count:].mean(axis=1))
    return float((1 + (differences >= observed - 1e-12).sum()) / (1 + rounds))


class Moments(NamedTuple):
    """The mean and the covariance (with N - 1) of a set of features."""

    mean: NDArray[np.float64]
    covariance: NDArray[np.float64]


def moments(features: ArrayLike) -> Moments:
    """Of features N x D, in float64."""
    values = np.asarray(features, dtype=np.float64)
    return Moments(values.mean(axis=0), np.atleast_2d(np.cov(values, rowvar=False)))


def frechet_distance(first: Moments, second: Moments) -> float:
    """The squared Frechet (2-Wasserstein) distance of two normal distributions (Dowson & Landau 1982; Heusel et al.
    2017, equation 6): |m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)).

    The last trace is the sum of the roots of the eigenvalues of R S2 R with R = S1^(1/2), a symmetric matrix: never
    imaginary. What rounding makes of a zero is cut to zero, so the distance is never negative."""
    values, vectors = np.linalg.eigh(first.covariance)
    root = (vectors * np.sqrt(values.clip(min=0))) @ vectors.T
    crossed = np.linalg.eigvalsh(root @ second.covariance @ root).clip(min=0)
    shift = first.mean - second.mean
    spread = np.trace(first.covariance) + np.trace(second.covariance) - 2 * np.sqrt(crossed).sum()
    return max(0.0, float(shift @ shift + spread))
