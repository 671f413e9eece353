"""DCGAN, Radford et al. (2016): convolutions, BatchNorm and Adam with beta1 = 0.5."""

from imagegan.game import Recipe, versus
from imagegan.losses import LOSSES
from imagegan.nets import Shape
from imagegan.variants.configs import DCGANConfig
from imagegan.variants.gan import networks
from seqgan.core.game import adam


def dcgan(config: DCGANConfig, shape: Shape) -> Recipe:
    """The non-saturating GAN with the networks of section 3 (`imagegan.nets`)."""
    optimizers = adam(config.d_lr, config.beta1), adam(config.g_lr, config.beta1)
    return Recipe(
        networks(config, shape)._asdict(), versus(LOSSES["non-saturating"], *optimizers), (config.latent_dim,)
    )
