"""Critics between the Swiss roll and itself with noise, and how their gradients pass through the layers (Gulrajani et
al. 2017, figures 1 and 2). To move each point to itself with noise is one of the ways to move them all, so that EM is
at most the mean length of the noise, s sqrt(pi / 2) in the plane. The weight of the penalty is the paper's for such
toys, so small that slopes stay above 1."""

import math

import torch

from imagegan.data.toys import toy
from imagegan.lab.experiment import Number, Points, Result, penalised, resampled
from imagegan.lab.surfaces import clipped, frames, numbers, trained
from imagegan.nets import Discriminator
from seqgan.core.plots import Curve, plot, row

NOISE, DEPTH = 0.2, 6
BOUNDS = (0.1, 0.01, 0.001)


def run(steps: int = 900) -> Result:
    roll = toy("swissroll", 4096).images.flatten(1)
    real = resampled(roll)

    def generated(count: int) -> Points:
        return real(count) + NOISE * torch.randn(count, 2)

    penalty, em = penalised(0.1, lr=5e-3), NOISE * math.sqrt(math.pi / 2)
    of_two = {"clipping at 0.1": clipped(0.1), "gradient penalty": penalty}
    found = {name: trained(player, real, generated, steps) for name, player in of_two.items()}
    told = numbers(found, em, at_most=True)
    of_deep = {"gradient penalty": penalty} | {f"clipping at {bound:g}": clipped(bound) for bound in BOUNDS}
    deep = {name: trained(player, real, generated, steps // 3, DEPTH).critic for name, player in of_deep.items()}
    told += [Number(f"{name}, deep: weights at the bound", at_bound(net)) for name, net in deep.items()][1:]
    layers = [Curve(name, range(DEPTH + 1), by_layer(net, real(1024))) for name, net in deep.items()]
    title, size = f"Gradient of D(x) by each of {DEPTH} layers", (460, 420)
    through = plot(layers, title=title, x="layer (0: x)", y="mean norm", log="y", size=size)
    seen = frames(found, roll, generated(200))
    return Result(told, row([seen[-1], through]), seen)


def by_layer(net: Discriminator, points: Points) -> list[float]:
    """E |dD / dh| of the outputs h of each layer, the points first."""
    outputs = [points.clone().requires_grad_()]
    layers = list(net.trunk.children())[1:]
    for linear, activation in zip(layers[::2], layers[1::2], strict=True):
        outputs.append(activation(linear(outputs[-1])))
    gradients = torch.autograd.grad(net.output(outputs[-1]).sum(), outputs)
    return [gradient.norm(dim=1).mean().item() for gradient in gradients]


def at_bound(net: Discriminator) -> float:
    """The share of weights within a hundredth of the largest."""
    sizes = torch.cat([weight.detach().abs().flatten() for weight in net.parameters()])
    return (sizes > 0.99 * sizes.max()).float().mean().item()
