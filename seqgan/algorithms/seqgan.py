"""SeqGAN: Sequence Generative Adversarial Nets with Policy Gradient (Yu et al., AAAI 2017), algorithm 1.

The policy draws sequences; every token earns what its completions score with the discriminator; REINFORCE raises the
probability of what earned more. The discriminator learns to tell real texts from the policy's."""

import torch

from seqgan.advantages import advantages
from seqgan.algorithms.adversarial import TextGAN, View, learning_from_rewards
from seqgan.algorithms.components import DEFAULTS, Components
from seqgan.algorithms.configs import SeqGANConfig
from seqgan.algorithms.critic import Critic
from seqgan.algorithms.mle import MLE
from seqgan.data.dataset import TokenDataset
from seqgan.losses import policy_gradient_weights
from seqgan.rewards import DenseReward, TokenReward, by_rollouts
from seqgan.rewards.custom import score_of
from seqgan.rewards.discriminator import DiscriminatorReward
from seqgan.shapes import Scalar


def new_seqgan(
    config: SeqGANConfig, dataset: TokenDataset, device: torch.device, seed: int, components: Components = DEFAULTS
) -> TextGAN:
    """MLE, then a discriminator, then both against each other; with a custom reward, REINFORCE alone."""
    mle = MLE(config, dataset, device, seed, components)
    critic: Critic | None = None
    reward: TokenReward
    if isinstance(components.reward, DenseReward):
        reward = components.reward
    elif components.reward is not None:
        reward = by_rollouts(mle.generator, score_of(components.reward, dataset.decode), config.rollouts)
    else:
        critic = Critic.in_rounds(config, mle, device, seed, components)
        score = DiscriminatorReward(critic.discriminator, config.reward_form)
        reward = by_rollouts(mle.generator, score, config.rollouts)

    def policy_gradient(view: View) -> Scalar:
        tokens, mask, _, labels = view.sampled
        advantage = advantages(view.rewards, mask, config.baseline, normalize_advantage=config.normalize_advantage)
        weights = policy_gradient_weights(advantage, mask, config.reduction)
        return view.policy.nll_drawn(tokens, weights, labels)

    return learning_from_rewards(config, mle, critic, policy_gradient, reward)
