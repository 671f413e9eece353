"""BiGAN, Donahue et al. (2017), and ALI, Dumoulin et al. (2017): the discriminator judges images with their codes."""

import torch
from torch import Tensor, nn

from imagegan.game import Recipe, View, versus
from imagegan.losses import LOSSES
from imagegan.nets import Discriminator, Images, Scored, Shape, family
from imagegan.variants.configs import BiGANConfig
from imagegan.variants.gan import networks, optimizers
from seqgan.core.game import Player, Term

UNITS = 256  # of the layers that see the code


def bigan(config: BiGANConfig, shape: Shape) -> Recipe:
    """max_D E log D(x, E(x)) + E log(1 - D(G(z), z)), equation 3 of Donahue et al.; G and E minimise it together, with
    the labels exchanged (section 3.4), so that both kinds of pairs teach them. At the optimum E inverts G."""
    pair = networks(config, shape)
    like = family(config.nets, shape).discriminator(shape, 0, config.width, config.d_norm)
    encoder = nn.Sequential(like.trunk, nn.Linear(like.features, config.latent_dim))
    judge = PairDiscriminator(pair.discriminator, config.latent_dim)
    loss, (d_optimizer, g_optimizer) = LOSSES["non-saturating"], optimizers(config)
    players = versus(loss, d_optimizer, g_optimizer)
    exchanged: Term[View] = Term(lambda view: loss.discriminator(view.on_fake.score, view.on_real.score))
    players["g"] = Player(("generator", "encoder"), {"loss": exchanged}, g_optimizer)
    return Recipe(
        {"generator": pair.generator, "discriminator": judge, "encoder": encoder},
        players,
        (config.latent_dim,),
        d_inputs=lambda view, images, generated: (images, view.noise if generated else view.encoded),
        encode=encoder,
    )


class PairDiscriminator(nn.Module):
    """The features of an image, beside those of a code, to the score of both together, as in ALI (D_x, D_z, D_xz)."""

    def __init__(self, images: Discriminator, latent_dim: int) -> None:
        super().__init__()
        self.trunk, self.features = images.trunk, UNITS
        self.code = nn.Sequential(nn.Linear(latent_dim, UNITS), nn.LeakyReLU(0.2))
        self.joint = nn.Sequential(nn.Linear(images.features + UNITS, UNITS), nn.LeakyReLU(0.2))
        self.output = nn.Linear(UNITS, 1)

    def forward(self, images: Images, code: Tensor) -> Scored:
        features = self.joint(torch.cat([self.trunk(images), self.code(code)], dim=1))
        return Scored(self.output(features).flatten().float(), features)
