"""The gradient of a generator while its discriminator learns, with log(1 - D(G(z))) and with -log D(G(z)) as its loss.

By the logit s of D the first has the slope -D, which vanishes where D is sure; the second has -(1 - D) (Goodfellow et
al. 2014, section 3). Real numbers are N(m, v) and the generator is z -> -m + sqrt(v) z, so that the best logit is
2 m x / v. On its way there it is near a x with a growing slope a, for which the gradients are known as well."""

import torch
from PIL import Image
from torch import Tensor, nn
from torch.special import ndtri

from imagegan.game import versus
from imagegan.lab.experiment import Number, PointGenerator, Result, as_images, critic, train
from imagegan.losses import LOSSES
from seqgan.core.game import adam
from seqgan.core.plots import BLUE, GREEN, GREY, ORANGE, Curve, plot, row

MEAN, DEVIATION = 1.0, 0.3
BEST = 2 * MEAN / DEVIATION**2  # the slope of the best logit
NOISE = ndtri((torch.arange(4096) + 0.5) / 4096)[:, None]
AXIS, LOGITS = torch.linspace(-2, 2, 161), torch.linspace(-8, 8, 81)
COLOURS = {"minimax": ORANGE, "non-saturating": BLUE}


def run(steps: int = 450) -> Result:
    affine, d = nn.Linear(1, 1), critic(1)
    affine.load_state_dict({"weight": torch.tensor([[DEVIATION]]), "bias": torch.tensor([-MEAN])})
    g = PointGenerator(affine)
    player = versus(LOSSES["minimax"], adam(2e-3, 0.5), adam(2e-3))["d"]

    def look(step: int) -> tuple[Tensor, list[float]]:
        """D on the axis; the mean logit of generated numbers, and the gradient norm of the generator by each loss."""
        logits, weights = d(g(NOISE, NOISE[:, :0])).score, list(affine.parameters())
        found = []
        for name in COLOURS:
            gradients = torch.autograd.grad(LOSSES[name].generator(logits), weights, retain_graph=True)
            found.append(torch.cat([gradient.flatten() for gradient in gradients]).norm().item())
        return d(as_images(AXIS[:, None])).score.sigmoid().detach(), [logits.mean().item(), *found]

    nets = {"generator": g, "discriminator": d}
    seen = train(nets, {"d": player}, lambda count: MEAN + DEVIATION * torch.randn(count, 1), steps, look)
    logit, *norms = seen[-1][1]
    numbers = [
        Number(f"gradient norm at mean logit {logit:.2f}, {name}", measured, exact)
        for name, measured, exact in zip(COLOURS, norms, gradient_norms(-logit / MEAN), strict=True)
    ]
    for share in (0.5, 0.01, 0.0001):
        for name, exact in zip(COLOURS, (share, 1 - share), strict=True):
            measured = slopes(name, torch.tensor([share]).logit()).item()
            numbers.append(Number(f"-dL/ds at D = {share:g}, {name}", measured, exact))
    frames = [row([game(on_axis), course([of for _, of in seen[: at + 1]])]) for at, (on_axis, _) in enumerate(seen)]
    return Result(numbers, row([by_logit(), frames[-1]]), frames)


def slopes(name: str, logits: Tensor) -> Tensor:
    """-dL / ds of each image."""
    at = logits.clone().requires_grad_()
    return -torch.autograd.grad(LOSSES[name].generator(at), at)[0] * len(logits)


def gradient_norms(a: float) -> list[float]:
    """For the logit a x: of E D a (z, 1) and of E (1 - D) a (z, 1), the gradients by deviation and mean."""
    share = (a * (DEVIATION * NOISE - MEAN)).sigmoid()
    return [(part * a * torch.cat([NOISE, NOISE**0], dim=1)).mean(dim=0).norm().item() for part in (share, 1 - share)]


def by_logit() -> Image.Image:
    curves = []
    for (name, colour), exact in zip(COLOURS.items(), (LOGITS.sigmoid(), 1 - LOGITS.sigmoid()), strict=True):
        curves.append(Curve(f"{name}, exact", LOGITS, exact, "line", colour))
        curves.append(Curve(f"{name}, measured", LOGITS[::8], slopes(name, LOGITS[::8]), "dots", colour))
    return plot(curves, title="Gradient by the logit", x="logit s of D(G(z))", y="-dL / ds", y_range=(-0.05, 1.5))


def game(d: Tensor) -> Image.Image:
    curves = [Curve("D(x)", AXIS, d), Curve("best D", AXIS, (BEST * AXIS).sigmoid(), "dashed", GREY)]
    for name, mean, colour in (("generated", -MEAN, ORANGE), ("real", MEAN, GREEN)):
        curves.append(Curve(name, AXIS, torch.exp(-((AXIS - mean) / DEVIATION).square() / 2) * 0.6, "line", colour))
    return plot(curves, title="Discriminator", x="x", y="", y_range=(-0.05, 1.05))


def course(found: list[list[float]]) -> Image.Image:
    """Gradient norms by the mean logit, which is -a m for the logit a x."""
    logits = torch.linspace(0, BEST * MEAN, 200)[1:]
    exact = torch.tensor([gradient_norms(logit / MEAN) for logit in logits.tolist()])
    at, *norms = torch.tensor(found).T
    curves = []
    for (name, colour), line, dots in zip(COLOURS.items(), exact.T, norms, strict=True):
        curves.append(Curve(f"{name}, linear logit", logits, line, "line", colour))
        curves.append(Curve(f"{name}, measured", -at, dots, "dots", colour))
    title, ends = "Gradient norm of the generator", (0, BEST * MEAN)
    return plot(curves, title=title, x="- mean logit of D(G(z))", y="", log="y", x_range=ends, y_range=(1e-2, 50))
