"""What labels, codes and factors tell: which classes samples are of, and whether a code has found one by itself."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from imagegan.data.toys import DEVIATION, Points, centres
from seqgan.errors import DataError

Array = NDArray[np.float64]
PRESENT = 0.1  # of the share that a class has among real images: from there on it is not missing
MOST_CLASSES = 16


def shares(labels: ArrayLike, classes: int) -> Array:
    """The share of each class."""
    numbers = np.asarray(labels)
    return np.asarray(np.bincount(numbers, minlength=classes) / len(numbers))


def imbalance(found: Array, real: Array) -> float:
    """The total variation between two distributions over classes: the share that would have to change its class."""
    return float(np.abs(found - real).sum() / 2)


def covered(found: Array, real: Array) -> float:
    """The share of the real classes that are there, each at a tenth of its real share at least."""
    there = real > 0
    return float((found[there] >= PRESENT * real[there]).mean())


def modes(points: Points, name: str) -> tuple[float, float]:
    """Of the modes of `ring` or `grid`, the share that is covered; and the share of points of high quality, within
    three standard deviations of a mode (Srivastava et al. 2017). Only these count for a mode."""
    middle = centres(name)
    gaps = (points[:, None] - middle).norm(dim=2)
    good = gaps.min(dim=1).values <= 3 * DEVIATION[name]
    counts = np.bincount(gaps.argmin(dim=1)[good].numpy(), minlength=len(middle))
    uniform = np.full(len(middle), 1 / len(middle))
    return covered(counts / max(1, len(points)), uniform), float(good.double().mean())


def accuracy(found: ArrayLike, given: ArrayLike) -> float:
    """The share of samples that the classifier takes for what they were to be.

    Raises:
        DataError: there are more of the one than of the other."""
    first, second = _pairs(found, given)
    return float((first == second).mean())


def agreement(codes: ArrayLike, labels: ArrayLike) -> float:
    """The share of samples whose class is the one that their code stands for, under the best matching of codes and
    classes, each with one other at most (the clustering accuracy of InfoGAN, Chen et al. 2016, section 7.2).

    Raises:
        DataError: there are more of the one than of the other, or too many classes to match."""
    first, second = _pairs(codes, labels)
    together = np.zeros((first.max() + 1, second.max() + 1))
    np.add.at(together, (first, second), 1)
    return best_matching(together) / len(first)


def best_matching(worth: Array) -> float:
    """The largest sum of worth[i, j] where each row and each column is taken once at most: the best for every set of
    columns (a bit each), row after row (Held & Karp 1962).

    Raises:
        DataError: there are more than 16 of the fewer."""
    if worth.shape[1] > worth.shape[0]:
        worth = worth.T
    columns = worth.shape[1]
    if columns > MOST_CLASSES:
        raise DataError(f"{columns} codes and classes are too many to match; {MOST_CLASSES} at most")
    best = np.zeros(1 << columns)
    sets = np.arange(1 << columns)
    for row in worth:
        with_row = best.copy()
        for column, value in enumerate(row):
            has = sets[(sets >> column) & 1 == 1]
            with_row[has] = np.maximum(with_row[has], best[has ^ (1 << column)] + value)
        best = with_row
    return float(best[-1])


def correlations(codes: ArrayLike, factors: ArrayLike) -> Array:
    """Pearson's correlation of each continuous code (a row) with each true factor (a column); 0 where one is constant.

    Raises:
        DataError: there are more of the one than of the other."""
    first, second = (np.asarray(values, dtype=np.float64) for values in (codes, factors))
    if first.ndim != 2 or second.ndim != 2 or len(first) != len(second):
        raise DataError(f"codes of {first.shape} and factors of {second.shape} do not belong together")
    both = []
    for values in (first, second):
        away = values - values.mean(axis=0)
        length = np.sqrt((away**2).sum(axis=0))
        both.append(np.divide(away, length, out=np.zeros_like(away), where=length > 1e-12))
    return np.asarray(both[0].T @ both[1])


def _pairs(first: ArrayLike, second: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    one, other = np.asarray(first), np.asarray(second)
    if one.ndim != 1 or one.shape != other.shape or not len(one):
        raise DataError(f"{one.size} labels and {other.size} labels do not belong together; one for each was expected")
    return one, other
