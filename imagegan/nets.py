"""Networks for square images: perceptrons, those of DCGAN, and those of Lucic et al. (2018).

A generator maps noise and a code to images; a discriminator gives a logit and the features it is computed from."""

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from imagegan.latents import Codes, Noise
from seqgan.errors import ConfigError, UsageError

Net = TypeVar("Net", bound=nn.Module)

Images = Float[Tensor, "B C S S"]


class Shape(NamedTuple):
    """Of an image, the number of classes (0: the images have no labels), and how many images have no label."""

    channels: int
    size: int
    classes: int = 0
    unlabelled: int = 0

    @property
    def pixels(self) -> int:
        return self.channels * self.size**2

    def labelled(self, *, in_part: bool = False) -> int:
        """The number of classes, for a model that learns from the labels of all images, or of a part of them.

        Raises:
            UsageError: there are none, or not for every image."""
        if not self.classes or (self.unlabelled and not in_part):
            missing = f"{self.unlabelled} images have none" if self.classes else "the images have none"
            few = "semi-gan, which learns from those that there are" if self.classes else "infogan, which needs none"
            raise UsageError(
                f"this model learns from labels, but {missing}; choose data with labels (the images of each class in a "
                f"folder of their own), or --model {few}"
            )
        return self.classes


class Scored(NamedTuple):
    """The output of a discriminator."""

    score: Float[Tensor, "B"]  # a logit, or a critic's value: no sigmoid anywhere
    features: Float[Tensor, "B F"]


class Generator(nn.Module):
    """Noise and a code, concatenated, to images. The last layer is tanh, since pixels are in [-1, 1]."""

    def __init__(self, body: nn.Sequential) -> None:
        super().__init__()
        self.body = body

    def forward(self, noise: Noise, code: Codes) -> Images:
        return self.before_tanh(noise, code).tanh()

    def before_tanh(self, noise: Noise, code: Codes) -> Images:
        return self.body(torch.cat([noise, code], dim=1))


class Discriminator(nn.Module):
    """Images, with a code where the discriminator is conditional, to scores and features."""

    def __init__(self, trunk: nn.Module, features: int, planes: bool) -> None:
        super().__init__()
        self.trunk, self.features, self.planes = trunk, features, planes
        self.output = nn.Linear(features, 1)
        self.augment: Callable[[Images], Images] | None = None  # in train mode, as dropout

    def forward(self, images: Images, code: Codes | None = None) -> Scored:
        if self.training and self.augment:
            images = self.augment(images)
        if code is not None:  # for convolutions each number of it is a channel, for perceptrons an input
            beside = code[:, :, None, None].expand(-1, -1, *images.shape[2:]) if self.planes else code
            images = torch.cat([images if self.planes else images.flatten(1), beside], dim=1)
        features = self.trunk(images)
        return Scored(self.output(features).flatten().float(), features)  # losses are computed in fp32


class Classifier(nn.Module):
    """Images to the logits of K classes. They make a discriminator: of K + 1 classes, of which that of generated images
    has the logit 0, the logit of all others together is log sum exp. Salimans et al. (2016), section 5."""

    def __init__(self, like: Discriminator, classes: int) -> None:
        super().__init__()
        self.trunk, self.features = like.trunk, like.features
        self.output = nn.Linear(self.features, classes)

    def forward(self, images: Images) -> Scored:
        features = self.trunk(images)
        return Scored(self.output(features).float().logsumexp(dim=1), features)

    def logits(self, images: Images) -> Float[Tensor, "B K"]:
        return self.output(self.trunk(images)).float()


# --- perceptrons


def mlp_generator(shape: Shape, inputs: int, width: int) -> Generator:
    """Goodfellow et al. (2014): two ReLU layers."""
    return Generator(
        nn.Sequential(
            nn.Linear(inputs, width),
            nn.ReLU(),
            nn.Linear(width, width),
            nn.ReLU(),
            nn.Linear(width, shape.pixels),
            nn.Unflatten(1, (shape.channels, shape.size, shape.size)),
        )
    )


