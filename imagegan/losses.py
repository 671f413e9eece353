"""Losses, as functions of logits. Of several processes each computes its part; the parts add up to the loss."""

from collections.abc import Callable
from typing import NamedTuple

from torch.nn.functional import relu, softplus

from seqgan.core.distributed import mean_weight
from seqgan.core.losses import pairwise_loss
from seqgan.shapes import Scalar as Scalar
from seqgan.shapes import Scores as Scores


def mean(values: Scores) -> Scalar:
    """This process's part of the mean over the whole batch."""
    return values.mean() * mean_weight(len(values))


def discriminator_loss(real: Scores, fake: Scores) -> Scalar:
    """Cross-entropy: real logits up, generated ones down. -V(D) of Goodfellow et al. (2014), equation 1."""
    return mean(softplus(-real)) + mean(softplus(fake))


def minimax_loss(fake: Scores) -> Scalar:
    """log(1 - D(G(z))), whose gradient vanishes where D is confident. Goodfellow et al. (2014), equation 1."""
    return -mean(softplus(fake))


def non_saturating_loss(fake: Scores) -> Scalar:
    """Push generated logits up; the gradient stays large where D is confident. Ibid., section 3."""
    return mean(softplus(-fake))


def least_squares_discriminator_loss(real: Scores, fake: Scores) -> Scalar:
    """Pull real outputs to 1, generated ones to 0 (both terms with a plus sign). Mao et al. (2017), equation 9."""
    return (mean((real - 1).square()) + mean(fake.square())) / 2


def least_squares_generator_loss(fake: Scores) -> Scalar:
    """Pull generated outputs to 1. Ibid."""
    return mean((fake - 1).square()) / 2


def hinge_discriminator_loss(real: Scores, fake: Scores) -> Scalar:
    """Push real outputs above 1, generated ones below -1. Lim and Ye (2017)."""
    return mean(relu(1 - real)) + mean(relu(1 + fake))


def wasserstein_critic_loss(real: Scores, fake: Scores) -> Scalar:
    """Real outputs up, generated ones down, without bound: clipping or a penalty bounds the critic.

    -1 times the estimate of the distance. Arjovsky et al. (2017), equation 2."""
    return mean(fake) - mean(real)


def critic_generator_loss(fake: Scores) -> Scalar:
    """Push generated outputs up. Of *generated* ones: in the outputs on real images there is no generator."""
    return -mean(fake)


class Loss(NamedTuple):
    """What the two players minimise, and the output above which a discriminator classifies an image as real: half-way
    between its targets. A critic has no threshold: only differences of its outputs mean anything. Where a loss
    `compares`, the generator's is a function of the outputs on generated images less those on real ones."""

    discriminator: Callable[[Scores, Scores], Scalar]
    generator: Callable[[Scores], Scalar]
    threshold: float | None = 0.0
    compares: bool = False


LOSSES: dict[str, Loss] = {
    "minimax": Loss(discriminator_loss, minimax_loss),
    "non-saturating": Loss(discriminator_loss, non_saturating_loss),
    "least-squares": Loss(least_squares_discriminator_loss, least_squares_generator_loss, threshold=0.5),
    "hinge": Loss(hinge_discriminator_loss, critic_generator_loss),
    "pairwise": Loss(pairwise_loss, non_saturating_loss, compares=True),
    "wasserstein": Loss(wasserstein_critic_loss, critic_generator_loss, threshold=None),
}
