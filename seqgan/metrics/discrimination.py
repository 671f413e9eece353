"""How well a discriminator tells held-out real texts from generated ones."""

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
