"""What every set of images becomes: pictures, labels, and the true factors where they are known."""

import hashlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from numpy.typing import NDArray
from torch import Tensor

from seqgan.errors import DataError

UNLABELLED = -1
PART = 1000  # pictures that are scaled at a time where all of a set are looked at

# As a set is kept in memory: bytes, a quarter of what floats take; or points of a toy set in [-1, 1], each a picture of
# one pixel with a channel for each axis.
Stored = UInt8[Tensor, "N C S S"] | Float[Tensor, "N C S S"]


def as_floats(pictures: Stored) -> Float[Tensor, "N C S S"]:
    """What networks and metrics take: 0 to 255 as [-1, 1]; points as they are. For a batch, on its device."""
    return pictures if pictures.is_floating_point() else pictures.float().div_(127.5).sub_(1.0)


class Images(NamedTuple):
    pictures: Stored
    labels: Int[Tensor, "N"]  # UNLABELLED where nobody knows
    factors: Float[Tensor, "N F"]  # each uniform in [-1, 1]; F = 0 where the set has none

    def take(self, chosen: slice | Tensor) -> "Images":
        return Images(*(part[chosen] for part in self))

    @property
    def pixels(self) -> Float[Tensor, "N C S S"]:
        """The pictures in [-1, 1], made anew: four times the memory, so only for a part of a large set."""
        return as_floats(self.pictures)

    @property
    def classes(self) -> int:
        """How many classes there are: one more than the largest label, 0 without labels."""
        return int(self.labels.max()) + 1 if len(self.labels) else 0

    def fingerprint(self) -> str:
        """The sha256 of pixels (as floats, which a run of any version has described) and labels."""
        digest = hashlib.sha256()
        for part in self.pictures.split(PART):
            digest.update(as_floats(part).contiguous().numpy().data)
        digest.update(self.labels.contiguous().numpy().data)
        return digest.hexdigest()


class Sets(NamedTuple):
    """Images to learn from, and others from the same source that nothing learns from."""

    train: Images
    test: Images


def need_labels(images: Images, what: str, source: str = "the set") -> None:
    """
    Raises:
        DataError: an image has no label."""
    missing = int((images.labels == UNLABELLED).sum())
    if missing:
        raise DataError(
            f"{what} needs labels, but {source} has none for {missing} of {len(images.labels)} images; "
            "put the images of each class into a folder of its own, or choose another set"
        )


def from_bytes(pictures: NDArray[Any], labels: Sequence[int] | NDArray[Any] | None, source: str) -> Images:
    """Pictures of unsigned bytes, N x S x S or N x S x S x C, as `Images`.

    Raises:
        DataError: another type or shape, no picture at all, or labels that do not match."""
    if pictures.dtype != np.uint8:
        raise DataError(f"{source} holds {pictures.dtype} values; pictures of unsigned bytes (0 to 255) were expected")
    if pictures.ndim == 3:
        pictures = pictures[..., None]
    if pictures.ndim != 4 or pictures.shape[3] not in (1, 3) or not pictures.size:
        shape = " x ".join(map(str, pictures.shape))
        raise DataError(f"{source} is an array of {shape}; N x S x S grey or N x S x S x 3 pictures were expected")
    if pictures.shape[1] != pictures.shape[2]:
        raise DataError(f"{source} holds pictures of {pictures.shape[1]} x {pictures.shape[2]}; square ones are needed")
    count = len(pictures)
    if labels is None:
        labels = np.full(count, UNLABELLED)
    if np.ndim(labels) != 1 or len(labels) != count:
        raise DataError(f"{source} holds {count} pictures but {len(labels)} labels; one for each was expected")
    numbers = np.asarray(labels)
    if not np.issubdtype(numbers.dtype, np.integer):
        raise DataError(f"{source}: the labels are of type {numbers.dtype}; whole numbers were expected")
    channels_first = torch.from_numpy(np.ascontiguousarray(pictures.transpose(0, 3, 1, 2)))
    return Images(channels_first, torch.from_numpy(numbers.astype(np.int64)), torch.zeros(count, 0))
