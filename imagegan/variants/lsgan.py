"""LSGAN, Mao et al. (2017): the distance of outputs to their targets in the place of cross-entropy.

(Qi's loss-sensitive GAN of the same letters is another model.)"""

from imagegan.game import Recipe, versus
from imagegan.losses import LOSSES
from imagegan.nets import Shape
from imagegan.variants.configs import LSGANConfig
from imagegan.variants.gan import networks
from seqgan.core.game import adam


def lsgan(config: LSGANConfig, shape: Shape) -> Recipe:
    """min_D E (D(x) - 1)^2 / 2 + E D(G(z))^2 / 2, min_G E (D(G(z)) - 1)^2 / 2, on outputs without a sigmoid."""
    optimizers = adam(config.d_lr, config.beta1), adam(config.g_lr, config.beta1)
    return Recipe(networks(config, shape)._asdict(), versus(LOSSES["least-squares"], *optimizers), (config.latent_dim,))
