"""What a difference penalty does not see: critics between N(0, I) and N(m, I), |m| = 2, in more and more dimensions.

The best critic is linear, D(x) = (x, m) / |m|. Of a (x, m) / |m|, whose slope is a everywhere, a one-sided difference
penalty sees a |c|, the slope along the line from a generated to a real point, which has the angle arccos c to m. So the
best a of those, the largest a |m| - lambda E max(0, a |c| - 1)^2, grows like the root of the dimension: in many
dimensions almost all of a gradient is across that line. A gradient penalty sees all of it, as if c were 1."""

import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from imagegan.lab.experiment import Number, Penalty, Points, Result, as_images, critic, penalised, train_critic
from imagegan.penalties import between, difference_penalty, gradient_norms, gradient_penalty, shares
from seqgan.core.plots import BLUE, ORANGE, Curve, plot

DIMENSIONS = (1, 2, 4, 8, 16, 32, 64)
DISTANCE, WEIGHT = 2.0, 10.0
PENALTIES: dict[str, Penalty] = {"gradient penalty": gradient_penalty, "difference penalty": difference_penalty}
COLOURS = {"gradient penalty": BLUE, "difference penalty": ORANGE}


def run(steps: int = 300) -> Result:
    exact = {name: [steepest(cosines(name, dimension)) for dimension in DIMENSIONS] for name in PENALTIES}
    seen = {name: [slopes(name, dimension, steps) for dimension in DIMENSIONS] for name in PENALTIES}
    numbers = [
        Number(f"{name}, {dimension} dimensions: mean slope", over_training[-1], best)
        for name in PENALTIES
        for dimension, over_training, best in zip(DIMENSIONS, seen[name], exact[name], strict=True)
    ]
    stages = range(len(seen["gradient penalty"][0]))
    frames = [picture({name: [of[at] for of in seen[name]] for name in seen}, exact) for at in stages]
    return Result(numbers, frames[-1], frames)


def slopes(name: str, dimension: int, steps: int) -> list[float]:
    """The mean |grad D| between the points, over the training."""

    def generated(count: int) -> Points:
        return torch.randn(count, dimension)

    def real(count: int) -> Points:
        return generated(count) + DISTANCE / dimension**0.5

    net, ends = critic(dimension), (as_images(real(2048)), as_images(generated(2048)))
    places = between(*ends, shares(ends[0]))

    def look() -> float:
        with torch.enable_grad():
            return gradient_norms(lambda at: net(at).score, places).mean().item()

    # With a two-sided penalty, a critic that is upside down stays so.
    player = penalised(WEIGHT, penalty=PENALTIES[name], sides="one-sided")
    return train_critic(net, player, real, generated, steps, look)


def cosines(name: str, dimension: int) -> Float[Tensor, "N"]:
    """|c|, of random pairs, or 1."""
    if name == "gradient penalty":
        return torch.ones(1)
    apart = DISTANCE / dimension**0.5 + 2**0.5 * torch.randn(50_000, dimension)
    return apart.sum(dim=1).abs() / (dimension**0.5 * apart.norm(dim=1))


def steepest(cosines: Float[Tensor, "N"]) -> float:
    """The best a: where the slope of a |m| - lambda E max(0, a |c| - 1)^2, which falls, is 0."""
    low, high = 0.0, 100.0
    for _ in range(40):
        a = (low + high) / 2
        rising = 2 * WEIGHT * (cosines * (a * cosines - 1).clamp(min=0)).mean() < DISTANCE
        low, high = (a, high) if rising else (low, a)
    return (low + high) / 2


def picture(found: dict[str, list[float]], exact: dict[str, list[float]]) -> Image.Image:
    curves = []
    for name, colour in COLOURS.items():
        curves.append(Curve(f"{name}, trained", DIMENSIONS, found[name], "dots", colour))
        curves.append(Curve(f"{name}, best linear critic", DIMENSIONS, exact[name], "line", colour))
    return plot(curves, title="Slope of a critic", x="dimensions", y="mean |grad D(x)|", log="x", y_range=(0, 9))
