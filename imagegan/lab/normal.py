"""From uniform numbers to normal ones (Goodfellow et al. 2014, figure 1). In one dimension the map is known: the
inverse of the distribution function Phi or its mirror image, with which a generator is compared point by point."""

import copy
import math
from dataclasses import replace

import torch
from PIL import Image
from torch import Tensor, nn
from torch.special import ndtr, ndtri

from imagegan.game import versus
from imagegan.lab.experiment import Number, PointGenerator, Result, as_images, critic, perceptron, train
from imagegan.losses import LOSSES
from seqgan.core.game import adam, update_average
from seqgan.core.plots import GREY, ORANGE, Curve, plot, row

UNIFORM = (torch.arange(4096) + 0.5) / 4096
EXACT = ndtri(UNIFORM)
AXIS = torch.linspace(-3.5, 3.5, 71)
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def run(steps: int = 1000) -> Result:
    body = nn.Sequential(*perceptron(1, 64, 64), nn.Linear(64, 1))
    nets = {"generator": PointGenerator(body, before=ndtr), "discriminator": critic(1)}
    players = versus(LOSSES["non-saturating"], adam(5e-3, 0.0, 0.9), adam(1e-3, 0.0, 0.9), d_turns=lambda step: 3)
    average = copy.deepcopy(nets["generator"])  # of the weights, which go on circling around the equilibrium
    players["g"] = replace(
        players["g"], after=lambda view, nets: update_average(average, nets["generator"], 0.99, 10**6)
    )

    @torch.no_grad()
    def look(step: int) -> tuple[Tensor, Tensor]:
        generated = average(EXACT[:, None], EXACT[:, None][:, :0]).flatten()
        real = nets["discriminator"](as_images(AXIS[:, None])).score.sigmoid()
        return generated if generated[0] < generated[-1] else generated.flip(0), real

    seen = train(nets, players, lambda count: torch.randn(count, 1), steps, look)
    last, quantiles = seen[-1][0], torch.tensor(QUANTILES)
    found = {"mean": (last.mean(), 0.0), "standard deviation": (last.std(), 1.0)}
    found |= {f"quantile {share:g}": (last.quantile(share), ndtri(share).item()) for share in quantiles}
    found["EM to the normal distribution"] = ((last.sort().values - EXACT).abs().mean(), 0.0)
    found["mean of |G(u) - inverse of Phi(u)|"] = ((last - EXACT).abs().mean(), 0.0)
    numbers = [Number(what, measured.item(), exact) for what, (measured, exact) in found.items()]
    frames = [picture(*both) for both in seen]
    return Result(numbers, frames[-1], frames)


def picture(generated: Tensor, real: Tensor) -> Image.Image:
    maps = [Curve("G(u)", UNIFORM, generated), Curve("exact: inverse of Phi", UNIFORM, EXACT, "dashed", GREY)]
    counts = torch.histc(generated, len(AXIS) - 1, AXIS[0].item(), AXIS[-1].item())
    densities = [
        Curve("density of G(u)", (AXIS[1:] + AXIS[:-1]) / 2, counts / len(generated) / AXIS.diff()),
        Curve("exact", AXIS, torch.exp(-AXIS.square() / 2) / math.sqrt(2 * math.pi), "dashed", GREY),
        Curve("D(x)", AXIS, real, "line", ORANGE),
    ]
    left = plot(maps, title="Generator", x="u, uniform", y="", x_range=(0, 1), y_range=(-3.5, 3.5))
    return row([left, plot(densities, title="Density and discriminator", x="x", y="", y_range=(0, 1))])
