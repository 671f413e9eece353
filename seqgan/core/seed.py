"""Randomness as a function of where we are, so that a resumed run draws what the uninterrupted one drew."""

import hashlib
import random

import numpy as np
import torch

from seqgan.core.device import seed_accelerator


def derive(seed: int, *path: object) -> int:
    """A 63-bit seed for one place in a run, such as `derive(seed, rank, "adversarial", 17)`.

    sha256, because Python's `hash` of a string changes from process to process."""
    digest = hashlib.sha256(repr((seed, *path)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def seed_everything(seed: int, *path: object) -> None:
    """Seed the default generators of torch, numpy and Python (which a custom reward may draw from) for this place.

    Torch's are seeded directly: `torch.manual_seed` visits every backend and costs a hundred times more."""
    value = derive(seed, *path)
    random.seed(value)
    # numpy's default generator is Python's: equally seeded, they would draw the same numbers.
    np.random.seed(derive(seed, *path, "numpy") & 0xFFFFFFFF)
    torch.default_generator.manual_seed(value)
    seed_accelerator(value)


def private_generator(seed: int, *path: object) -> torch.Generator:
    """A separate CPU generator, for draws that must not advance the default one (the order of the batches)."""
    return torch.Generator().manual_seed(derive(seed, *path))
