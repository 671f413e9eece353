"""CGAN, Mirza and Osindero (2014): both networks receive the class."""

from imagegan.game import Recipe
from imagegan.latents import CodeSpec
from imagegan.nets import Shape
from imagegan.variants.configs import CGANConfig
from imagegan.variants.gan import networks, players


def cgan(config: CGANConfig, shape: Shape) -> Recipe:
    """max_D E log D(x, y) + E log(1 - D(G(z, y), y)), equation 2: D receives y too, or G could ignore it."""
    return Recipe(
        networks(config, shape, g_code=shape.labelled(), d_code=shape.classes)._asdict(),
        players(config),
        (config.latent_dim,),
        CodeSpec(shape.classes),
        conditional=True,
        d_inputs=lambda view, images, generated: (images, view.code),
    )
