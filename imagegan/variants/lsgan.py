"""LSGAN, Mao et al. (2017): least squares instead of cross-entropy.

(The loss-sensitive GAN of Qi (2017) has the same abbreviation, and is another model.)"""

from imagegan.game import Recipe, versus
from imagegan.losses import LOSSES
from imagegan.nets import Shape
from imagegan.variants.configs import LSGANConfig
from imagegan.variants.gan import networks, optimizers


def lsgan(config: LSGANConfig, shape: Shape) -> Recipe:
    """min_D E (D(x) - 1)^2 / 2 + E D(G(z))^2 / 2, min_G E (D(G(z)) - 1)^2 / 2, without a sigmoid. Equation 9."""
    players = versus(LOSSES["least-squares"], *optimizers(config), d_turns=lambda step: config.critic_steps)
    return Recipe(networks(config, shape)._asdict(), players, (config.latent_dim,))
