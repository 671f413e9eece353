"""Feature spaces in which images are compared; none needs a download.

Each space has a fingerprint, printed with every number: numbers of different fingerprints are not comparable."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from imagegan.data.dataset import ImageDataset, as_floats
from imagegan.metrics.predictors import AT_ONCE, FEATURES, Images, Predictor

Features = NDArray[np.float64]  # N x D
COMPONENTS = 64
MOST_VALUES = 1024  # of an image whose principal components are sought
NETS, SMALLEST = 3, 8


@dataclass(frozen=True)
class Space:
    """One or several maps from images to features; what is measured in each is averaged."""

    name: str
    fingerprint: str
    maps: Sequence[Callable[[Images], Tensor]]

    @torch.no_grad()
    def features(self, images: Images) -> list[Features]:
        return [torch.cat([map_(some).double() for some in images.split(AT_ONCE)]).numpy() for map_ in self.maps]

    def __str__(self) -> str:
        return f"{self.name}@{self.fingerprint[:8]}"


def pca64(train: ImageDataset) -> Space:
    """The first 64 principal components of the training images: pixels without the dead ones at the border."""
    parts = train.images.split(AT_ONCE)
    count, total, squares = len(train.images), torch.zeros(1), torch.zeros(1)
    for some in parts:
        total = total + small(as_floats(some)).double().sum(dim=0)
    mean = (total / count).float()
    for some in parts:
        away = (small(as_floats(some)) - mean).double()
        squares = squares + away.t() @ away
    _, vectors = torch.linalg.eigh(squares / count)
    axes = vectors[:, -COMPONENTS:]
    name = f"pca{COMPONENTS}"
    return Space(name, _sha(name, train.fingerprint()), [lambda some: (small(some) - mean).double() @ axes])


def small(images: Images) -> Tensor:
    """Flat images, halved until they hold at most 1,024 values."""
    while images[0].numel() > MOST_VALUES:
        images = avg_pool2d(images, 2, ceil_mode=True)
    return images.flatten(1)


@cache
def random(channels: int) -> Space:
    """Three convolutional networks with random orthogonal weights: no labels, no training.

    That such features rank generators well: Lee et al. (2022), "Demystifying Randomly Initialized Networks for
    Evaluating Generative Models"."""
    nets = [_random_net(channels, seed) for seed in range(NETS)]
    return Space("random", _sha("random", NETS, channels, FEATURES), nets)


def _random_net(channels: int, seed: int) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        layers = [
            layer
            for inputs, outputs in pairwise((channels, 16, 32, 64))
            for layer in (nn.Conv2d(inputs, outputs, 3, 2, 1), nn.ReLU())
        ]
        net = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(64 * 4, FEATURES))
        for layer in net:
            if isinstance(layer, nn.Conv2d | nn.Linear):
                nn.init.orthogonal_(layer.weight, gain=nn.init.calculate_gain("relu"))
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return net.eval()


def labels(train: ImageDataset, classifier: Predictor) -> Space:
    """The features of a classifier of the training images, whitened: it separates classes along a few directions, which
    would hide what the others show of noise, blur and copies. It favours models that use the same labels."""
    with torch.no_grad():
        seen = torch.cat([classifier.features(as_floats(some)).double() for some in train.images.split(AT_ONCE)])
    mean = seen.mean(dim=0)
    values, vectors = torch.linalg.eigh(torch.cov(seen.t()))
    whitening = vectors / values.clamp(min=values[-1] * 1e-6).sqrt()
    fingerprint = _sha("labels", classifier.fingerprint(), train.fingerprint())
    return Space("labels", fingerprint, [lambda some: (classifier.features(some).double() - mean) @ whitening])


def spaces_for(train: ImageDataset, classifier: Predictor | None) -> list[Space]:
    """`pca64`; `random` for images (not for points); `labels` where there is a classifier."""
    channels, size = train.images.shape[1:3]
    return [
        pca64(train),
        *([random(channels)] if size >= SMALLEST else []),
        *([labels(train, classifier)] if classifier is not None else []),
    ]


def unlabelled(train: ImageDataset) -> Space:
    """The one space for a single number: `random` for images, `pca64` for points, which no label has shaped."""
    channels, size = train.images.shape[1:3]
    return random(channels) if size >= SMALLEST else pca64(train)


def spread(images: Images) -> float:
    """The mean standard deviation of a pixel."""
    return float(images.std(dim=0).mean())


def _sha(*facts: object) -> str:
    return hashlib.sha256(repr(facts).encode()).hexdigest()
