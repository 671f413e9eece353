"""BEGAN, Berthelot et al. (2017): the discriminator is an autoencoder, and its loss on an image is the score."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from imagegan.game import Recipe, View
from imagegan.losses import Scalar, mean
from imagegan.nets import Discriminator, Images, Scored, Shape, family
from imagegan.variants.configs import BEGANConfig
from imagegan.variants.gan import networks, optimizers
from seqgan.core import distributed
from seqgan.core.game import Nets, Player, Term


def began(config: BEGANConfig, shape: Shape) -> Recipe:
    """min_D E L(x) - k_t E L(G(z)), min_G E L(G(z)); k_t holds E L(G(z)) at gamma E L(x). Section 3.4."""
    pair = networks(config, shape)
    decoder = family(config.nets, shape).generator(shape, config.latent_dim, config.width)
    nets = {
        "generator": pair.generator,
        "discriminator": Autoencoder(pair.discriminator, decoder, config.latent_dim),
        "balance": Balance(),
    }
    d_optimizer, g_optimizer = optimizers(config)
    players = {
        "d": Player(
            ("discriminator",),
            {"real": Term(lambda view: mean(loss(view.on_real))), "fake": Term(weighted)},
            d_optimizer,
            turns=lambda step: config.critic_steps,
            after=control(config.gamma, config.k_lr),
            watch={"convergence": convergence(config.gamma)},
        ),
        "g": Player(("generator",), {"loss": Term(lambda view: mean(loss(view.on_fake)))}, g_optimizer),
    }
    return Recipe(nets, players, (config.latent_dim,))


class Autoencoder(nn.Module):
    """Images to a code and back. The score is -L(x), so that real images score higher; the features are the code."""

    def __init__(self, encoder: Discriminator, decoder: nn.Module, latent_dim: int) -> None:
        super().__init__()
        self.trunk, self.code, self.decoder = encoder.trunk, nn.Linear(encoder.features, latent_dim), decoder
        self.features = latent_dim

    def forward(self, images: Images) -> Scored:
        code = self.code(self.trunk(images))
        return Scored(-(images - self.decoder(code, code[:, :0])).float().abs().flatten(1).mean(dim=1), code)


class Balance(nn.Module):
    """k_t, in [0, 1], as a buffer: saved and resumed with the networks, and averaged over processes."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("k", torch.zeros(()))


def loss(output: Scored) -> Tensor:
    """L(v) = |v - D(v)|, the mean over pixels. Section 3.1, with eta = 1."""
    return -output.score


def weighted(view: View) -> Scalar:
    """-k_t E L(G(z))."""
    (k,) = view.recipe.nets["balance"].buffers()
    return -k * mean(loss(view.on_fake))


def control(gamma: float, rate: float) -> Callable[[View, Nets], None]:
    """k_{t+1} = k_t + lambda_k (gamma E L(x) - E L(G(z))), clipped to [0, 1]."""

    @torch.no_grad()
    def controlled(view: View, nets: Nets) -> None:
        (k,) = nets["balance"].buffers()
        k.add_(rate * off_balance(view, gamma)).clamp_(0, 1)

    return controlled


def off_balance(view: View, gamma: float) -> Scalar:
    """gamma E L(x) - E L(G(z)), over the images of all processes."""
    return distributed.all_reduce_mean(gamma * loss(view.on_real) - loss(view.on_fake))


def convergence(gamma: float) -> Callable[[View], Tensor]:
    """M = E L(x) + |gamma E L(x) - E L(G(z))|, the measure by which a training is stopped (section 3.4.1): the mean of
    the values, one for each image."""
    return lambda view: loss(view.on_real) + off_balance(view, gamma).abs()
