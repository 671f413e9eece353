"""A round of DCGAN as tutorials write it: what the speed of ours is compared with. It stays as it is.

The same networks and sizes; images as floats, one batch of generated images for both players, gradients of all networks
in both turns, no record."""

import copy

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from imagegan.game import Game


class PlainTraining:
    """The networks, optimisers and images of a game, in copy."""

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
