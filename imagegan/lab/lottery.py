"""A parabola for the nine values of a lottery with 45 balls: p = t1 (x + t2)^2 + t3 of sum 1 is fitted to
q = (2, 4, 6, 8, 9, 7, 5, 3, 1) / 45 by least squares, KL, JS and a GAN.

Parabolas of sum 1 are 1/9 plus two orthonormal polynomials, in whose weights the first three are convex: Newton's
method solves them. A GAN whose expectations are sums minimises JS (Goodfellow et al. 2014, theorem 1)."""

from collections.abc import Callable

import torch
from PIL import Image
from torch import Tensor, nn
from torch.autograd.functional import hessian, jacobian
from torch.nn.functional import logsigmoid

from imagegan.game import View
from imagegan.lab.experiment import Number, Result, as_images, train
from imagegan.nets import Discriminator
from seqgan.core.game import Player, Term, adam
from seqgan.core.plots import GREY, Curve, plot, row

BALLS = torch.tensor([2, 4, 6, 8, 9, 7, 5, 3, 1])
Q, X = (BALLS / 45).double(), torch.arange(1.0, 10.0, dtype=torch.float64)
POWERS = torch.stack([X**0, X, X**2], dim=1)
BASIS = torch.linalg.qr(POWERS).Q[:, 1:]  # orthogonal to the constants
ONE_HOT = as_images(torch.eye(9))
FINE = torch.linspace(0.6, 9.4, 45)
NAMES = ("t1", "t2", "t3", "squared error", "JS", "sum")


def kl(p: Tensor, q: Tensor) -> Tensor:
    return (p * (p / q).log()).sum()


OBJECTIVES: dict[str, Callable[[Tensor], Tensor]] = {
    "least squares": lambda p: (p - Q).square().sum(),
    "KL": lambda p: kl(Q, p),
    "JS": lambda p: (kl(Q, (Q + p) / 2) + kl(p, (Q + p) / 2)) / 2,
}


class Parabola(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.zeros(2, dtype=torch.float64))

    def forward(self) -> Tensor:
        return 1 / 9 + BASIS @ self.weights


def run(steps: int = 400) -> Result:
    found = {name: fitted(name, steps) for name in (*OBJECTIVES, "GAN")}
    numbers = []
    for name, seen in found.items():
        exact = minimum(OBJECTIVES.get(name, OBJECTIVES["JS"]))
        for what, measured, value in zip(NAMES, facts_of(seen[-1][0]), facts_of(exact), strict=True):
            numbers.append(Number(f"{name}: {what}", measured, value))
    frames = [row([balls({"GAN": p}), verdict(p, d)]) for p, d in found["GAN"]]
    last = {name: seen[-1][0] for name, seen in found.items()}
    return Result(numbers, row([balls(last), verdict(*found["GAN"][-1])]), frames)


def fitted(name: str, steps: int) -> list[tuple[Tensor, Tensor]]:
    """Over the training, p, and D of a discriminator with a logit for each value, which only the GAN trains."""
    net, table = Parabola(), Discriminator(nn.Flatten(), 9, planes=False)

    def value(view: View) -> Tensor:
        """E_q log D + E_p log(1 - D). Ibid., equation 1."""
        logits = table(ONE_HOT).score
        return (Q * logsigmoid(logits)).sum() + (net() * logsigmoid(-logits)).sum()

    loss = (lambda view: OBJECTIVES[name](net())) if name in OBJECTIVES else value
    players = {
        "d": Player(("discriminator",), {"loss": Term(value, -1.0)}, adam(0.1, 0.5), turns=lambda step: 5),
        "g": Player(("generator",), {"loss": Term(loss)}, adam(3e-3, 0.5)),
    }
    if loss is not value:
        del players["d"]
    look = torch.no_grad()(lambda step: (net(), table(ONE_HOT).score.sigmoid()))
    return train({"generator": net, "discriminator": table}, players, lambda count: torch.eye(9), steps, look)


def minimum(objective: Callable[[Tensor], Tensor]) -> Tensor:
    """By Newton's method from the least squares, which are the projection of q."""

    def of(weights: Tensor) -> Tensor:
        return objective(1 / 9 + BASIS @ weights)

    weights = BASIS.T @ Q
    for _ in range(10):
        weights = weights - torch.linalg.solve(hessian(of, weights), jacobian(of, weights))
    return 1 / 9 + BASIS @ weights


def coefficients(p: Tensor) -> Tensor:
    """Of 1, x and x^2."""
    return torch.linalg.lstsq(POWERS, p[:, None]).solution.flatten()


def facts_of(p: Tensor) -> list[float]:
    """t1, t2 (of a flat p any number, so NaN), t3, and how good p is."""
    c, b, a = coefficients(p)
    errors = [of(p) for of in (OBJECTIVES["least squares"], OBJECTIVES["JS"], torch.sum)]
    return torch.stack([a, b / (2 * a), c - b**2 / (4 * a), *errors]).tolist()


def balls(fits: dict[str, Tensor]) -> Image.Image:
    stacked = torch.tensor([(x, (n + 1) / 45) for x, count in enumerate(BALLS.tolist(), 1) for n in range(count)])
    curves = [Curve("45 balls", stacked[:, 0], stacked[:, 1], "dots", GREY)]
    for name, p in fits.items():
        c, b, a = coefficients(p)
        curves.append(Curve(name, FINE, a * FINE**2 + b * FINE + c, "dots" if name == "GAN" else "line"))
    return plot(curves, title="A parabola for 45 balls", x="value", y="share", x_range=(0.4, 9.6), y_range=(0, 0.22))


def verdict(p: Tensor, d: Tensor) -> Image.Image:
    curves = [Curve("D(x)", X, d, "dots"), Curve("exact: q / (q + p)", X, Q / (Q + p), "dashed", GREY)]
    return plot(curves, title="Discriminator of the GAN", x="value", y="", x_range=(0.4, 9.6), y_range=(0, 1))
