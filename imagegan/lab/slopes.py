"""What a difference penalty does not see: critics between N(0, I) and N(m, I), |m| = 2, in more and more dimensions.

The best critic is linear, D(x) = (x, m) / |m|, with slope 1 everywhere. A gradient penalty of weight lambda leaves it a
slope of 1 + |m| / (2 lambda). A difference penalty sees the slope along the line from a generated to a real point alone,
of which a linear critic a (x, m) / |m| has s a, s = (m + n, m) / (|m| |m + n|) with n from N(0, 2 I): the best a is
(E |s| + |m| / (2 lambda)) / E s^2. It grows like the root of the dimension, since other points lie ever more sideways."""

import torch
from PIL import Image
from torch import Tensor

from imagegan.game import View, versus
from imagegan.lab.experiment import Number, Result, as_images, critic, penalised, train_critic
from imagegan.losses import LOSSES
from imagegan.penalties import between, difference_penalty, gradient_norms, shares
from seqgan.core.game import Player, Term, adam
from seqgan.core.plots import BLUE, ORANGE, Curve, plot

DIMENSIONS = (1, 2, 4, 8, 16, 32, 64)
DISTANCE, WEIGHT = 2.0, 10.0
COLOURS = {"gradient penalty": BLUE, "difference penalty": ORANGE}


def run(steps: int = 300) -> Result:
    seen = {name: [slopes(name, dimension, steps) for dimension in DIMENSIONS] for name in COLOURS}
    numbers = [
        Number(f"{name}, {dimension} dimensions: mean slope", found[-1], exact(name, dimension))
        for name, of in seen.items()
        for dimension, found in zip(DIMENSIONS, of, strict=True)
    ]
    stages = range(len(seen["gradient penalty"][0]))
    frames = [picture({name: [found[at] for found in of] for name, of in seen.items()}) for at in stages]
    return Result(numbers, frames[-1], frames)


def by_differences() -> Player[View]:
    """A critic with the penalty of Su (2018)."""
    penalty: Term[View] = Term(lambda view: difference_penalty(view.score, view.real, view.fake), WEIGHT)
    return versus(LOSSES["wasserstein"], adam(2e-3, 0.5, 0.9), adam(2e-3), d_terms={"penalty": penalty})["d"]


def slopes(name: str, dimension: int, steps: int) -> list[float]:
    """The mean |grad D| between the points, over the training."""
    net, shift = critic(dimension), DISTANCE / dimension**0.5
    player = penalised(WEIGHT) if name == "gradient penalty" else by_differences()
    real, fake = torch.randn(2, 2048, dimension)

    def look() -> float:
        ends = as_images(real + shift), as_images(fake)
        with torch.enable_grad():
            return gradient_norms(lambda at: net(at).score, between(*ends, shares(ends[0]))).mean().item()

    def generated(count: int) -> Tensor:
        return torch.randn(count, dimension)

    return train_critic(net, player, lambda count: generated(count) + shift, generated, steps, look)


def exact(name: str, dimension: int) -> float:
    """Of the best linear critic."""
    if name == "gradient penalty":
        return 1 + DISTANCE / (2 * WEIGHT)
    apart = DISTANCE / dimension**0.5 + 2**0.5 * torch.randn(100_000, dimension)
    cosines = apart.sum(dim=1) / (dimension**0.5 * apart.norm(dim=1))
    return ((cosines.abs().mean() + DISTANCE / (2 * WEIGHT)) / cosines.square().mean()).item()


def picture(found: dict[str, list[float]]) -> Image.Image:
    curves = []
    for name, colour in COLOURS.items():
        curves.append(Curve(name, DIMENSIONS, found[name], "dots", colour))
        curves.append(Curve("", DIMENSIONS, [exact(name, dimension) for dimension in DIMENSIONS], "line", colour))
    return plot(curves, title="Slope of a critic", x="dimensions", y="mean |grad D(x)|", log="x", y_range=(0, 8))
