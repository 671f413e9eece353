"""The losses of the text algorithms, as functions of tensors, each with its equation.

A loss of the policy is a weighted NLL: the sum over tokens of weight * -log pi(token | all before it). One fused
function computes that (`PolicyModule.nll` of text, `nll_drawn` of samples), so here are the weights alone. Where
several processes train together, each gets its part of a loss: these add up to the loss over all texts."""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from seqgan.core.distributed import all_reduce_sum, mean_weight
from seqgan.shapes import Mask, Rewards, Scalar

Weights = Float[Tensor, "B T"]  # of tokens: how much each counts in a loss


def mle_weights(mask: Mask) -> Weights:
    """Maximum likelihood: the mean over the tokens that count, so each weighs one over their number."""
    return mask / all_reduce_sum(mask.sum())


def policy_gradient_weights(rewards: Rewards, mask: Mask, reduction: Literal["mean", "sum"] = "mean") -> Weights:
    """REINFORCE: each token weighs its reward, so the probability of a token with positive reward rises.

    Yu et al. (2017), equations 6 to 8: the gradient is E[sum over t of grad log pi(y_t | Y_1:t-1) * Q(Y_1:t-1, y_t)].
    The published code sums over the batch; "mean" is over the tokens that count."""
    weights = rewards.detach() * mask
    return weights if reduction == "sum" else weights / all_reduce_sum(mask.sum())


def kl(own: Float[Tensor, "B T D"], other: Float[Tensor, "B T D"]) -> Float[Tensor, "B T"]:
    """KL(own || other) of log-probabilities of the next token, at every position."""
    return ((own - other) * own.exp()).sum(dim=-1)


def kl_loss(own: Float[Tensor, "B T D"], other: Float[Tensor, "B T D"], mask: Mask) -> Scalar:
    """The mean of that over the positions that count."""
    return (kl(own, other) * mle_weights(mask)).sum()


def discriminator_loss(real: Float[Tensor, "N"], fake: Float[Tensor, "M"], smoothing: float = 0.0) -> Scalar:
    """Binary cross-entropy of logits: push those of real texts up, those of generated texts down. `smoothing` is what
    the target of a real text lacks to 1 (one-sided, Salimans et al. 2016, section 3.4).

    Yu et al. (2017), equation 5: min -E log D(Y) over real texts - E log(1 - D(Y)) over generated ones; the mean is
    over both together, as the published code has it."""
    logits = torch.cat([real, fake])
    labels = torch.cat([torch.full_like(real, 1 - smoothing), torch.zeros_like(fake)])
    return F.binary_cross_entropy_with_logits(logits, labels) * mean_weight(len(logits))


def l2_penalty(*parameters: Tensor) -> Scalar:
    """Half the sum of squares."""
    return 0.5 * torch.stack([parameter.square().sum() for parameter in parameters]).sum()
