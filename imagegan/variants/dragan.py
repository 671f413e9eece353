"""DRAGAN, Kodali et al. (2017): the GAN with a gradient penalty around real images."""

from imagegan.game import Recipe, View
from imagegan.losses import Scalar
from imagegan.nets import Shape
from imagegan.penalties import dragan_penalty
from imagegan.variants.configs import DRAGANConfig
from imagegan.variants.gan import networks, players
from seqgan.core.game import Term


def dragan(config: DRAGANConfig, shape: Shape) -> Recipe:
    """D also minimises lambda E (|grad D(x + noise)| - 1)^2. Algorithm 1."""

    def penalty(view: View) -> Scalar:
        return dragan_penalty(view.score, view.real, config.penalty)

    terms = {"penalty": Term(penalty, config.penalty_weight, per_sample=True)}
    two = players(config, d_terms=terms, d_turns=lambda step: config.critic_steps)
    return Recipe(networks(config, shape)._asdict(), two, (config.latent_dim,))
