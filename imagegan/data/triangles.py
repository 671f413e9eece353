"""Triangles, after the convex polygons of Lucic et al. (2018): a dataset of which every possible image is known.

Their corners lie on a circle, each at one of `PLACES` places of an arc of its own; the centre of mass is in the middle.
There are PLACES^3 of them, so that how far an image is from the nearest is exact: the smallest of as many distances.
(Those of the study are drawn from a continuum; here, a triangle between the places is as near to one of them as the
study counts as on the manifold.)"""

import math
from functools import lru_cache

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from imagegan.data.dataset import ImageDataset
from seqgan.core.seed import private_generator

SIDE, RADIUS = 28, 9.0  # pixels
PLACES = 32
ARC, APART = 80, 40  # degrees: of the arc of a corner, and between two arcs
AT_ONCE = 4096


def triangles(count: int, seed: int = 0) -> ImageDataset:
    """`count` white triangles on black, all equally likely."""
    every = all_triangles()
    chosen = torch.randint(len(every), (count,), generator=private_generator(seed, "triangles"))
    return ImageDataset.of(every[chosen])


@lru_cache(maxsize=1)
def all_triangles() -> UInt8[Tensor, "N 1 28 28"]:
    places = torch.linspace(APART / 2, APART / 2 + ARC, PLACES)
    degrees = torch.cartesian_prod(places, places + 120, places + 240)
    return torch.cat([drawn(some) for some in degrees.split(AT_ONCE)])


def drawn(degrees: Float[Tensor, "N 3"]) -> UInt8[Tensor, "N 1 28 28"]:
    """Triangles with corners at these angles, anticlockwise. Of a pixel on an edge about the share that is inside."""
    angles = degrees * (math.pi / 180)
    corners = RADIUS * torch.stack([angles.cos(), angles.sin()], dim=2)
    corners = corners - corners.mean(dim=1, keepdim=True)
    line = torch.arange(SIDE) - (SIDE - 1) / 2
    pixels = torch.cartesian_prod(line, line)
    edges = corners.roll(-1, dims=1) - corners  # the inside is on the left
    inward = torch.stack([-edges[..., 1], edges[..., 0]], dim=2) / edges.norm(dim=2, keepdim=True)
    depth = inward @ pixels.t() - (inward * corners).sum(dim=2, keepdim=True)
    return ((depth + 0.5).clamp(0, 1).prod(dim=1) * 255).round().byte().view(-1, 1, SIDE, SIDE)
