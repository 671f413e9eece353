"""WGAN-GP, Gulrajani et al. (2017): a critic with a gradient penalty, or with a difference penalty (Su 2018)."""

from collections.abc import Callable

from imagegan.game import Recipe, View, versus
from imagegan.losses import LOSSES, Scalar
from imagegan.nets import Shape
from imagegan.penalties import difference_penalty, gradient_penalty
from imagegan.variants.configs import WGANGPConfig
from imagegan.variants.gan import networks, optimizers
from seqgan.core.game import Term


def wgan_gp(config: WGANGPConfig, shape: Shape) -> Recipe:
    """min_D E D(G(z)) - E D(x) + lambda E (|grad D| - 1)^2, equation 3; max_G E D(G(z)). Algorithm 1."""
    return _penalised(config, shape, lambda view: gradient_penalty(view.score, view.real, view.fake, config.penalty))


def wgan_diff(config: WGANGPConfig, shape: Shape) -> Recipe:
    """The same with |D(y1) - D(y2)| / |y1 - y2| for two points of each segment (Su 2018): no second derivative."""
    return _penalised(config, shape, lambda view: difference_penalty(view.score, view.real, view.fake, config.penalty))


def _penalised(config: WGANGPConfig, shape: Shape, penalty: Callable[[View], Scalar]) -> Recipe:
    players = versus(
        LOSSES["wasserstein"],
        *optimizers(config),
        d_terms={"penalty": Term(penalty, config.penalty_weight, per_sample=True)},
        d_turns=lambda step: config.critic_steps,
    )
    return Recipe(networks(config, shape)._asdict(), players, (config.latent_dim,))
