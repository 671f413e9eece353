"""Networks for 28 x 28 images, one channel: a perceptron pair and a convolutional pair, half as wide as published."""

from jaxtyping import Float
from torch import Tensor, nn

Latent = Float[Tensor, "B Z"]
Pictures = Float[Tensor, "B C S S"]


def mlp_generator(latent: int, width: int) -> nn.Module:
    """Goodfellow et al. (2014): two ReLU layers; tanh, since pixels are in [-1, 1]."""
    return nn.Sequential(
        nn.Linear(latent, width),
        nn.ReLU(),
        nn.Linear(width, width),
        nn.ReLU(),
        nn.Linear(width, 28 * 28),
        nn.Tanh(),
        nn.Unflatten(1, (1, 28, 28)),
    )


def mlp_discriminator(width: int) -> nn.Module:
    """Leaky ReLU and dropout in the place of maxout; returns a logit."""
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(28 * 28, width),
        nn.LeakyReLU(0.2),
        nn.Dropout(0.3),
        nn.Linear(width, width // 2),
        nn.LeakyReLU(0.2),
        nn.Dropout(0.3),
        nn.Linear(width // 2, 1),
        nn.Flatten(0),
    )


def dcgan_generator(latent: int, width: int) -> nn.Module:
    """Radford et al. (2016): project, then fractionally strided convolutions, BatchNorm and ReLU."""
    net = nn.Sequential(
        nn.Linear(latent, 2 * width * 7 * 7, bias=False),
        nn.Unflatten(1, (2 * width, 7, 7)),
        nn.BatchNorm2d(2 * width),
        nn.ReLU(),
        nn.ConvTranspose2d(2 * width, width, 4, 2, 1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.ConvTranspose2d(width, 1, 4, 2, 1),
        nn.Tanh(),
    )
    return _dcgan_weights(net)


def dcgan_discriminator(width: int) -> nn.Module:
    """Strided convolutions with leaky ReLU, BatchNorm but in the first; returns a logit."""
    net = nn.Sequential(
        nn.Conv2d(1, width, 4, 2, 1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(width, 2 * width, 4, 2, 1, bias=False),
        nn.BatchNorm2d(2 * width),
        nn.LeakyReLU(0.2),
        nn.Flatten(),
        nn.Linear(2 * width * 7 * 7, 1),
        nn.Flatten(0),
    )
    return _dcgan_weights(net)


def _dcgan_weights(net: nn.Module) -> nn.Module:
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(layer.weight, std=0.02)
        elif isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.weight, mean=1.0, std=0.02)
    return net
