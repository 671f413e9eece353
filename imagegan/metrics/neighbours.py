"""What nearest neighbours tell: whether samples are like real images, of all their kinds, and whether copies."""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from imagegan.data.images import as_floats
from imagegan.metrics.networks import AT_ONCE, Pictures
from imagegan.metrics.spaces import Features

NEIGHBOURS = 5


class Manifolds(NamedTuple):
    precision: float
    recall: float
    density: float
    coverage: float


class Nearest(NamedTuple):
    distance: Float[Tensor, "N"]
    image: Int[Tensor, "N"]  # which training image it is


def manifolds(samples: Features, reference: Features, neighbours: int = NEIGHBOURS) -> Manifolds:
    """Precision and recall: the share of samples inside the real manifold, and of real images inside that of the
    samples; a manifold is the balls around its points that reach to the k-th nearest other (Kynkaanniemi et al. 2019).
    Density and coverage: in how many real balls a sample lies, over k; the share of real balls with a sample in them
    (Naeem et al. 2020), which a single outlier cannot stretch."""
    fake, real = torch.from_numpy(samples), torch.from_numpy(reference)
    fake_reach, real_reach = _reach(fake, neighbours), _reach(real, neighbours)
    precise, balls = 0, 0
    recalled = torch.zeros(len(real), dtype=torch.bool)
    covered = torch.zeros(len(real), dtype=torch.bool)
    for at, distances in _distances(fake, real):
        inside = distances <= real_reach
        precise += int(inside.any(dim=1).sum())
        balls += int(inside.sum())
        covered |= inside.any(dim=0)
        recalled |= (distances <= fake_reach[at, None]).any(dim=0)
    return Manifolds(
        precise / len(fake),
        float(recalled.double().mean()),
        balls / (neighbours * len(fake)),
        float(covered.double().mean()),
    )


def nearest(pictures: Pictures, training: Shaped[Tensor, "M C S S"]) -> Nearest:
    """The training image with the smallest Euclidean distance in pixels, for each picture."""
    flat = pictures.flatten(1)
    least, image = torch.full((len(flat),), torch.inf), torch.zeros(len(flat), dtype=torch.long)
    for part, some in enumerate(training.split(AT_ONCE)):
        found = torch.cdist(flat, as_floats(some).flatten(1)).min(dim=1)
        image = torch.where(found.values < least, found.indices + part * AT_ONCE, image)
        least = least.minimum(found.values)
    return Nearest((flat - as_floats(training[image]).flatten(1)).norm(dim=1), image)


def closer(samples: Nearest, test: Nearest) -> float:
    """The chance that a sample is nearer to a training image than a real image that was held out: one half where
    nothing is copied, 1 where all is (Meehan et al. 2020; the Mann-Whitney statistic)."""
    order = test.distance.sort().values
    below = torch.searchsorted(order, samples.distance, right=False)
    upto = torch.searchsorted(order, samples.distance, right=True)
    return float(1 - ((below + upto) / (2 * len(order))).double().mean())


def _reach(points: Float[Tensor, "N D"], neighbours: int) -> Float[Tensor, "N"]:
    """The distance to the k-th nearest other point."""
    nearest_first = [d.kthvalue(neighbours + 1, dim=1).values for _, d in _distances(points, points)]
    return torch.cat(nearest_first)


def _distances(points: Float[Tensor, "N D"], others: Float[Tensor, "M D"]) -> Iterator[tuple[slice, Tensor]]:
    for start in range(0, len(points), AT_ONCE):
        at = slice(start, start + AT_ONCE)
        yield at, torch.cdist(points[at], others)
