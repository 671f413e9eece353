"""DRAGAN, Kodali et al. (2017): the non-saturating GAN with a gradient penalty around real images."""

from imagegan.game import Recipe, versus
from imagegan.losses import LOSSES
from imagegan.nets import Shape
from imagegan.penalties import dragan_penalty
from imagegan.variants.configs import DRAGANConfig
from imagegan.variants.gan import networks
from seqgan.core.game import Term, adam


def dragan(config: DRAGANConfig, shape: Shape) -> Recipe:
    """D also minimises lambda E (|grad D(x + noise)| - 1)^2. Algorithm 1."""
    players = versus(
        LOSSES["non-saturating"],
        adam(config.d_lr, config.beta1, config.beta2),
        adam(config.g_lr, config.beta1, config.beta2),
        d_terms={
            "penalty": Term(
                lambda view: dragan_penalty(view.score, view.real, config.penalty),
                config.penalty_weight,
                per_sample=True,
            )
        },
    )
    return Recipe(networks(config, shape)._asdict(), players, (config.latent_dim,))
