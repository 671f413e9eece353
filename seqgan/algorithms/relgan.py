"""RelGAN: Relational Generative Adversarial Networks for Text Generation (Nie et al., ICLR 2019), its training.

The policy draws relaxed samples (Gumbel-softmax), through which the gradient of a relativistic loss flows from the
discriminator: there are no rewards. The paper's relational memory is a policy like any other, and not part of this."""

import math
from collections.abc import Callable

import torch

from seqgan.algorithms.adversarial import TextGAN, View, mle_term, r1_term, ranking, right_pairs
from seqgan.algorithms.components import DEFAULTS, Components
from seqgan.algorithms.configs import RelGANConfig
from seqgan.algorithms.critic import COMPARING, Critic, for_both
from seqgan.algorithms.mle import MLE
from seqgan.core.game import Player, Term, adam
from seqgan.core.losses import pairwise_loss
from seqgan.data.batches import Texts
from seqgan.data.dataset import TokenDataset
from seqgan.errors import UsageError
from seqgan.shapes import Scalar

# The inverse temperature of iteration i of n: from 1 at the first to b at the last of those that are *run*. The
# published code divides by a constant of 5,000 and stops at 2,000, so that its 100 is 6.3.
SCHEDULES: dict[str, Callable[[float, int, int], float]] = {
    "exponential": lambda b, i, n: b ** (i / (n - 1)),
    "linear": lambda b, i, n: 1 + (b - 1) * i / (n - 1),
    "logarithmic": lambda b, i, n: 1 + (b - 1) * math.log(i + 1) / math.log(n),
    "sigmoid": lambda b, i, n: 1 + (b - 1) / (1 + math.exp(20 * (n / 2 - i) / n)),
    "quadratic": lambda b, i, n: 1 + (b - 1) * (i / (n - 1)) ** 2,
    "square-root": lambda b, i, n: 1 + (b - 1) * math.sqrt(i / (n - 1)),
    "constant": lambda b, i, n: b,
}


def new_relgan(
    config: RelGANConfig, dataset: TokenDataset, device: torch.device, seed: int, components: Components = DEFAULTS
) -> TextGAN:
    """MLE, then in every iteration g policy updates and d discriminator updates, each with fresh samples."""
    if components.reward is not None:
        raise UsageError("relgan learns through its discriminator and takes no reward; choose seqgan or maligan")
    of_mle, of_critic = for_both(config, dataset)
    mle = MLE(config, of_mle, device, seed, components)
    # A round of one batch; its relaxed samples take the place of those that a critic draws.
    batch = min(config.d_batch_size // 2, len(of_critic.train.sequences))
    critic = Critic(config, of_critic, device, seed, mle.generator, components, samples=batch, measures=COMPARING)

    def relaxed(view: View) -> Texts:
        """As many samples as there are real texts, each beside one under the same label."""
        beta, (real, labels) = inverse_temperature(config, view.iteration), view.real
        straight_through = config.straight_through
        drawn = view.policy.relaxed_sample(len(real), beta, labels=labels, straight_through=straight_through)
        return Texts(drawn.soft, labels)

    def policy_loss(view: View) -> Scalar:
        real, fake = view.logits
        return pairwise_loss(fake, real)

    terms = {"adversarial": Term(policy_loss), **mle_term(config)}
    norm = config.max_grad_norm
    players = {
        "generator": Player(("generator",), terms, adam(config.g_lr), norm),
        "discriminator": Player(
            ("discriminator",),
            {"d_loss": Term(ranking), **r1_term(config)},
            adam(config.d_lr),
            norm,
            watch={"accuracy": right_pairs},
        ),
    }
    return TextGAN(config, mle, critic, players, fake=relaxed)


def inverse_temperature(config: RelGANConfig, iteration: int) -> float:
    if config.iterations == 1:
        return config.temperature
    return SCHEDULES[config.temperature_schedule](config.temperature, iteration, config.iterations)
