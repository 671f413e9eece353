"""From a score of finished sequences to what each of their tokens earns."""

from collections.abc import Callable

import torch

from seqgan.data.batches import Texts
from seqgan.models.policy import PolicyModule, Sampled
from seqgan.rollout import Score, in_chunks, rollout_rewards
from seqgan.shapes import Rewards

TokenReward = Callable[[Sampled], Rewards]


def by_rollouts(policy: PolicyModule, score: Score, completions: int) -> TokenReward:
    """A token earns the mean score of the completions of the prefix that it ends (Yu et al. 2017, equation 4)."""
    return lambda sampled: rollout_rewards(policy, score, sampled, completions)


def of_sequence(score: Score) -> TokenReward:
    """Every token earns the score of its sequence."""

    @torch.no_grad()
    def reward(sampled: Sampled) -> Rewards:
        return in_chunks(score, Texts(sampled.tokens, sampled.labels)).unsqueeze(1) * sampled.mask

    return reward
