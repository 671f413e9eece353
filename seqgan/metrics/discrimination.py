"""How well a discriminator separates held-out real texts from generated ones."""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

RealScores = Float[Tensor, "N"]
FakeScores = Float[Tensor, "M"]

# Above this binary cross-entropy on held-out text (log 2 is .693) the discriminator is hardly better than guessing.
NOISE = 0.685
OF_LOG_ODDS = ("d-accuracy", "d-bce")  # what a shift of all logits would change


def pairwise_loss(real: RealScores, fake: FakeScores) -> float:
    """-log sigma(real - fake), the mean over rows: log 2 where nothing is known."""
    return float(F.softplus(fake - real).double().mean())


def right_pairs(real: RealScores, fake: FakeScores) -> float:
    """The share of rows in which the real text has the higher logit."""
    return float((real > fake).double().mean())


def accuracy(real: RealScores, fake: FakeScores) -> float:
    """The mean of the share of real texts called real and of generated ones called generated: .5 is guessing."""
    return float(((real > 0).double().mean() + (fake <= 0).double().mean()) / 2)


def auc(real: RealScores, fake: FakeScores) -> float:
    """The chance that a real text scores above a generated one, ties counting half (Mann-Whitney U): .5 is guessing."""
    ordered = fake.sort().values
    below, up_to = torch.searchsorted(ordered, real), torch.searchsorted(ordered, real, right=True)
    return float((below + up_to).double().mean() / 2 / len(fake))


def cross_entropy(real: RealScores, fake: FakeScores) -> float:
    """The mean over both kinds, each with half the weight: log 2 is guessing."""
    return float((F.softplus(-real).double().mean() + F.softplus(fake).double().mean()) / 2)


def calibration_error(real: RealScores, fake: FakeScores, bins: int = 10) -> float:
    """The expected calibration error of P(real) = sigmoid(logit): how far its mean in a bin is from the share of real
    texts there, on average over `bins` of equal width, each kind with half the weight. 0 is calibrated, 1 always wrong.

    Guo et al. (2017), equation 3."""
    probability = torch.cat([real, fake]).double().sigmoid()
    weight = torch.cat([torch.full_like(some, 1 / (2 * len(some)), dtype=torch.float64) for some in (real, fake)])
    is_real = (torch.arange(len(weight), device=weight.device) < len(real)).double()
    bin = (probability * bins).long().clamp(0, bins - 1)
    # In each bin the sum is its share of the texts times the distance of the two means.
    return float(weight.new_zeros(bins).index_add(0, bin, weight * (is_real - probability)).abs().sum())


class Estimate(NamedTuple):
    """A number about two sets of logits, and what each contributes: to first order, the number changes as the mean of
    the contributions of the real ones plus the mean of those of the generated ones."""

    value: float
    of_real: Float[np.ndarray, "N"]
    of_fake: Float[np.ndarray, "M"]


def measures(real: RealScores, fake: FakeScores) -> dict[str, Estimate]:
    """All of them, and `d-logit-std`, the standard deviation of the generated texts' logits (if there are two or more).

    The contributions of single scores to the AUC are the placements of DeLong et al. (1988)."""
    x, y = real.double().cpu().numpy(), fake.double().cpu().numpy()
    found = {
        "d-accuracy": Estimate(accuracy(real, fake), (x > 0) / 2, (y <= 0) / 2),
        "d-auc": Estimate(auc(real, fake), _placements(x, y), 1 - _placements(y, x)),
        "d-bce": Estimate(cross_entropy(real, fake), np.logaddexp(0, -x) / 2, np.logaddexp(0, y) / 2),
    }
    if len(y) > 1:
        std, zeros = float(y.std(ddof=1)), np.zeros(len(x))
        squares = (y - y.mean()) ** 2 / (2 * std) if std else np.zeros(len(y))
        found["d-logit-std"] = Estimate(std, zeros, squares)
    return found


def _placements(scores: Float[np.ndarray, "N"], among: Float[np.ndarray, "M"]) -> Float[np.ndarray, "N"]:
    """The share of the others that each score is above, ties counting half."""
    ordered = np.sort(among)
    below, up_to = np.searchsorted(ordered, scores), np.searchsorted(ordered, scores, side="right")
    return (below + up_to) / 2 / len(among)
