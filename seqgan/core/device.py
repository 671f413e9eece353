"""Where tensors live, how many threads compute, and how much stays near them."""

import functools
import os
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from seqgan.errors import UsageError


def resolve(name: str) -> torch.device:
    """`auto` is the GPU where there is one (of several processes, each has its own); anything else is torch's own name.

    Raises:
        UsageError: there is no such device here."""
    if name == "auto" and not torch.cuda.is_available():
        return torch.device("cpu")
    if name in ("auto", "cuda") and torch.cuda.is_available():
        return _own_gpu()
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise UsageError(
            f"--device {name} is not to be had here ({str(error).splitlines()[0]}); try --device auto"
        ) from error
    return device


def _own_gpu() -> torch.device:
    number, present = os.environ.get("LOCAL_RANK"), torch.cuda.device_count()
    if number is not None and int(number) >= present:
        raise UsageError(
            f"{int(number) + 1} processes or more were started here, but there is a GPU for {present} of them only; "
            "start as many processes as there are GPUs, or give --device cpu"
        )
    return torch.device("cuda" if number is None else f"cuda:{number}")


def use_threads(count: int) -> None:
    """Compute with this many threads. The last bits of a sum depend on it.

    0: as many as there are cores, or as each process's part of them where torchrun started several on this machine."""
    beside = int(os.environ.get("LOCAL_WORLD_SIZE", 1))
    torch.set_num_threads(count or max(1, len(os.sched_getaffinity(0)) // beside))


CACHE = Path("/sys/devices/system/cpu/cpu0/cache")
USUAL_CACHE = 32 * 2**20


@functools.cache
def cache_bytes() -> int:
    """The size of the processor's last cache; a usual one where the system does not tell."""
    found = {"K": 2**10, "M": 2**20, "G": 2**30}
    sizes = [path.read_text().strip() for path in CACHE.glob("index*/size")]
    return max((int(size[:-1]) * found[size[-1]] for size in sizes if size[-1:] in found), default=USUAL_CACHE)


def cached_rows(row_bytes: int, device: torch.device, share: float = 1 / 3) -> int:
    """How many rows of a table to work on at a time, so that what is written is still near when it is read again;
    as many for each thread (`by_thread`).

    A third of the last cache leaves room for what else is read and for other processes. On a GPU, where it is launches
    that cost, a chunk is as large as memory bears."""
    budget = cache_bytes() * share if device.type == "cpu" else 2**30
    rows, parts = max(1, int(budget / row_bytes)), most_parts(device)
    return max(rows - rows % parts, parts)


def by_thread(rows: Float[Tensor, "R H"]) -> Float[Tensor, "P Q H"]:
    """Rows in as many parts as there are threads, or in one where that does not come out even.

    In a batched product each thread makes a part of the rows, the part that it works on in whatever is done to each
    number after that. A plain product may cut columns, so that half of what a thread reads then is in the cache of
    another: a fifth of an MLE step on cores that share no cache."""
    parts = most_parts(rows.device)
    return rows.unflatten(0, (parts if len(rows) % parts == 0 else 1, -1))


def most_parts(device: torch.device) -> int:
    return torch.get_num_threads() if device.type == "cpu" else 1
