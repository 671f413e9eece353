"""Whether a code has found a class or a factor without labels: the codes of samples beside what is predicted of them.

The true class and factors of a generated image are unknown; networks trained on real images predict them, and their
accuracy on held-out images is reported."""

import math

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from imagegan.data.dataset import ImageDataset
from imagegan.metrics.classes import share_of
from imagegan.metrics.predictors import Images, Predictor
from seqgan.core.report import Measured

Array = NDArray[np.float64]
MOST_CLASSES = 16


def class_found(categories: Int[Tensor, "N"], images: Images, classifier: Predictor) -> Measured:
    """The agreement of the categories of samples with the classes that a classifier predicts."""
    seen = classifier.classify(images)
    known = f"classes by labels@{classifier.fingerprint()[:8]}"
    signature = f"share under the best one-to-one matching of categories and {known}, N={len(images)}"
    return share_of(agreement(categories, seen), len(images), signature)


def factors_found(
    numbers: Float[Tensor, "N U"], images: Images, regressor: Predictor, test: ImageDataset
) -> dict[str, Measured]:
    """For each number of the code its largest absolute correlation with a factor, as a regressor predicts them, which
    factor that is, and the R^2 of the regressor for it on held-out images."""
    certain = r_squared(regressor.predict(test.pixels), test.factors)
    found = np.abs(correlations(numbers, regressor.predict(images)))
    names = test.factor_names
    by = f"factors@{regressor.fingerprint()[:8]}"
    row = {}
    for number, each in enumerate(found, start=1):
        factor = int(each.argmax())
        signature = (
            f"largest |correlation| of a number of the code with one of {len(names)} factors, by {by}, "
            f"N={len(images)}: {names[factor]}, whose held-out R^2 is {certain[factor]:.2f}"
        )
        error = float((1 - each[factor] ** 2) / math.sqrt(len(images) - 1))  # of normal variables, and many of them
        row[f"code-{number}"] = Measured(float(each[factor]), error, signature)
    return row


def factors_read(regressor: Predictor, test: ImageDataset) -> Measured:
    """The mean R^2 of the regressor on held-out images, with that of each factor."""
    each = r_squared(regressor.predict(test.pixels), test.factors)
    named = ", ".join(f"{name} {value:.2f}" for name, value in zip(test.factor_names, each, strict=True))
    signature = f"mean R^2 of factors@{regressor.fingerprint()[:8]} on held-out images, N={len(test.images)}: {named}"
    return Measured(float(each.mean()), math.nan, signature)


def r_squared(predicted: ArrayLike, true: ArrayLike) -> Array:
    """Of each column, the share of the variance that is predicted: 1 - residual / total sum of squares."""
    first, second = (np.asarray(values, dtype=np.float64) for values in (predicted, true))
    residual, total = ((first - second) ** 2).sum(axis=0), ((second - second.mean(axis=0)) ** 2).sum(axis=0)
    return np.asarray(1 - residual / total)


def agreement(codes: ArrayLike, labels: ArrayLike) -> float:
    """The share of samples whose class is the one that their code stands for, under the best matching of codes and
    classes, each with one other at most (the clustering accuracy of InfoGAN, Chen et al. 2016, section 7.2)."""
    first, second = np.asarray(codes), np.asarray(labels)
    together = np.zeros((first.max() + 1, second.max() + 1))
    np.add.at(together, (first, second), 1)
    return best_matching(together) / len(first)


def best_matching(worth: Array) -> float:
    """The largest sum of worth[i, j] where each row and each column is taken once at most: the best for every set of
    columns (a bit each), row after row (Held & Karp 1962). Of `MOST_CLASSES` at most: their number doubles the time."""
    if worth.shape[1] > worth.shape[0]:
        worth = worth.T
    columns = worth.shape[1]
    best = np.zeros(1 << columns)
    splits = np.arange(1 << columns)
    for row in worth:
        with_row = best.copy()
        for column, value in enumerate(row):
            has = splits[(splits >> column) & 1 == 1]
            with_row[has] = np.maximum(with_row[has], best[has ^ (1 << column)] + value)
        best = with_row
    return float(best[-1])


def correlations(codes: ArrayLike, factors: ArrayLike) -> Array:
    """Pearson's correlation of each continuous code (a row) with each true factor (a column); 0 where one is
    constant."""
    both = []
    for values in (np.asarray(codes, dtype=np.float64), np.asarray(factors, dtype=np.float64)):
        away = values - values.mean(axis=0)
        length = np.sqrt((away**2).sum(axis=0))
        both.append(np.divide(away, length, out=np.zeros_like(away), where=length > 1e-12))
    return np.asarray(both[0].T @ both[1])
