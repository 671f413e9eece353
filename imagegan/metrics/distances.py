"""How far two sets of images are apart, in features: Frechet distance and KID.

No bootstrap: it draws copies, and a set with copies is a worse set. Disjoint blocks give the errors: left out in turn
for a Frechet distance, which depends on how many images there are; one by one for KID, which does not and is their
mean. Matrices are torch's: it computes on as many threads as it is told to, and NumPy on all cores."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from imagegan.metrics.features import Features, Space
from seqgan.core.report import Measured
from seqgan.core.stats import BLOCKS, blocks, jackknife, jackknife_error, left_out, standard_error
from seqgan.errors import DataError, why

FEWEST = 20
LARGEST = 1e100  # of a feature, whose square is still finite
Splits = Sequence[Features]  # features of the same images in each map of a space


class Moments(NamedTuple):
    """The mean and the covariance (with N - 1) of a set of features."""

    mean: NDArray[np.float64]
    covariance: NDArray[np.float64]


def moments(features: ArrayLike) -> Moments:
    """Of features N x D, in float64."""
    values = np.array(features, dtype=np.float64, order="C")
    covariance = torch.cov(torch.from_numpy(values).T).numpy()
    return Moments(values.mean(axis=0), np.atleast_2d(covariance))


def frechet_distance(first: Moments, second: Moments) -> float:
    """The squared Frechet (2-Wasserstein) distance of two normal distributions (Dowson & Landau 1982; Heusel et al.
    2017, equation 6): |m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)).

    The last trace is the sum of the roots of the eigenvalues of R S2 R with R = S1^(1/2), a symmetric matrix: never
    imaginary. What rounding makes of a zero is cut to zero, so the distance is never negative."""
    values, vectors = torch.linalg.eigh(torch.from_numpy(first.covariance))
    root = (vectors * values.clamp(min=0).sqrt()) @ vectors.T
    crossed = torch.linalg.eigvalsh(root @ torch.from_numpy(second.covariance) @ root).clamp(min=0)
    shift = first.mean - second.mean
    spread = np.trace(first.covariance) + np.trace(second.covariance) - 2 * float(crossed.sqrt().sum())
    return max(0.0, float(shift @ shift + spread))


def frechet(space: Space, samples: Splits, reference: Splits, split: str) -> Measured:
    """The Frechet distance of the normal distributions fitted to both, averaged over the maps of the space."""
    samples, reference = _as_many(samples, reference)
    return Measured(
        _mean(_frechet, samples, reference),
        float(jackknife_error(_left_out(samples, reference))),
        f"FD[{space}, N={len(samples[0])}, {split}]",
    )


def kernel_distance(space: Space, samples: Splits, reference: Splits, split: str) -> Measured:
    """KID, the mean over disjoint blocks, whose size does not bias it. The features are first divided by the root of
    the reference's mean square: the kernel was made for Inception's, which are about that large, and of larger ones
    it sees the largest only, of smaller ones little but their mean."""
    samples, reference = _as_many(samples, reference)
    scales = [np.sqrt(np.mean(y**2)) or 1.0 for y in reference]
    samples, reference = ([x / scale for x, scale in zip(some, scales, strict=True)] for some in (samples, reference))
    count, size = len(samples[0]), len(samples[0]) // BLOCKS
    values = [_mean(kid, [x[at[:size]] for x in samples], [y[at[:size]] for y in reference]) for (at,) in blocks(count)]
    signature = f"KID[{space}, N={count}, {split}, blocks {BLOCKS}x{size}]"
    return Measured(float(np.mean(values)), float(standard_error(values)), signature)


def kid(samples: Features, reference: Features) -> float:
    """The unbiased squared MMD with the kernel (x.y / D + 1)^3 (Binkowski et al. 2018, equation 4): below zero about
    as often as above where both are drawn from the same distribution."""
    one, other = len(samples), len(reference)

    def kernel(first: Features, second: Features) -> Features:
        products = (torch.from_numpy(first) @ torch.from_numpy(second).T).numpy()
        return (products / first.shape[1] + 1) ** 3

    within, within_other = kernel(samples, samples), kernel(reference, reference)
    return float(
        (within.sum() - np.trace(within)) / (one * (one - 1))
        + (within_other.sum() - np.trace(within_other)) / (other * (other - 1))
        - 2 * kernel(samples, reference).mean()
    )


def fid(path: Path) -> Measured:
    """FID from Inception features that were computed elsewhere: an npz file with `samples` (N x D), and `reference`
    (M x D) or, as pytorch-fid keeps them, `mu` and `sigma`.

    Raises:
        DataError: the file is missing, no npz, or lacks these arrays."""
    found = read_arrays(path)
    if "samples" not in found or not ("reference" in found or {"mu", "sigma"} <= set(found)):
        raise DataError(
            f"{path} holds {', '.join(found) or 'nothing'}; Inception features were expected: samples (N x D), and "
            "reference (M x D) or mu and sigma"
        )
    samples, sets = _features(found["samples"], f"{path}: samples"), []
    if "reference" in found:
        sets = [_features(found["reference"], f"{path}: reference")]
    against = moments(*sets) if sets else _moments(found["mu"], found["sigma"], path)
    width = samples.shape[1]
    if against.mean.shape != (width,):
        raise DataError(f"{path}: the samples have {width} features, the reference {against.mean.size}")

    def distance(some: Features, *others: Features) -> float:
        return frechet_distance(moments(some), moments(*others) if others else against)

    error = float(jackknife(distance, samples, *sets))
    return Measured(distance(samples), error, f"FID[Inception features of {path.name}, N={len(samples)}]")


def _features(values: np.ndarray, what: str) -> Features:
    if values.ndim != 2 or values.shape[0] < 2 or not values.shape[1]:
        shape = " x ".join(map(str, values.shape)) or "a single value"
        raise DataError(f"{what} is {shape}; N x D features were expected, of two images at least")
    return _numbers(values, what)


def _moments(mean: np.ndarray, covariance: np.ndarray, path: Path) -> Moments:
    if mean.ndim != 1 or not mean.size or covariance.shape != (mean.size, mean.size):
        shapes = " and ".join(" x ".join(map(str, some.shape)) or "a single value" for some in (mean, covariance))
        raise DataError(f"{path}: mu and sigma are {shapes}; D numbers and a D x D covariance were expected")
    mean, covariance = _numbers(mean, f"{path}: mu"), _numbers(covariance, f"{path}: sigma")
    scale = float(np.abs(covariance).max()) or 1.0
    if not np.allclose(covariance, covariance.T, rtol=0, atol=1e-4 * scale):
        raise DataError(f"{path}: sigma is not symmetric, as a covariance is; compute it again")
    if torch.linalg.eigvalsh(torch.from_numpy(covariance)).min() < -1e-4 * scale:
        raise DataError(f"{path}: sigma has negative variances, as no covariance has; compute it again")
    return Moments(mean, covariance)


def _numbers(values: np.ndarray, what: str) -> Features:
    if values.dtype.kind not in "fiu" or not (np.abs(values.astype(np.float64)) < LARGEST).all():
        raise DataError(
            f"{what} holds {values.dtype} values, or some that are not finite or beyond {LARGEST:g}; real numbers were "
            "expected"
        )
    return values.astype(np.float64)


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of an npz file.

    Raises:
        DataError: it is missing, or no npz file of plain numbers."""
    try:
        with path.open("rb") as file:
            if file.read(2) != b"PK":
                raise DataError(f"{path} is no npz file; numpy.savez writes one")
            file.seek(0)
            with np.load(file, allow_pickle=False) as found:
                arrays = dict(found)
    except FileNotFoundError as error:
        raise DataError(f"there is no file {path}; an npz file was expected") from error
    except DataError:
        raise
    except MemoryError as error:
        raise DataError(f"{path} is damaged, or larger than memory; give fewer samples") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {why(error)}; an npz file was expected") from error
    except Exception as error:  # zipfile, zlib and numpy each have errors of their own
        raise DataError(
            f"{path} is a damaged npz file, or holds Python objects; plain numbers by numpy.savez were expected: write "
            "it again"
        ) from error
    if foreign := [name for name, array in arrays.items() if not isinstance(array, np.ndarray)]:
        raise DataError(f"{path} holds {foreign[0]}, which is no array; an npz file by numpy.savez was expected")
    return arrays


def _frechet(samples: Features, reference: Features) -> float:
    return frechet_distance(moments(samples), moments(reference))


def _as_many(samples: Splits, reference: Splits) -> tuple[Splits, Splits]:
    """Equally many of both: a distance depends on how many there are."""
    count = min(len(samples[0]), len(reference[0]))
    if count < FEWEST:
        raise DataError(f"{count} images cannot be measured; {FEWEST} or more are needed, better thousands")
    return [x[:count] for x in samples], [y[:count] for y in reference]


def _mean(measure: Callable[[Features, Features], float], samples: Splits, reference: Splits) -> float:
    return float(np.mean([measure(x, y) for x, y in zip(samples, reference, strict=True)]))


def _left_out(samples: Splits, reference: Splits) -> list[float]:
    """The Frechet distance without each block, of the samples and of the reference."""
    parts = left_out(len(samples[0]), len(reference[0]))
    return [_mean(_frechet, [x[some] for x in samples], [y[others] for y in reference]) for some, others in parts]
