"""Where tensors live, and how many threads compute."""

import os

import torch

from seqgan.errors import UsageError


def resolve(name: str) -> torch.device:
    """`auto` is the GPU where there is one; anything else is torch's own name for a device.

    Raises:
        UsageError: there is no such device here."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise UsageError(
            f"--device {name} is not to be had here ({str(error).splitlines()[0]}); try --device auto"
        ) from error
    return device


def use_threads(count: int) -> None:
    """Compute with this many threads (0: as many as there are cores). The last bits of a sum depend on it."""
    torch.set_num_threads(count or len(os.sched_getaffinity(0)))
