"""The game of Goodfellow et al. (2014): two players, one update each."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from safetensors.torch import save
from torch import nn

from imagegan import nets
from imagegan.data import Images
from imagegan.grids import png
from imagegan.losses import discriminator_loss, non_saturating_loss
from imagegan.nets import Pictures
from imagegan.variants.configs import GANConfig
from seqgan.core import world
from seqgan.core.log import Metrics
from seqgan.core.loop import Phase
from seqgan.core.seed import derive, private_generator, seed_everything

# variant -> (generator from latent and width, discriminator from width)
NETS: dict[str, tuple[Callable[[int, int], nn.Module], Callable[[int], nn.Module]]] = {
    "gan": (nets.mlp_generator, nets.mlp_discriminator),
    "dcgan": (nets.dcgan_generator, nets.dcgan_discriminator),
}
SHOWN = 100


class GAN:
    """The non-saturating game between the networks of a variant."""

    def __init__(self, model: str, config: GANConfig, images: Images, device: torch.device, seed: int) -> None:
        self.config, self.device, self.seed = config, device, seed
        self.images = images.pixels.to(device)
        make_generator, make_discriminator = NETS[model]
        seed_everything(seed, "generator weights")
        self.generator = make_generator(config.latent, config.width).to(device)
        seed_everything(seed, "discriminator weights")
        self.discriminator = make_discriminator(config.width).to(device)
        betas = (config.beta1, 0.999)
        self.g_optimizer = torch.optim.Adam(self.generator.parameters(), config.g_rate, betas, fused=True)
        self.d_optimizer = torch.optim.Adam(self.discriminator.parameters(), config.d_rate, betas, fused=True)

    def phases(self) -> Sequence[Phase]:
        return [Phase("adversarial", self.config.steps, self.update)]

    def update(self, step: int) -> Metrics:
        """The discriminator moves, then the generator."""
        order, size = private_generator(self.seed, "batch", step), self.config.batch_size
        chosen = torch.randint(len(self.images), (size,), generator=order)[world.share(size)].to(self.device)
        count = len(chosen)
        real, fake = self.discriminator(self.images[chosen]), self.discriminator(self.draw(count).detach())
        d_loss = discriminator_loss(real, fake)
        _descend(self.d_optimizer, d_loss)
        g_loss = non_saturating_loss(self.discriminator(self.draw(count)))
        _descend(self.g_optimizer, g_loss)
        world.average_buffers(self.discriminator, self.generator)
        right = (world.mean((real > 0).float()) + world.mean((fake <= 0).float())) / 2
        losses = {"d_loss": world.total(d_loss.detach()), "g_loss": world.total(g_loss.detach())}
        return {**losses, "d_accuracy": right}

    def draw(self, count: int) -> Pictures:
        return self.generator(torch.randn(count, self.config.latent, device=self.device))

    @torch.no_grad()
    def sample(self, count: int, seed: int) -> Pictures:
        """Pictures that depend on the seed alone; BatchNorm as learned."""
        rng = torch.Generator(self.device).manual_seed(seed)
        self.generator.eval()
        pictures: Pictures = self.generator(torch.randn(count, self.config.latent, device=self.device, generator=rng))
        self.generator.train()
        return pictures

    def state_dict(self) -> dict[str, Any]:
        return {name: part.state_dict() for name, part in self._parts().items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for name, part in self._parts().items():
            part.load_state_dict(state[name])

    def _parts(self) -> dict[str, Any]:
        return {
            "generator": self.generator,
            "discriminator": self.discriminator,
            "g_optimizer": self.g_optimizer,
            "d_optimizer": self.d_optimizer,
        }

    def exports(self) -> Mapping[str, bytes]:
        weights = {
            name: {k: t.cpu().contiguous() for k, t in part.state_dict().items()}
            for name, part in list(self._parts().items())[:2]
        }
        return {
            **{f"{name}.safetensors": save(w) for name, w in weights.items()},
            "samples.png": png(self.sample(SHOWN, derive(self.seed, "shown"))),
        }


def _descend(optimizer: torch.optim.Optimizer, loss: torch.Tensor) -> None:
    optimizer.zero_grad()
    loss.backward()
    world.sum_gradients(parameter for group in optimizer.param_groups for parameter in group["params"])
    optimizer.step()