def mlp_discriminator(shape: Shape, code: int, width: int, norm: str) -> Discriminator:
    """Leaky ReLU and dropout instead of maxout. Points in the plane have two inputs: no dropout there."""
    dropout = 0.3 if shape.size > 1 else 0.0
    trunk = nn.Sequential(
        nn.Flatten(),
        nn.Linear(shape.pixels + code, width),
        nn.LeakyReLU(0.2),
        nn.Dropout(dropout),
        nn.Linear(width, width // 2),
        *NORMS_1D[norm](width // 2),
        nn.LeakyReLU(0.2),
        nn.Dropout(dropout),
    )
    return Discriminator(trunk, width // 2, planes=False)


# --- DCGAN


def dcgan_generator(shape: Shape, inputs: int, width: int) -> Generator:
    """Radford et al. (2016): project, then fractionally strided convolutions, BatchNorm and ReLU."""
    doublings, base = halvings(shape.size)
    channels = [width << power for power in reversed(range(doublings))]  # the narrower the image, the more
    layers: list[nn.Module] = [
        nn.Linear(inputs, channels[0] * base**2, bias=False),
        nn.Unflatten(1, (channels[0], base, base)),
    ]
    for coarse, fine in pairwise(channels):
        layers += [nn.BatchNorm2d(coarse), nn.ReLU(), nn.ConvTranspose2d(coarse, fine, 4, 2, 1, bias=False)]
    layers += [nn.BatchNorm2d(width), nn.ReLU(), nn.ConvTranspose2d(width, shape.channels, 4, 2, 1)]
    return Generator(_small_weights(nn.Sequential(*layers)))


def dcgan_discriminator(shape: Shape, code: int, width: int, norm: str) -> Discriminator:
    """Strided convolutions with leaky ReLU, all but the first normalised."""
    count, base = halvings(shape.size)
    layers = halving(shape.channels + code, width)
    for power in range(1, count):
        layers += halving(width << (power - 1), width << power, norm)
    trunk = nn.Sequential(*layers, nn.Flatten())
    return initialised(Discriminator(trunk, (width << (count - 1)) * base**2, planes=True), norm)


# --- the networks of the comparison study


def common_generator(shape: Shape, inputs: int, width: int) -> Generator:
    """The one architecture of Lucic et al. (2018), from InfoGAN: 16 x `width` units, then two doublings."""
    base = shape.size // 4
    body = nn.Sequential(
        nn.Linear(inputs, 16 * width, bias=False),
        nn.BatchNorm1d(16 * width),
        nn.LeakyReLU(0.2),
        nn.Linear(16 * width, 2 * width * base**2, bias=False),
        nn.Unflatten(1, (2 * width, base, base)),
        nn.BatchNorm2d(2 * width),
        nn.LeakyReLU(0.2),
        nn.ConvTranspose2d(2 * width, width, 4, 2, 1, bias=False),
        nn.BatchNorm2d(width),
        nn.LeakyReLU(0.2),
        nn.ConvTranspose2d(width, shape.channels, 4, 2, 1),
    )
    return Generator(_small_weights(body))


def common_discriminator(shape: Shape, code: int, width: int, norm: str) -> Discriminator:
    """Of the same study: two halvings, then 16 x `width` units."""
    trunk = nn.Sequential(
        *halving(shape.channels + code, width),
        *halving(width, 2 * width, norm),
        nn.Flatten(),
        nn.Linear(2 * width * (shape.size // 4) ** 2, 16 * width, bias=norm == "none"),
        *NORMS_1D[norm](16 * width),
        nn.LeakyReLU(0.2),
    )
    return initialised(Discriminator(trunk, 16 * width, planes=True), norm)


class Family(NamedTuple):
    """A generator made of (shape, inputs, width), and a discriminator made of (shape, code, width, norm)."""

    generator: Callable[[Shape, int, int], Generator]
    discriminator: Callable[[Shape, int, int, str], Discriminator]
    smallest: int  # the side of an image must be this at least
    divisor: int  # and a multiple of this


FAMILIES: dict[str, Family] = {
    "mlp": Family(mlp_generator, mlp_discriminator, 1, 1),
    "dcgan": Family(dcgan_generator, dcgan_discriminator, 6, 2),
    "common": Family(common_generator, common_discriminator, 4, 4),
}


def family(name: str, shape: Shape) -> Family:
    """The networks of this name, for images of this shape.

    Raises:
        ConfigError: they cannot make them."""
    found = FAMILIES[name]
    if shape.size < found.smallest or shape.size % found.divisor:
        raise ConfigError(
            f"--nets {name} makes images whose side is a multiple of {found.divisor} and {found.smallest} at least, "
            f"but the data has {shape.size} x {shape.size}; use --nets mlp, or another --size"
        )
    return found


# --- layers

# Of a discriminator's layers. "layer" normalises each image by itself, as a penalty on each image needs it.
NORMS: dict[str, Callable[[int], list[nn.Module]]] = {
    "batch": lambda channels: [nn.BatchNorm2d(channels)],
    "layer": lambda channels: [nn.GroupNorm(1, channels)],
    "none": lambda channels: [],
}
NORMS_1D: dict[str, Callable[[int], list[nn.Module]]] = {
    "batch": lambda units: [nn.BatchNorm1d(units)],
    "layer": lambda units: [nn.LayerNorm(units)],
    "none": lambda units: [],
}


def halving(inputs: int, outputs: int, norm: str = "none", kernel: int = 4) -> list[nn.Module]:
    """A convolution that halves a side (with an odd kernel: rounded up), normalised, with leaky ReLU."""
    convolution = nn.Conv2d(inputs, outputs, kernel, 2, (kernel - 1) // 2, bias=norm == "none")
    return [convolution, *NORMS[norm](outputs), nn.LeakyReLU(0.2)]


def has_batchnorm(net: nn.Module) -> bool:
    """Whether its output for an image depends on the others of the batch."""
    return any(isinstance(layer, nn.modules.batchnorm._BatchNorm) for layer in net.modules())


def spectral_norm(net: Net) -> Net:
    """Divide each weight by its largest singular value, so that no layer stretches a difference (Miyato et al. 2018).

    In train mode every forward makes one step of the power iteration, in eval mode none. Its vectors are buffers: they
    are saved with the weights. All processes hold the same, as a function of the weights and the number of forwards."""
    for layer in [layer for layer in net.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]:
        parametrizations.spectral_norm(layer)
    return net


def halvings(size: int) -> tuple[int, int]:
    """How often a side is halved, a convolution of DCGAN each time, down to 4 at most; and the side that is left: 28 is
    7 x 4, 32 is 4 x 8, 64 is 4 x 16."""
    count = 0
    while size % 2 == 0 and size > 4:
        size, count = size // 2, count + 1
    return count, size


def initialised(discriminator: Discriminator, norm: str) -> Discriminator:
    """Without BatchNorm by He et al. (2015), as the official code of WGAN-GP: from N(0, 0.02), which BatchNorm would
    scale, the scores of so few channels are hardly different."""
    if norm == "batch":
        return _small_weights(discriminator)
    for layer in discriminator.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight, a=0.2)
    return discriminator


def _small_weights(net: Net) -> Net:
    """DCGAN's initialisation: all weights from N(0, 0.02)."""
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(layer.weight, std=0.02)
        elif isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            nn.init.normal_(layer.weight, mean=1.0, std=0.02)
    return net
