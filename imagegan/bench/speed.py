"""Time a round of DCGAN beside the plain loop with the same networks, in turns.

A machine that slows down slows both, so a ratio of neighbours means more than a time."""

import copy
import statistics
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from imagegan.data import load
from imagegan.game import Game
from imagegan.training import new_model, shape_of
from imagegan.variants.configs import DCGANConfig
from seqgan.core.device import timed
from seqgan.core.seed import seed_everything

ROUNDS = 20  # timed in one go


class PlainTraining:
    """A round of DCGAN as tutorials write it, with the networks, optimisers and images of a game, in copy; it stays as
    it is. Images are floats, both players see one batch of generated images, all networks have gradients in both turns,
    nothing is recorded."""

    def __init__(self, game: Game, *, new_noise: bool = False) -> None:
        """`new_noise`: generate other images for the generator's turn, as algorithm 1 of Goodfellow et al. (2014)."""
        config, self.new_noise = game.config, new_noise
        self.size, self.latent_dim, self.device = config.batch_size, config.latent_dim, game.device
        self.images = game.images.float() / 127.5 - 1
        self.generator, self.discriminator = (
            copy.deepcopy(game.recipe.nets[name]) for name in ("generator", "discriminator")
        )
        rate: dict[str, float] = {name: game.optimizers[name].param_groups[0]["lr"] for name in ("d", "g")}
        betas = game.optimizers["d"].param_groups[0]["betas"]
        self.d_optimizer = torch.optim.Adam(self.discriminator.parameters(), rate["d"], betas, fused=True)
        self.g_optimizer = torch.optim.Adam(self.generator.parameters(), rate["g"], betas, fused=True)
        averaging = get_ema_multi_avg_fn(config.ema)
        self.averaged = AveragedModel(self.generator, multi_avg_fn=averaging) if config.ema else None
        self.loss = nn.BCEWithLogitsLoss()
        self.real, self.fake = torch.ones(self.size, device=self.device), torch.zeros(self.size, device=self.device)

    def generate(self) -> Tensor:
        noise = torch.randn(self.size, self.latent_dim, device=self.device)
        images: Tensor = self.generator(noise, noise[:, :0])
        return images

    def round(self) -> None:
        real = self.images[torch.randint(len(self.images), (self.size,), device=self.device)]
        fake = self.generate()
        self.d_optimizer.zero_grad()
        loss = self.loss(self.discriminator(real).score, self.real)
        loss = loss + self.loss(self.discriminator(fake.detach()).score, self.fake)
        loss.backward()
        self.d_optimizer.step()
        if self.new_noise:
            fake = self.generate()
        self.g_optimizer.zero_grad()
        self.loss(self.discriminator(fake).score, self.real).backward()
        self.g_optimizer.step()
        if self.averaged is not None:
            self.averaged.update_parameters(self.generator)


class Timing(NamedTuple):
    """Of one way to train."""

    seconds: float  # of a round, the median
    ratio: float  # to the plain round beside it, the median
    best: float  # of the fastest round to the fastest plain one


def ways(config: DCGANConfig, device: torch.device) -> dict[str, Callable[[int], object]]:
    """What takes a round, by name; the first is what the others are compared with."""
    images = load("digits", count=config.images, held_out=1, seed=0, size=config.size).train

    def game(reuse_fakes: bool) -> Game:
        changed = replace(config, reuse_fakes=reuse_fakes)
        made = new_model("dcgan", changed, images, shape_of(images), device, 0)
        assert isinstance(made, Game)
        return made

    def as_trained(game: Game) -> Callable[[int], object]:
        def round(step: int) -> None:
            seed_everything(game.seed, 0, game.name, step)
            game.update(step)

        return round

    plain, renewed = PlainTraining(game(False)), PlainTraining(game(False), new_noise=True)
    return {
        "plain loop": lambda step: plain.round(),
        "plain loop, new noise for G": lambda step: renewed.round(),
        "imagegan": as_trained(game(False)),
        "imagegan --reuse-fakes": as_trained(game(True)),
    }


def measure(config: DCGANConfig, device: torch.device, pairs: int, rounds: int = ROUNDS) -> dict[str, Timing]:
    """Each way in turn, `pairs` times."""

    def several(once: Callable[[int], object], first: int) -> None:
        for step in range(first, first + rounds):
            once(step)

    chosen = ways(config, device)
    seconds: dict[str, list[float]] = {name: [] for name in chosen}
    for pair in range(pairs + 1):
        for name, once in chosen.items():
            taken = timed(partial(several, once, pair * rounds + 1), device)
            seconds[name] += [taken / rounds] if pair else []  # the first warms up
    reference = next(iter(seconds.values()))
    return {
        name: Timing(
            statistics.median(times),
            statistics.median(own / plain for own, plain in zip(times, reference, strict=True)),
            min(times) / min(reference),
        )
        for name, times in seconds.items()
    }
