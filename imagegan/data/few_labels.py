"""A few of the labels, to learn from; the other images carry none, so that nothing can read their true ones."""

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from imagegan.data.dataset import UNLABELLED
from seqgan.core.seed import derive
from seqgan.errors import UsageError

Labels = Int[Tensor, "N"]


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
