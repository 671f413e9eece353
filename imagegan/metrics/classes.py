"""Metrics of labels: the classes of samples, the modes that they cover, and the accuracy of conditional samples."""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch.special import ndtr

from imagegan.data.toys import DEVIATION, Points, centres
from seqgan.errors import DataError

Array = NDArray[np.float64]
PRESENT = 0.1  # a class is covered from this part of its real share on


def shares(labels: ArrayLike, classes: int) -> Array:
    """The share of each class."""
    numbers = np.asarray(labels)
    return np.asarray(np.bincount(numbers, minlength=classes) / len(numbers))


def imbalance(found: Array, real: Array) -> float:
    """The total variation between two distributions over classes: the share that would have to change its class."""
    return float(np.abs(found - real).sum() / 2)


def covered(found: Array, real: Array) -> float:
    """The share of the real classes that are covered, each with a tenth of its real share at least."""
    there = real > 0
    return float((found[there] >= PRESENT * real[there]).mean())


def covered_error(found: Array, real: Array, count: int) -> float:
    """The standard error of `covered` for `count` samples: each class is there by chance, as its share may come out on
    either side of the tenth (the normal approximation of a binomial share). Ten blocks do not give it: where no class
    is near the threshold they all agree, where one is they are too small."""
    there = real > 0
    share, needed = found[there], PRESENT * real[there]
    spread = np.sqrt(share * (1 - share) / count)
    away = np.divide(share - needed, spread, out=np.where(share < needed, -np.inf, np.inf), where=spread > 0)
    chance = ndtr(torch.from_numpy(away)).numpy()
    return float(np.sqrt((chance * (1 - chance)).sum()) / there.sum())


class Modes(NamedTuple):
    covered: float
    covered_error: float
    quality: float


def modes(points: Points, name: str) -> Modes:
    """Of the modes of `ring` or `grid`, the share that is covered; and the share of points of high quality, within
    three standard deviations of a mode (Srivastava et al. 2017). Only these count for a mode."""
    middle = centres(name)
    gaps = (points[:, None] - middle).norm(dim=2)
    good = gaps.min(dim=1).values <= 3 * DEVIATION[name]
    counts = np.bincount(gaps.argmin(dim=1)[good].numpy(), minlength=len(middle))
    uniform = np.full(len(middle), 1 / len(middle))
    got = counts / max(1, len(points))
    return Modes(covered(got, uniform), covered_error(got, uniform, len(points)), float(good.double().mean()))


def accuracy(found: ArrayLike, given: ArrayLike) -> float:
    """The share of samples that are classified as what they should be.

    Raises:
        DataError: there are more of the one than of the other."""
    first, second = pairs(found, given)
    return float((first == second).mean())


def pairs(first: ArrayLike, second: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """
    Raises:
        DataError: there are more of the one than of the other, or none."""
    one, other = np.asarray(first), np.asarray(second)
    if one.ndim != 1 or one.shape != other.shape or not len(one):
        raise DataError(f"{one.size} labels and {other.size} labels do not belong together; one for each was expected")
    return one, other
