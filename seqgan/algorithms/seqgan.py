"""SeqGAN: Sequence Generative Adversarial Nets with Policy Gradient (Yu et al., AAAI 2017), algorithm 1.

The policy draws sequences; every token earns what its completions score with the discriminator; REINFORCE raises the
probability of what earned more. The discriminator learns to tell real texts from the policy's."""

import torch
from torch import nn

from seqgan.advantages import advantages
from seqgan.algorithms.adversarial import TextGAN, View, learning_from_rewards
from seqgan.algorithms.components import DEFAULTS, Components
from seqgan.algorithms.configs import SeqGANConfig
from seqgan.algorithms.critic import for_both
from seqgan.algorithms.mle import MLE
from seqgan.algorithms.scored import critic_and_score, each_part
from seqgan.data.dataset import TokenDataset
from seqgan.losses import policy_gradient_weights
from seqgan.rewards.custom import DenseReward
from seqgan.rewards.discriminator import DiscriminatorReward
from seqgan.rewards.per_token import by_rollouts
from seqgan.rollout import Score
from seqgan.shapes import Scalar


def new_seqgan(
    config: SeqGANConfig, dataset: TokenDataset, device: torch.device, seed: int, components: Components = DEFAULTS
) -> TextGAN:
    """MLE, then a discriminator, then both against each other; REINFORCE alone where no reward asks for one."""
    of_mle, of_critic = for_both(config, dataset)
    mle = MLE(config, of_mle, device, seed, components)

    def of_discriminator(discriminator: nn.Module) -> Score:
        return DiscriminatorReward(discriminator, config.reward_form)

    def policy_gradient(view: View) -> Scalar:
        tokens, mask, _, labels = view.sampled
        advantage = advantages(view.rewards, mask, config.baseline, normalize_advantage=config.normalize_advantage)
        weights = policy_gradient_weights(advantage, mask, config.reduction)
        return view.policy.nll_drawn(tokens, weights, labels)

    if isinstance(components.reward, DenseReward):
        return learning_from_rewards(config, mle, None, policy_gradient, components.reward)
    critic, score = critic_and_score(config, mle, of_critic, device, seed, components, of_discriminator)
    reward = by_rollouts(mle.generator, score, config.rollouts)
    return learning_from_rewards(config, mle, critic, policy_gradient, reward, each_part(score))
