"""Every loss of the text algorithms, as a function of tensors.

Where several processes train together, each gets its part of a loss: these add up to the loss over all texts."""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from seqgan.core.world import total, weight
from seqgan.shapes import LogProbs, Mask, Rewards, Scalar


def mle_loss(log_probs: LogProbs, mask: Mask) -> Scalar:
    """Negative log-likelihood per token that counts."""
    return -(log_probs * mask).sum() / total(mask.sum())


def policy_gradient_loss(
    log_probs: LogProbs, rewards: Rewards, mask: Mask, reduction: Literal["mean", "sum"] = "mean"
) -> Scalar:
    """REINFORCE: raise the probability of tokens with positive reward, lower that of tokens with negative.

    Yu et al. (2017), equation 8. The published code sums over the batch; the mean is over the tokens that count."""
    weighted = -(log_probs * rewards.detach() * mask).sum()
    return weighted if reduction == "sum" else weighted / total(mask.sum())


def discriminator_loss(real: Float[Tensor, "N"], fake: Float[Tensor, "M"]) -> Scalar:
    """Binary cross-entropy of logits: real texts up, generated texts down.

    Yu et al. (2017), equation 5; the mean over both kinds together, as the published code has it."""
    logits = torch.cat([real, fake])
    labels = torch.cat([torch.ones_like(real), torch.zeros_like(fake)])
    return F.binary_cross_entropy_with_logits(logits, labels) * weight(len(logits))


def l2_penalty(*parameters: Tensor) -> Scalar:
    """Half the sum of squares."""
    return 0.5 * torch.stack([parameter.square().sum() for parameter in parameters]).sum()
