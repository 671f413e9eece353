"""MaliGAN: Maximum-Likelihood Augmented Discrete Generative Adversarial Networks (Che et al. 2017), without rollouts.

With r = D / (1 - D), which is e^logit, q(x) ~ r(x) pi(x) is the distribution of the data where D is optimal. The policy
descends KL(q, pi): maximum likelihood on its own samples, each weighted by r over the sum of r in the batch."""

import torch
from torch import Tensor

from seqgan.algorithms.adversarial import TextGAN, View, learning_from_rewards
from seqgan.algorithms.components import DEFAULTS, Components
from seqgan.algorithms.configs import MaliGANConfig
from seqgan.algorithms.critic import for_both
from seqgan.algorithms.mle import MLE
from seqgan.algorithms.scored import critic_and_score, each_part
from seqgan.core import distributed
from seqgan.core.game import inference
from seqgan.data.dataset import TokenDataset
from seqgan.errors import UsageError
from seqgan.rewards.custom import DenseReward
from seqgan.rewards.per_token import of_sequence
from seqgan.rollout import Score
from seqgan.shapes import Scalar, Scores


def new_maligan(
    config: MaliGANConfig, dataset: TokenDataset, device: torch.device, seed: int, components: Components = DEFAULTS
) -> TextGAN:
    """MLE, then a discriminator, then both against each other. Other rewards stand in the place of the logit."""
    of_mle, of_critic = for_both(config, dataset)
    mle = MLE(config, of_mle, device, seed, components)
    if isinstance(components.reward, DenseReward):
        raise UsageError("maligan weights whole sequences, and cannot use a dense reward; give one number for each")
    critic, score = critic_and_score(config, mle, of_critic, device, seed, components, logits_of)

    def importance_weighted_likelihood(view: View) -> Scalar:
        tokens, mask, _, labels = view.sampled
        weights = importance_weights(view.rewards[:, 0], uniform_baseline=config.baseline == "uniform")
        return view.policy.nll_drawn(tokens, weights.unsqueeze(1) * mask, labels)

    watch = {**each_part(score), "effective_samples": effective_samples}
    return learning_from_rewards(config, mle, critic, importance_weighted_likelihood, of_sequence(score), watch)


def logits_of(discriminator: torch.nn.Module) -> Score:
    def score(*text: Tensor) -> Scores:
        with inference(discriminator):
            logits: Scores = discriminator(*text)
        return logits

    return score


def importance_weights(logits: Scores, *, uniform_baseline: bool) -> Scores:
    """r / sum of r over the samples of all processes, as a softmax of logits: r itself is infinite where D is near 1.

    The weights of m samples sum to 1; less the baseline 1/m, to 0."""
    every = distributed.all_gather(logits)
    weights = every.softmax(dim=0)[distributed.shard(len(every))]
    return weights - 1 / len(every) if uniform_baseline else weights


def effective_samples(view: View) -> Scalar:
    """How many equally weighted samples the batch is worth: 1 / sum of squared weights."""
    weights = importance_weights(view.rewards[:, 0], uniform_baseline=False)
    return 1 / distributed.all_reduce_sum(weights.square().sum())
