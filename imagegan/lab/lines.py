"""Two parallel lines, (0, U) and (theta, U) with U uniform in [0, 1]: example 1 of Arjovsky et al. (2017).

For every theta but 0, JS is log 2, TV 1 and KL infinite: none of them has a gradient. EM is |theta|. A network finds
lower bounds of them, the best network the values: JS = log 2 - L / 2 with the cross-entropy L of a discriminator, TV
from the shares that it takes for real, KL as its mean logit on the first line, EM as the difference of a critic's
means (with a penalty of weight w, |theta| + theta^2 / 2w, since it pays to have a slope above 1)."""

import math
from collections.abc import Callable
from functools import partial

import torch
from PIL import Image
from torch import Tensor

from imagegan.game import View, versus
from imagegan.lab.experiment import Number, Points, Result, as_images, critic, penalised, train_critic
from imagegan.losses import LOSSES, Scores, discriminator_loss
from seqgan.core.game import Player, adam
from seqgan.core.plots import GREY, Curve, plot, row

THETAS = [0.25 * quarter for quarter in range(-4, 5)]
LOG2, WEIGHT = math.log(2), 10.0


def run(steps: int = 300) -> Result:
    gan = versus(LOSSES["non-saturating"], adam(5e-3, 0.5, 0.9), adam(5e-3))["d"]
    wgan = penalised(WEIGHT, 5e-3)
    js, tv, kl = torch.stack([learned(theta, gan, divergences, steps) for theta in THETAS], dim=2).unbind(dim=1)
    (em,) = torch.stack([learned(theta, wgan, distance, steps) for theta in THETAS], dim=2).unbind(dim=1)
    numbers = [Number("KL at theta = 0.5", kl[-1, THETAS.index(0.5)].item(), math.inf)]
    for theta, *found in zip(THETAS, *(of[-1].tolist() for of in (js, tv, em, em)), strict=True):
        exact = (LOG2 * bool(theta), float(bool(theta)), theta, theta + theta**2 / (2 * WEIGHT))
        for what, measured, value in zip(("JS", "TV", "EM", "EM of the penalised critic"), found, exact, strict=True):
            numbers += [Number(f"{what} at theta = {theta:g}", measured, value)] * (theta >= 0)
    growing = Curve("mean logit on the line at 0", torch.linspace(0, steps, len(kl)), kl[:, THETAS.index(0.5)])
    infinite = plot([growing], title="KL at theta = 0.5: infinite, it only grows", x="updates", y="nats")
    frames = [row([flat(*of_d), linear(of_critic)]) for *of_d, of_critic in zip(js, tv, em, strict=True)]
    return Result(numbers, row([flat(js[-1], tv[-1]), infinite, linear(em[-1])]), frames)


def line(theta: float, count: int) -> Points:
    return torch.stack([torch.full((count,), theta), torch.rand(count)], dim=1)


def learned(theta: float, player: Player[View], of: Callable[[Scores, Scores], list[Tensor]], steps: int) -> Tensor:
    """Estimates by the scores on both lines, over the training: frames x estimates."""
    net = critic(2)

    def look() -> Tensor:
        return torch.stack(of(*(net(as_images(line(at, 4096))).score for at in (0, theta))))

    return torch.stack(train_critic(net, player, partial(line, 0), partial(line, theta), steps, look))


def divergences(real: Scores, fake: Scores) -> list[Tensor]:
    taken = [(scores > 0).float().mean() for scores in (real, fake)]
    return [LOG2 - discriminator_loss(real, fake) / 2, taken[0] - taken[1], real.mean()]


def distance(real: Scores, fake: Scores) -> list[Tensor]:
    return [real.mean() - fake.mean()]


def flat(js: Tensor, tv: Tensor) -> Image.Image:
    exact = [Curve("", ends, [at] * 2, "dashed", GREY) for at in (LOG2, 1) for ends in ([-1, -0.02], [0.02, 1])]
    curves = [Curve("JS", THETAS, js, "dots"), Curve("TV", THETAS, tv, "dots"), Curve("exact", [], [], "dashed", GREY)]
    return plot([*curves, *exact], title="JS and TV, by discriminators", x="theta", y="", y_range=(-0.1, 1.15))


def linear(em: Tensor) -> Image.Image:
    curves = [Curve("EM", THETAS, em, "dots"), Curve("exact", [-1, 0, 1], [1, 0, 1], "dashed", GREY)]
    return plot(curves, title="EM, by critics with gradient penalty", x="theta", y="", y_range=(-0.1, 1.15))
