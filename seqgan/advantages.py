"""From rewards to advantages: baselines and normalisation."""

from typing import Literal

import torch

from seqgan.core import distributed
from seqgan.shapes import Mask, Rewards

Baseline = Literal["none", "batch", "prefix"]


def advantages(rewards: Rewards, mask: Mask, baseline: Baseline, *, normalize_advantage: bool) -> Rewards:
    """How much better each token was than expected; the expectation must not depend on the token itself.

    "batch" expects the mean of the other samples at the same position. "prefix" expects what the rollouts from the
    prefix before the token gave, Q(x_1..t) - Q(x_1..t-1): they were made anyway and have not seen the token. The first
    token has no prefix and is measured against the batch. Normalised advantages have unit mean square, whatever the
    scale of the rewards; where all are as expected, they are 0."""
    centred = rewards
    if baseline != "none":
        centred = _difference(rewards, leave_one_out(rewards, mask))
    if baseline == "prefix":
        centred = torch.cat([centred[:, :1], _difference(rewards[:, 1:], rewards[:, :-1])], dim=1)
    centred = centred * mask
    if normalize_advantage:
        size = (distributed.all_reduce_sum(centred.square().sum()) / distributed.all_reduce_sum(mask.sum())).sqrt()
        centred = centred / size.clamp(min=torch.finfo(size.dtype).tiny ** 0.5)
    return centred


def _difference(reward: Rewards, expected: Rewards) -> Rewards:
    """What is left of a reward; exactly 0 where equal scores, rounded, could have left as much: divided by its own
    size, rounding would be as large as anything that is learned from."""
    left = reward - expected
    rounding = 4 * torch.finfo(left.dtype).eps * torch.maximum(reward.abs(), expected.abs())
    return left.masked_fill(left.abs() <= rounding, 0.0)


def leave_one_out(rewards: Rewards, mask: Mask) -> Rewards:
    """The mean reward of the other samples that have this position; the sample's own where there is no other."""
    present = distributed.all_reduce_sum(mask.sum(dim=0))
    others = (distributed.all_reduce_sum((rewards * mask).sum(dim=0)) - rewards) / (present - 1).clamp(min=1)
    return torch.where(present > 1, others, rewards)
