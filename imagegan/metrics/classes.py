"""Metrics of labels: the classes of samples, the modes that they cover, the accuracy of conditional samples, and what
features say of the class."""

import math

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy.typing import ArrayLike, NDArray
from torch import Tensor
from torch.nn.functional import one_hot
from torch.special import ndtr

from imagegan.data.toys import DEVIATION, Points, centres
from seqgan.core.report import Measured

Array = NDArray[np.float64]
RIDGE = 1.0  # of standardised features, whose variance is 1: as good as any for pixels, whether 600 images or 10,000
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


def covered_modes(points: Points, name: str) -> tuple[float, float, float]:
    """Of the modes of `ring` or `grid`, the share that is covered, with its standard error; and the share of points of
    high quality, within three standard deviations of a mode (Srivastava et al. 2017). Only these count for a mode."""
    middle = centres(name)
    gaps = (points[:, None] - middle).norm(dim=2)
    good = gaps.min(dim=1).values <= 3 * DEVIATION[name]
    counts = np.bincount(gaps.argmin(dim=1)[good].numpy(), minlength=len(middle))
    uniform = np.full(len(middle), 1 / len(middle))
    got = counts / max(1, len(points))
    return covered(got, uniform), covered_error(got, uniform, len(points)), float(good.double().mean())


def accuracy(found: ArrayLike, given: ArrayLike) -> float:
    """The share of samples that are classified as what they should be."""
    return float((np.asarray(found) == np.asarray(given)).mean())


def share_of(value: float, count: int, signature: str) -> Measured:
    """A share of so many things, with the standard error of a binomial share."""
    return Measured(value, math.sqrt(value * (1 - value) / count), signature)


def linearly_right(
    train: Float[Tensor, "N F"], labels: Int[Tensor, "N"], test: Float[Tensor, "M F"], test_labels: Int[Tensor, "M"]
) -> Bool[Tensor, "M"]:
    """Which of the test features a linear classifier of the training features gets right: ridge regression of the
    one-hot labels, in closed form, so that nothing of it is random."""
    mean, deviation = train.double().mean(dim=0), train.double().std(dim=0)
    deviation = torch.where(deviation > 1e-6 * deviation.max(), deviation, torch.inf)  # constant features say nothing

    def standardised(features: Tensor) -> Tensor:
        return (features.double() - mean) / deviation

    inputs, targets = standardised(train), one_hot(labels).double()
    targets = targets - (middle := targets.mean(dim=0))
    ridge = RIDGE * torch.eye(inputs.shape[1], dtype=torch.float64)
    weights = torch.linalg.solve(inputs.t() @ inputs / len(inputs) + ridge, inputs.t() @ targets / len(inputs))
    return (standardised(test) @ weights + middle).argmax(dim=1) == test_labels
