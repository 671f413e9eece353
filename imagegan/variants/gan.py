"""GAN, Goodfellow et al. (2014): two perceptrons, one update each a round."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from imagegan.augment import augmentation
from imagegan.game import Recipe, View, versus
from imagegan.losses import LOSSES
from imagegan.nets import Discriminator, Generator, Shape, family, spectral_norm
from imagegan.penalties import r1_penalty
from imagegan.variants.configs import GANConfig, ImageConfig, LossConfig, NetsConfig
from seqgan.core.game import Optimise, Player, Term, adam


class Pair(NamedTuple):
    """The two networks of most games."""

    generator: Generator
    discriminator: Discriminator


def networks(config: NetsConfig, shape: Shape, g_code: int = 0, d_code: int = 0) -> Pair:
    """As configured; `g_code` and `d_code` are the sizes of the codes that the networks receive."""
    nets = family(config.nets, shape)
    return Pair(
        nets.generator(shape, config.latent_dim + g_code, config.width),
        regularised(nets.discriminator(shape, d_code, config.width, config.d_norm), config, shape),
    )


def regularised(discriminator: Discriminator, config: ImageConfig, shape: Shape) -> Discriminator:
    """With spectral normalisation and augmentation, where the config asks for them."""
    if isinstance(config, LossConfig):
        discriminator.augment = augmentation(config.augment, shape)
        if config.spectral_norm:
            spectral_norm(discriminator)
    return discriminator


def optimizers(config: Any) -> tuple[Optimise, Optimise]:
    """Adam, of discriminator and generator."""
    d, g = (adam(lr, config.beta1, getattr(config, "beta2", 0.999)) for lr in (config.d_lr, config.g_lr))
    return d, g


def players(
    config: LossConfig, d_terms: Mapping[str, Term[View]] | None = None, **more: Any
) -> dict[str, Player[View]]:
    """Discriminator and generator with the loss, R1 and the optimiser of a config; `more` is that of `versus`."""
    r1 = Term[View](lambda view: r1_penalty(view.score, view.real), config.r1_weight / 2, per_sample=True)
    d_terms = {**(d_terms or {}), **({"r1": r1} if r1.weight else {})}
    return versus(LOSSES[config.loss], *optimizers(config), d_terms=d_terms, **more)


def gan(config: GANConfig, shape: Shape) -> Recipe:
    """max_D E log D(x) + E log(1 - D(G(z))), equation 1; G minimises the same (minimax), or -E log D(G(z))
    (non-saturating, section 3)."""
    two = players(config, d_turns=lambda step: config.critic_steps)
    return Recipe(networks(config, shape)._asdict(), two, (config.latent_dim,))
