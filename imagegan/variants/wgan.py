"""WGAN, Arjovsky et al. (2017): a critic with clipped weights, trained near its optimum before each generator step."""

from collections.abc import Callable

import torch

from imagegan.game import Recipe, View, versus
from imagegan.losses import LOSSES
from imagegan.nets import Shape
from imagegan.variants.configs import WGANConfig
from imagegan.variants.gan import networks
from seqgan.core.game import Nets, rmsprop

FIRST, EVERY = 25, 500  # rounds in which the official code trains the critic for longer


def wgan(config: WGANConfig, shape: Shape) -> Recipe:
    """max_D E D(x) - E D(G(z)) with all weights of D in [-c, c]; max_G E D(G(z)). Algorithm 1."""
    players = versus(
        LOSSES["wasserstein"],
        rmsprop(config.d_lr),
        rmsprop(config.g_lr),
        d_turns=schedule(config.critic_steps, config.critic_burst),
        d_after=clip(config.clip),
    )
    return Recipe(networks(config, shape)._asdict(), players, (config.latent_dim,))


def schedule(usual: int, burst: int) -> Callable[[int], int]:
    """The critic's updates in a round: `burst` in rounds 1 to 25 and every 500th, as in the official code."""
    return lambda step: burst if step <= FIRST or (step - 1) % EVERY == 0 else usual


def clip(bound: float) -> Callable[[View, Nets], None]:
    """Clamp all weights of the critic to [-bound, bound]."""

    @torch.no_grad()
    def clipped(view: View, nets: Nets) -> None:
        for weight in nets["discriminator"].parameters():
            weight.clamp_(-bound, bound)

    return clipped
