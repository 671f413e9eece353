"""LAPGAN, Denton et al. (2015): a GAN for a coarse image, and one for the high frequencies of each finer level."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from imagegan.game import Recipe
from imagegan.latents import Codes, CodeSpec
from imagegan.nets import Discriminator, Images, Shape, halving, initialised, mlp_discriminator, mlp_generator
from imagegan.pyramid import high, low
from imagegan.variants.configs import LAPGANConfig
from imagegan.variants.gan import players, regularised
from seqgan.errors import ConfigError

SMALLEST = 8  # larger levels are halved


def lapgan(config: LAPGANConfig, shape: Shape) -> Sequence[Recipe]:
    """Algorithm 1: at each level D distinguishes h + l from G(z, l) + l, where l is the upsampled coarser image.

    D receives the sum, as in the official code: an image, not its high frequencies alone.

    Raises:
        ConfigError: the images cannot be halved."""
    classes = shape.labelled() if config.conditional else 0
    sides = [shape.size]
    while sides[0] % 2 == 0 and sides[0] > SMALLEST:
        sides.insert(0, sides[0] // 2)
    if len(sides) == 1:
        raise ConfigError(
            f"a pyramid halves its images, but {shape.size} x {shape.size} ones are too small or odd; choose "
            "another --model, or other --data or --size (even, from 10 on)"
        )
    coarsest, *finer = (shape._replace(size=side) for side in sides)
    return [_top(config, coarsest, classes), *(_refining(config, level, classes) for level in finer)]


def _top(config: LAPGANConfig, shape: Shape, classes: int) -> Recipe:
    nets: dict[str, nn.Module] = {
        "generator": mlp_generator(shape, config.latent_dim + classes, config.top_width),
        "discriminator": regularised(mlp_discriminator(shape, classes, config.top_width, config.d_norm), config, shape),
    }
    return Recipe(
        nets,
        players(config),
        (config.latent_dim,),
        CodeSpec(classes),
        conditional=classes > 0,
        d_inputs=lambda view, images, generated: (images, view.code),
        rounds=config.top_rounds,
    )


def _refining(config: LAPGANConfig, shape: Shape, classes: int) -> Recipe:
    nets: dict[str, nn.Module] = {
        "generator": Refiner(shape, classes, config.width),
        "discriminator": regularised(
            refining_discriminator(shape, classes, config.width, config.d_norm), config, shape
        ),
    }
    return Recipe(
        nets,
        players(config),
        (1, shape.size, shape.size),
        CodeSpec(classes),
        conditional=classes > 0,
        target=high,
        context=lambda images: (low(images),),
        d_inputs=lambda view, finer, generated: (finer + view.context[0], view.code),
    )


class Refiner(nn.Module):
    """A channel of noise, the coarse image and a channel of the class to high frequencies, which are not bounded."""

    def __init__(self, shape: Shape, classes: int, width: int) -> None:
        super().__init__()
        self.size = shape.size
        self.plane = nn.Linear(classes, shape.size**2) if classes else None
        self.body = nn.Sequential(
            nn.Conv2d(1 + shape.channels + (classes > 0), width, 7, padding=3),
            nn.ReLU(),
            nn.Conv2d(width, width, 7, padding=3),
            nn.ReLU(),
            nn.Conv2d(width, shape.channels, 5, padding=2),
        )

    def forward(self, noise: Tensor, code: Codes, coarse: Images) -> Images:
        planes = [noise, coarse]
        if self.plane is not None:
            planes.append(self.plane(code).view(-1, 1, self.size, self.size))
        return self.body(torch.cat(planes, dim=1))


def refining_discriminator(shape: Shape, code: int, width: int, norm: str) -> Discriminator:
    """Two convolutions that halve any side, odd ones rounded up: a single one would see edges, but no shapes."""
    layers = [*halving(shape.channels + code, width, kernel=5), *halving(width, 2 * width, norm, kernel=5)]
    trunk = nn.Sequential(*layers, nn.Flatten())
    side = math.ceil(shape.size / 4)
    return initialised(Discriminator(trunk, 2 * width * side**2, planes=True), norm)
