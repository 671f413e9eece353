"""Controls: rewards without what the score knows of a text."""

from typing import Literal

import torch

from seqgan.core import distributed
from seqgan.rewards.per_token import TokenReward
from seqgan.shapes import Mask, Rewards

Control = Literal["none", "constant", "noise", "shuffled"]


def controlled(rewards: Rewards, mask: Mask, control: Control) -> Rewards:
    """Rewards that say nothing of the text they are paid for, to see what training does without that.

    "constant" rewards every token with 1, "noise" with a draw of its own from [0, 1). "shuffled" gives each sequence
    the rewards of another one, never its own (at least two are needed); where the other is shorter, its last reward is
    repeated. With a baseline or whitened advantages a constant reward cancels, and nothing is learned from it: there
    "shuffled" is the control: the same rewards and advantages of the same size, which tell nothing of the texts."""
    if control == "constant":
        return mask.to(rewards.dtype)
    if control == "noise":  # every process draws for its own share
        return torch.rand_like(rewards) * mask
    if control == "shuffled":
        ends = (mask.sum(dim=1, keepdim=True) - 1).clamp(min=0)
        places = torch.arange(mask.shape[1], device=mask.device)
        earned = distributed.all_gather(rewards.gather(1, places.minimum(ends)))
        distance = distributed.broadcast(torch.randint(1, len(earned), (1,), device=rewards.device))
        donors = (torch.arange(len(earned), device=rewards.device) + distance.to(rewards.device)) % len(earned)
        return earned[donors[distributed.shard(len(earned))]] * mask
    return rewards


def under(control: Control, reward: TokenReward) -> TokenReward:
    """A reward under a control."""
    return lambda sampled: controlled(reward(sampled), sampled.mask, control)
