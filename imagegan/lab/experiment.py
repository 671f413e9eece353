"""What the experiments share: their loop, small networks, and what they report."""

import math
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any, NamedTuple, TypeVar

import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor, nn

from imagegan.game import Batch, Recipe, View, versus
from imagegan.latents import CPU
from imagegan.losses import LOSSES, Scalar
from imagegan.nets import Discriminator, Images
from imagegan.penalties import Score, gradient_penalty
from imagegan.variants.configs import Sides
from seqgan.core.game import Player, Term, adam, move

T = TypeVar("T")
Points = Float[Tensor, "N D"]
Draw = Callable[[int], Points]
Penalty = Callable[[Score, Images, Images, Sides], Scalar]
BATCH, FRAMES = 256, 20


class Number(NamedTuple):
    """A measured quantity, and its exact value where there is one."""

    what: str
    measured: float
    exact: float | None = None
    at_most: bool = False  # `exact` is an upper bound

    def cells(self) -> list[str]:
        """Name, measured, exact, deviation."""
        if self.exact is None:
            return [self.what, f"{self.measured:.5g}", "", ""]
        apart = round(self.measured - self.exact, 12)  # less is the rounding of sums
        deviation = "" if self.at_most or math.isinf(self.exact) else f"{apart:+.1e}"
        return [self.what, f"{self.measured:.5g}", "at most " * self.at_most + f"{self.exact:.5g}", deviation]


class Result(NamedTuple):
    numbers: list[Number]
    picture: Image.Image
    frames: list[Image.Image]  # of the training


def train(
    nets: Mapping[str, nn.Module],
    players: Mapping[str, Player[View]],
    real: Draw,
    steps: int,
    watch: Callable[[int], T],
    **recipe: Any,
) -> list[T]:
    """Rounds of a game with a number as its noise; gives what `watch` gave after 0 rounds, and about `FRAMES` times
    more."""
    game = Recipe(nets, players, **{"noise": (1,), **recipe})
    optimizers = {name: player.new_optimizer(nets) for name, player in players.items()}
    seen = [watch(0)]
    for step in range(1, steps + 1):
        for name, player in players.items():
            for _ in range(player.turns(step)):
                view = View(game, lambda: Batch(as_images(real(BATCH)), torch.empty(0)), BATCH, CPU)
                move(player, view, nets, optimizers[name])
        if step % max(1, steps // FRAMES) == 0:
            seen.append(watch(step))
    return seen


def train_critic(
    net: Discriminator, player: Player[View], real: Draw, generated: Draw, steps: int, watch: Callable[[], T]
) -> list[T]:
    """The same for a critic alone, between points that nobody moves."""
    nets = {"generator": PointGenerator(lambda z: generated(len(z))), "discriminator": net}
    return train(nets, {"d": player}, real, steps, torch.no_grad()(lambda step: watch()))


def penalised(
    weight: float = 10.0, lr: float = 2e-3, penalty: Penalty = gradient_penalty, sides: Sides = "two-sided"
) -> Player[View]:
    """A critic of Gulrajani et al. (2017), algorithm 1, or with another penalty between real and generated images."""
    term: Term[View] = Term(lambda view: penalty(view.score, view.real, view.fake, sides), weight)
    return versus(LOSSES["wasserstein"], adam(lr, 0.5, 0.9), adam(lr), d_terms={"penalty": term})["d"]


def resampled(points: Points) -> Draw:
    return lambda count: points[torch.randint(len(points), (count,))]


def as_images(points: Points) -> Images:
    """Of one pixel, with a channel for each axis."""
    return points[:, :, None, None]


class PointGenerator(nn.Module):
    """Noise to points, by a network or by any other function; `before` it, normal noise may be made uniform."""

    def __init__(self, of: Callable[[Tensor], Points], before: Callable[[Tensor], Tensor] = torch.clone) -> None:
        super().__init__()
        self.of, self.before = of, before

    def forward(self, noise: Tensor, code: Tensor) -> Images:
        return as_images(self.of(self.before(noise)))


def perceptron(*sizes: int) -> list[nn.Module]:
    """Linear layers of these sizes, with leaky ReLU behind each."""
    return [part for size in pairwise(sizes) for part in (nn.Linear(*size), nn.LeakyReLU(0.2))]


def critic(inputs: int, width: int = 64, depth: int = 2) -> Discriminator:
    """Of points."""
    return Discriminator(nn.Sequential(nn.Flatten(), *perceptron(inputs, *[width] * depth)), width, planes=False)
