"""Critics between two fixed sets of points, and the surfaces of their values: clipped weights against the gradient
penalty (Gulrajani et al. 2017, figure 1).

The best critic has slope 1 on the way from each generated point to the real one that it goes to. The difference of the
means of any critic, divided by its steepest slope, is a lower bound of the Wasserstein distance (EM)."""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from PIL import Image
from torch import Tensor

from imagegan.game import View, versus
from imagegan.lab.experiment import Draw, Number, Points, as_images, critic, train_critic
from imagegan.losses import LOSSES
from imagegan.nets import Discriminator
from imagegan.penalties import between, gradient_norms, shares
from imagegan.variants.wgan import clip
from seqgan.core.game import Player, rmsprop
from seqgan.core.plots import GREEN, ORANGE, Curve, plot, row

REACH, CELLS = 1.2, 60
AXIS = REACH * ((torch.arange(CELLS) + 0.5) / CELLS * 2 - 1)
SQUARE = as_images(torch.cartesian_prod(AXIS, AXIS).flip(1))  # by y, then x


class Trained(NamedTuple):
    critic: Discriminator
    surfaces: list[Tensor]  # "H W", over the training
    distance: float  # the difference of its means
    slopes: Tensor  # between real and generated points
    steepest: float  # in the whole square


def clipped(bound: float) -> Player[View]:
    """Weights in [-bound, bound]. Arjovsky et al. (2017), algorithm 1."""
    return versus(LOSSES["wasserstein"], rmsprop(5e-4), rmsprop(5e-4), d_after=clip(bound))["d"]


def trained(player: Player[View], real: Draw, generated: Draw, steps: int, depth: int = 3) -> Trained:
    net = critic(2, depth=depth)
    surfaces = train_critic(net, player, real, generated, steps, lambda: net(SQUARE).score.view(CELLS, CELLS))
    ends = as_images(real(4096)), as_images(generated(4096))
    with torch.no_grad():
        distance = net(ends[0]).score.mean() - net(ends[1]).score.mean()
    of_ways, everywhere = (
        gradient_norms(lambda at: net(at).score, points).detach()
        for points in (between(*ends, shares(ends[0])), SQUARE)
    )
    return Trained(net, surfaces, distance.item(), of_ways, everywhere.max().item())


def numbers(found: Mapping[str, Trained], em: float, *, at_most: bool = False) -> list[Number]:
    told = []
    for name, of in found.items():
        told.append(Number(f"{name}: mean slope", of.slopes.mean().item(), 1.0))
        told.append(Number(f"{name}: standard deviation of slopes", of.slopes.std().item(), 0.0))
        told.append(Number(f"{name}: EM from below", of.distance / of.steepest, em, at_most))
    return told


def frames(found: Mapping[str, Trained], real: Points, generated: Points) -> list[Image.Image]:
    """The surfaces of all critics side by side, over the training."""
    stages = zip(*(of.surfaces for of in found.values()), strict=True)
    return [
        row([surface(name, at, real, generated) for name, at in zip(found, stage, strict=True)]) for stage in stages
    ]


def surface(title: str, values: Tensor, real: Points, generated: Points) -> Image.Image:
    """Contours of a critic's values below the points."""
    sets = (("real", real, GREEN), ("generated", generated, ORANGE))
    points = [Curve(name, of[:200, 0], of[:200, 1], "dots", colour) for name, of, colour in sets]
    within = (-REACH, REACH)
    return plot(points, title=title, x="", y="", x_range=within, y_range=within, surface=values, size=(400, 420))
