"""What each token of a sample earns.

A `TokenReward` comes from a score of finished sequences, by rollouts or for the sequence as a whole, or is dense."""

from collections.abc import Callable

import torch

from seqgan.data.batches import Texts
from seqgan.models.policy import PolicyModule, Sampled
from seqgan.rewards.custom import DenseReward, TextReward, dense, on_text
from seqgan.rollout import Score, in_chunks, rollout_rewards
from seqgan.shapes import Rewards

__all__ = ["DenseReward", "TextReward", "TokenReward", "by_rollouts", "dense", "of_sequence", "on_text"]

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
