"""How well a discriminator tells held-out real texts from generated ones."""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

RealScores = Float[Tensor, "N"]
FakeScores = Float[Tensor, "M"]

# Above this binary cross-entropy on held-out text (log 2 is .693) the discriminator knows next to nothing.
NOISE = 0.685


def accuracy(real: RealScores, fake: FakeScores) -> float:
    """The mean of the share of real texts called real and of generated ones called generated: .5 is guessing."""
    return float(((real > 0).double().mean() + (fake <= 0).double().mean()) / 2)


def auc(real: RealScores, fake: FakeScores) -> float:
    """The chance that a real text scores above a generated one, ties counting half (Mann-Whitney U): .5 is guessing."""
    ordered = fake.sort().values
    below, up_to = torch.searchsorted(ordered, real), torch.searchsorted(ordered, real, right=True)
    return float((below + up_to).double().mean() / 2 / len(fake))


def cross_entropy(real: RealScores, fake: FakeScores) -> float:
    """The mean over both kinds, each with half the weight: log 2 is knowing nothing."""
    return float((F.softplus(-real).double().mean() + F.softplus(fake).double().mean()) / 2)


class Verdict(NamedTuple):
    """A number about two sets of scores, and what each score brings to it: to first order, the number changes as the
    mean of what the real ones bring plus the mean of what the generated ones bring."""

    value: float
    of_real: Float[np.ndarray, "N"]
    of_fake: Float[np.ndarray, "M"]


def verdicts(real: RealScores, fake: FakeScores) -> dict[str, Verdict]:
    """All of them, and `d-spread`, the standard deviation of the generated texts' scores (where there are two).

    What single scores bring to the AUC are the placements of DeLong et al. (1988)."""
    x, y = real.double().cpu().numpy(), fake.double().cpu().numpy()
    found = {
        "d-accuracy": Verdict(accuracy(real, fake), (x > 0) / 2, (y <= 0) / 2),
        "d-auc": Verdict(auc(real, fake), _placements(x, y), 1 - _placements(y, x)),
        "d-bce": Verdict(cross_entropy(real, fake), np.logaddexp(0, -x) / 2, np.logaddexp(0, y) / 2),
    }
    if len(y) > 1:
        spread, nothing = float(y.std(ddof=1)), np.zeros(len(x))
        squares = (y - y.mean()) ** 2 / (2 * spread) if spread else np.zeros(len(y))
        found["d-spread"] = Verdict(spread, nothing, squares)
    return found


def _placements(scores: Float[np.ndarray, "N"], among: Float[np.ndarray, "M"]) -> Float[np.ndarray, "N"]:
    """The share of the others that each score is above, ties counting half."""
    ordered = np.sort(among)
    below, up_to = np.searchsorted(ordered, scores), np.searchsorted(ordered, scores, side="right")
    return (below + up_to) / 2 / len(among)
