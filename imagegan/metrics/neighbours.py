"""Metrics of nearest neighbours: precision, recall, density, coverage, and copies of training images."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Shaped
from numpy.typing import NDArray
from torch import Tensor

from imagegan.data.dataset import as_floats
from imagegan.metrics.features import Features
from imagegan.metrics.predictors import AT_ONCE, Images
from seqgan.core.stats import left_out

NEIGHBOURS = 5
SPARE = 8  # times as many neighbours are searched, since a tenth of them may be left out


class Manifolds(NamedTuple):
    precision: float
    recall: float
    density: float
    coverage: float


def manifolds(
    samples: Features, reference: Features, neighbours: int = NEIGHBOURS, *, jackknife: bool = False
) -> list[Manifolds]:
    """Precision and recall: the share of samples inside the real manifold, and of real images inside that of the
    samples; a manifold is the closed balls around its points that reach to the k-th nearest other (Kynkaanniemi et al.
    2019, equation 1). Density and coverage: in how many real balls a sample lies, over k; the share of real balls with
    a sample in them (Naeem et al. 2020, equations 2 and 3, of which the code has open balls), which a single outlier
    cannot stretch: of a copy of the real images both are 1.

    With `jackknife` they are followed by those without each block of either set; the distances are computed once."""
    parts = left_out(len(samples), len(reference)) if jackknife else []
    fake, real = torch.from_numpy(samples), torch.from_numpy(reference)
    fake_kept, real_kept = _masks(fake, [some for some, _ in parts]), _masks(real, [some for _, some in parts])
    fake_reach, real_reach = _reaches(fake, neighbours, fake_kept), _reaches(real, neighbours, real_kept)
    precise, balls = ([0] * len(fake_kept) for _ in range(2))
    recalled, covered = (torch.zeros_like(real_kept) for _ in range(2))
    for at, distances in _distances(fake, real):
        for part, kept in enumerate(fake_kept[:, at]):
            inside = (distances < real_reach[part]) & kept[:, None]
            balls[part] += int(inside.sum())
            covered[part] |= inside.any(dim=0)
            precise[part] += int(((distances <= real_reach[part]).any(dim=1) & kept).sum())
            recalled[part] |= (distances <= fake_reach[part, at, None]).any(dim=0)
    return [
        Manifolds(
            precise[part] / int(fake_kept[part].sum()),
            float(recalled[part][kept].double().mean()),
            balls[part] / (neighbours * int(fake_kept[part].sum())),
            float(covered[part][kept].double().mean()),
        )
        for part, kept in enumerate(real_kept)
    ]


def _masks(points: Tensor, parts: Sequence[NDArray[np.int64]]) -> Bool[Tensor, "P N"]:
    """Which points are in the whole, and in each part."""
    masks = torch.ones(1 + len(parts), len(points), dtype=torch.bool)
    for mask, places in zip(masks[1:], parts, strict=True):
        mask[:] = False
        mask[torch.from_numpy(places)] = True
    return masks


def _reaches(points: Float[Tensor, "N D"], neighbours: int, parts: Bool[Tensor, "P N"]) -> Float[Tensor, "P N"]:
    """The distance of each point to its k-th nearest other in each part; less than any distance where it is no part."""
    looked_at = min(len(points), SPARE * (neighbours + 1))
    reaches = torch.full(parts.shape, -1.0, dtype=points.dtype)
    for at, distances in _distances(points, points):
        near, which = distances.topk(looked_at, dim=1, largest=False, sorted=True)
        for part, reach in zip(parts, reaches, strict=True):
            seen = part[which].cumsum(dim=1) <= neighbours  # the point itself and the nearest k - 1 others
            kth = seen.sum(dim=1).clamp(max=looked_at - 1)
            reach[at] = torch.where(part[at], near.gather(1, kth[:, None])[:, 0], -1.0)
    return reaches


def nearest(images: Images, training: Shaped[Tensor, "M C S S"]) -> Float[Tensor, "N"]:
    """The smallest Euclidean distance in pixels to a training image, for each image."""
    image = nearest_images(images, training)
    return (images.flatten(1) - as_floats(training[image]).flatten(1)).norm(dim=1)  # of a copy exactly 0


def nearest_images(images: Images, training: Shaped[Tensor, "M C S S"]) -> Int[Tensor, "N"]:
    """The number of the training image that is nearest to each image, in pixels."""
    flat = images.flatten(1)
    least, image = torch.full((len(flat),), torch.inf), torch.zeros(len(flat), dtype=torch.long)
    for part, some in enumerate(training.split(AT_ONCE)):
        found = torch.cdist(flat, as_floats(some).flatten(1)).min(dim=1)
        image = torch.where(found.values < least, found.indices + part * AT_ONCE, image)
        least = least.minimum(found.values)
    return image


def closer(samples: Float[Tensor, "N"], test: Float[Tensor, "M"]) -> float:
    """The chance that a sample is nearer to a training image than a real image that was held out, by the distances of
    `nearest`: one half where nothing is copied, 1 where all is (Meehan et al. 2020; the Mann-Whitney statistic)."""
    order = test.sort().values
    below = torch.searchsorted(order, samples, right=False)
    upto = torch.searchsorted(order, samples, right=True)
    return float(1 - ((below + upto) / (2 * len(order))).double().mean())


def copied(samples: Float[Tensor, "N"], test: Float[Tensor, "M"]) -> float:
    """The share of samples less than half as far from a training image as the median held-out image is. Blurred samples
    are `closer`, too, but hardly ever by that much."""
    return float((samples < test.median() / 2).double().mean())


def _distances(points: Float[Tensor, "N D"], others: Float[Tensor, "M D"]) -> Iterator[tuple[slice, Tensor]]:
    """Of some points at a time, without the product of matrices by which `cdist` is faster: it rounds |x - y| and
    |y - x| differently, and a tie would be none."""
    for start in range(0, len(points), AT_ONCE):
        at = slice(start, start + AT_ONCE)
        yield at, torch.cdist(points[at], others, compute_mode="donot_use_mm_for_euclid_dist")
