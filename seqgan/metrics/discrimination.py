"""How well a discriminator tells held-out real texts from generated ones."""

import torch
from torch.nn import functional as F

from seqgan.shapes import Scores

# Above this binary cross-entropy on held-out text (log 2 is .693) the discriminator knows next to nothing.
NOISE = 0.685


def accuracy(real: Scores, fake: Scores) -> float:
    """The mean of the share of real texts called real and of generated ones called generated: .5 is guessing."""
    return float(((real > 0).double().mean() + (fake <= 0).double().mean()) / 2)


def auc(real: Scores, fake: Scores) -> float:
    """The chance that a real text scores above a generated one, ties counting half (Mann-Whitney U): .5 is guessing."""
    ordered = fake.sort().values
    below, up_to = torch.searchsorted(ordered, real), torch.searchsorted(ordered, real, right=True)
    return float((below + up_to).double().mean() / 2 / len(fake))


def cross_entropy(real: Scores, fake: Scores) -> float:
    """The mean over both kinds, each with half the weight: log 2 is knowing nothing."""
    return float((F.softplus(-real).double().mean() + F.softplus(fake).double().mean()) / 2)
