"""A dataset in memory: images, labels, and the true factors where they are known."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from seqgan.core.seed import derive
from seqgan.errors import DataError, UsageError

UNLABELLED = -1
MOST_NAMED = 12  # classes by name in a message

Labels = Int[Tensor, "N"]
# Images are stored as bytes, a quarter of the memory of floats; points in [-1, 1] as images of one pixel, with a
# channel for each axis.
Stored = UInt8[Tensor, "N C S S"] | Float[Tensor, "N C S S"]


def as_floats(images: Stored) -> Float[Tensor, "N C S S"]:
    """The input of networks and metrics: 0 to 255 scaled to [-1, 1], points unchanged. For a batch, on its device."""
    return images if images.is_floating_point() else images.float().div_(127.5).sub_(1.0)


class ImageDataset(NamedTuple):
    images: Stored
    labels: Int[Tensor, "N"]  # UNLABELLED where unknown
    factors: Float[Tensor, "N F"]  # each uniform in [-1, 1]; F = 0 where the set has none
    names: tuple[str, ...] = ()  # of the classes, by number; none where there are no labels, or only numbers
    factor_names: tuple[str, ...] = ()

    @classmethod
    def of(cls, images: Stored, labels: Labels | None = None, names: Sequence[str] = ()) -> "ImageDataset":
        """Images without factors, and without labels where none are given."""
        labels = torch.full((len(images),), UNLABELLED) if labels is None else labels
        return cls(images, labels, torch.zeros(len(images), 0), tuple(names))

    def take(self, chosen: slice | Tensor) -> "ImageDataset":
        images, labels, factors = self.images[chosen], self.labels[chosen], self.factors[chosen]
        return self._replace(images=images, labels=labels, factors=factors)

    @property
    def pixels(self) -> Float[Tensor, "N C S S"]:
        """The images in [-1, 1]: a copy of four times the size, so only for a part of a large dataset."""
        return as_floats(self.images)

    @property
    def classes(self) -> int:
        """How many classes there are: those with names, else one more than the largest label; 0 without labels."""
        return len(self.names) or (int(self.labels.max()) + 1 if len(self.labels) else 0)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Their names, or numbers."""
        return self.names or tuple(map(str, range(self.classes)))

    @property
    def labelled(self) -> bool:
        """Whether every image has a label."""
        return len(self.labels) > 0 and bool((self.labels >= 0).all())

    def fingerprint(self) -> str:
        """The sha256 of pixels and labels."""
        digest = hashlib.sha256(self.images.contiguous().numpy().data)
        digest.update(self.labels.contiguous().numpy().data)
        return digest.hexdigest()


@dataclass(frozen=True)
class Splits:
    """Training images, and held-out ones from the same source: `train, test = splits`."""

    train: ImageDataset
    test: ImageDataset
    notes: tuple[str, ...] = ()  # what was changed or left out when it was read
    valid: ImageDataset | None = None  # to choose by; None where there are few images

    def __iter__(self) -> Iterator[ImageDataset]:
        return iter((self.train, self.test))

    def summary(self, name: str) -> str:
        """One line: how many of what kind, the classes by name, and the notes."""
        _, channels, size, _ = self.train.images.shape
        if self.train.images.is_floating_point():
            kind = "points in the plane"
        else:
            kind = f"{size} x {size} pixels, {'grey' if channels == 1 else 'RGB'}"
        valid = f"{len(self.valid.labels):,} to validate on, " if self.valid else ""
        parts = [f"{name}: {len(self.train.labels):,} to train on, {valid}{len(self.test.labels):,} held out, {kind}"]
        return "; ".join([*parts, self._classes(), *self.notes])

    def _classes(self) -> str:
        labels = self.train.labels
        known = labels[labels != UNLABELLED]
        if not len(known):
            return "no labels"
        names = self.train.class_names
        numbers = known.bincount(minlength=len(names)).tolist()
        parts = [f"{name} ({number:,})" for name, number in zip(names, numbers, strict=True)]
        without = f", {len(labels) - len(known):,} without a label" if len(known) < len(labels) else ""
        more = f" and {len(parts) - MOST_NAMED} more" if len(parts) > MOST_NAMED else ""
        return f"{counted(len(names), 'class', 'classes')}: {', '.join(parts[:MOST_NAMED])}{more}{without}"


def counted(count: int, one: str, several: str = "") -> str:
    """`1 image`, `2 images`."""
    return f"{count:,} {one if count == 1 else several or one + 's'}"


def listed(names: Sequence[str], most: int = 5) -> str:
    """The first of them, separated by commas."""
    return ", ".join(names[:most]) + " ..." * (len(names) > most)


def need_labels(dataset: ImageDataset, what: str, source: str = "the set") -> None:
    """Refuse a dataset of which an image has no label (DataError)."""
    missing = int((dataset.labels == UNLABELLED).sum())
    if missing:
        raise DataError(
            f"{what} needs labels, but {source} has none for {missing} of {len(dataset.labels)} images; "
            "put the images of each class into a folder of its own, or choose another set"
        )


# --- a few labels to learn from; the other images carry none, so that nothing can read their true ones


def with_label(labels: Labels) -> Int[Tensor, "L"]:
    """The numbers of the images that have a label."""
    return (labels != UNLABELLED).nonzero().flatten()


def few_labels(labels: Labels, count: int, seed: int) -> Labels:
    """`count` of the labels (0: all that there are), as many of each class as far as there are so many, drawn by the
    seed; UNLABELLED in the place of the others.

    Raises:
        UsageError: there are fewer labels, or more classes."""
    known = with_label(labels).numpy()
    if not count or not len(known):
        return labels
    order = np.random.default_rng(derive(seed, "few labels")).permutation(known)
    by_class = order[np.argsort(labels.numpy()[order], kind="stable")]
    _, numbers = np.unique(labels.numpy()[by_class], return_counts=True)
    if not len(numbers) <= count <= len(known):
        raise UsageError(
            f"--labels {count} is not between {len(numbers)}, the number of classes, and {len(known)}, the number of "
            "images with a label; give such a number, or 0 for all"
        )
    rank = np.concatenate([np.arange(number) for number in numbers])  # of an image within its class
    chosen = by_class[np.argsort(rank, kind="stable")[:count]]
    few = np.full(len(labels), UNLABELLED)
    few[chosen] = labels.numpy()[chosen]
    return torch.from_numpy(few)
