"""Points in the plane, for quick looks: eight modes on a ring, 25 on a grid, a Swiss roll.

Ring and grid as in Metz et al. (2017) and Srivastava et al. (2017), the roll as in Gulrajani et al. (2017); all
scaled into [-1, 1]. A point is an image of one pixel with two channels, so that all else treats them alike."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from imagegan.data.dataset import UNLABELLED, ImageDataset
from seqgan.core.seed import private_generator

Points = Float[Tensor, "N 2"]

DEVIATION = {"ring": 0.02, "grid": 0.02}  # of a point from the centre of its mode, along each axis
TOYS = ("ring", "grid", "swissroll")
MODAL = tuple(DEVIATION)


def centres(name: str) -> Points:
    """The modes of `ring` or `grid`."""
    if name == "ring":
        angles = torch.arange(8) * (2 * math.pi / 8)
        return 0.8 * torch.stack([angles.cos(), angles.sin()], dim=1)
    line = torch.linspace(-0.8, 0.8, 5)
    return torch.cartesian_prod(line, line)


def toy(name: str, count: int, seed: int = 0) -> ImageDataset:
    """`count` points, the modes of `ring` and `grid` (the labels) equally likely."""
    rng = private_generator(seed, "toy", name)
    if name == "swissroll":
        turns = 1.5 * math.pi * (1 + 2 * torch.rand(count, generator=rng))
        points = torch.stack([turns * turns.cos(), turns * turns.sin()], dim=1) / 15
        points += 0.01 * torch.randn(count, 2, generator=rng)
        labels = torch.full((count,), UNLABELLED)
    else:
        modes = centres(name)
        labels = torch.randint(len(modes), (count,), generator=rng)
        points = modes[labels] + DEVIATION[name] * torch.randn(count, 2, generator=rng)
    return ImageDataset.of(points.view(count, 2, 1, 1), labels)
