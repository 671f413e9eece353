"""The score of a finished sequence: the rewards that a config asks for, or a custom one in their place."""

from collections.abc import Callable, Mapping

import torch
from torch import nn

from seqgan.algorithms.adversarial import View
from seqgan.algorithms.components import Components
from seqgan.algorithms.configs import PolicyGradientConfig
from seqgan.algorithms.critic import Critic
from seqgan.algorithms.mle import MLE
from seqgan.core import distributed
from seqgan.data.batches import Texts
from seqgan.data.dataset import TokenDataset
from seqgan.errors import UsageError
from seqgan.rewards.asked import DISCRIMINATOR, asked
from seqgan.rewards.builtin import REWARDS, Given
from seqgan.rewards.custom import DenseReward, score_of
from seqgan.rewards.mixed import Mixed
from seqgan.rollout import Score, in_chunks
from seqgan.shapes import Scalar


def critic_and_score(
    config: PolicyGradientConfig,
    mle: MLE,
    dataset: TokenDataset,
    device: torch.device,
    seed: int,
    components: Components,
    of_discriminator: Callable[[nn.Module], Score],
) -> tuple[Critic | None, Mixed]:
    """The critic of the policy of `mle`, if a reward asks for one, which learns from `dataset`, and the score of a
    finished sequence; `of_discriminator` makes that of a discriminator.

    Raises:
        UsageError: a discriminator is given, and no reward asks for one; or a reward cannot be made of these texts."""
    assert not isinstance(components.reward, DenseReward)
    if components.reward is not None:
        return None, Mixed({"custom": score_of(components.reward, mle.dataset.decode)}, {"custom": 1.0})
    wanted = asked(config.reward)
    critic: Critic | None = None
    if any(reward.name == DISCRIMINATOR for reward in wanted.values()):
        critic = Critic.in_rounds(config, dataset, device, seed, mle.generator, components)
    elif components.discriminator is not None:
        raise UsageError(
            f"a discriminator was given, but the reward is {', '.join(config.reward)}; add discriminator to it, or "
            "leave the discriminator out"
        )
    given = Given(mle.dataset, of_discriminator(critic.discriminator) if critic else None, components.models)
    parts = {name: REWARDS[reward.name](given, reward.argument) for name, reward in wanted.items()}
    return critic, Mixed(parts, {name: reward.weight for name, reward in wanted.items()})


def each_part(mixed: Mixed) -> Mapping[str, Callable[[View], Scalar]]:
    """Where several rewards are added up, the mean score of the samples by each: without its weight, and as it is
    whatever a control makes of the sum."""
    if len(mixed.parts) == 1:
        return {}
    return {f"reward_{name}": mean_score(score) for name, score in mixed.parts.items()}


def mean_score(score: Score) -> Callable[[View], Scalar]:
    def mean(view: View) -> Scalar:
        return distributed.all_reduce_mean(in_chunks(score, Texts(view.sampled.tokens, view.sampled.labels)))

    return mean
