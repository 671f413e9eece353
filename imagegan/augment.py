"""Differentiable augmentation of what a discriminator sees, real or generated. Zhao et al. (2020).

Both players play against the discriminator of augmented images, so that few real images are not learned by heart, and
the generator does not learn the augmentation: gradients flow through it. Numbers as in the official code."""

from collections.abc import Callable, Collection

import torch
from torch import Tensor

from imagegan.nets import Images, Shape
from seqgan.errors import ConfigError


def brightness(images: Images) -> Images:
    """Add a number from -1/2 to 1/2 to each image, a quarter of the range of pixels."""
    return images + torch.rand(len(images), 1, 1, 1, device=images.device) - 0.5


def translation(images: Images) -> Images:
    """Shift each image by at most 1/8 of its side along both axes; what comes in from outside is 0, mid-grey."""
    most = (images.shape[-1] + 4) // 8
    rows, columns = _integers(images, -most, most), _integers(images, -most, most)
    place = torch.arange(images.shape[-1], device=images.device)
    # A shift along an axis is a product with a matrix of ones where column = row + shift.
    down, right = (((place.unsqueeze(1) + shift) == place).to(images.dtype) for shift in (rows, columns))
    return down @ images @ right.mT


def cutout(images: Images) -> Images:
    """Set a square of half the side to 0, anywhere in each image; at its border a part of the square is outside."""
    side = images.shape[-1]
    half = (side + 1) // 2
    place = torch.arange(side, device=images.device) + half // 2
    rows, columns = (_integers(images, 0, side - half % 2).squeeze(-1) for _ in range(2))
    inside = [(place >= first) & (place < first + half) for first in (rows, columns)]
    return images * ~(inside[0].unsqueeze(-1) & inside[1].unsqueeze(-2))


def _integers(images: Images, least: int, most: int) -> Tensor:
    """A whole number for each image, `most` included."""
    return torch.randint(least, most + 1, (len(images), 1, 1, 1), device=images.device)


AUGMENTATIONS: dict[str, Callable[[Images], Images]] = {
    augment.__name__: augment for augment in (brightness, translation, cutout)
}


def augmentation(names: Collection[str], shape: Shape) -> Callable[[Images], Images] | None:
    """The augmentations of these names, in the order of the dict.

    Raises:
        ConfigError: the data are points in the plane."""
    if not names:
        return None
    if shape.size == 1:
        raise ConfigError(f"--augment {','.join(names)} changes images, but the data has points; leave --augment out")
    chosen = [augment for name, augment in AUGMENTATIONS.items() if name in names]

    def augmented(images: Images) -> Images:
        for augment in chosen:
            images = augment(images)
        return images

    return augmented
