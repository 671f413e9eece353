"""DCGAN, Radford et al. (2016): convolutions, BatchNorm and Adam with beta1 = 0.5."""

from imagegan.game import Recipe
from imagegan.nets import Shape
from imagegan.variants.configs import DCGANConfig
from imagegan.variants.gan import networks, players


def dcgan(config: DCGANConfig, shape: Shape) -> Recipe:
    """The GAN with the networks of section 3 (`imagegan.nets`)."""
    return Recipe(networks(config, shape)._asdict(), players(config), (config.latent_dim,))
