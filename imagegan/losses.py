"""Losses of logits. Where several processes train together, each gets its part; these add up to the loss."""

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import softplus

from seqgan.core.world import weight

Scores = Float[Tensor, "B"]
Scalar = Float[Tensor, ""]


def discriminator_loss(real: Scores, fake: Scores) -> Scalar:
    """Cross-entropy: real logits up, generated ones down. -V(D) of Goodfellow et al. (2014), equation 1."""
    return softplus(-real).mean() * weight(len(real)) + softplus(fake).mean() * weight(len(fake))


def non_saturating_loss(fake: Scores) -> Scalar:
    """Push generated logits up; the gradient stays large where the discriminator is sure. Ibid., section 3."""
    return softplus(-fake).mean() * weight(len(fake))
