"""Devices, threads and memory.

What depends on the kind of device is decided here, by asking torch: any accelerator that torch supports will do."""

import contextlib
import functools
import os
import sys
import time
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager

import torch
from torch import Tensor

from seqgan.core.launch import launch
from seqgan.errors import UsageError

CPU = torch.device("cpu")


def resolve(name: str | torch.device) -> torch.device:
    """`auto` is the accelerator where there is one (of several processes, each has its own); anything else is a name
    that torch knows.

    Raises:
        UsageError: torch cannot compute there."""
    name, accelerator = str(name), _accelerator()
    if name == "auto":
        return CPU if accelerator is None else _own(accelerator)
    if accelerator is not None and name == accelerator.type:
        return _own(accelerator)
    try:
        with warnings.catch_warnings(action="ignore"):  # deprecated kinds of device warn
            device = torch.device(name)
            works = int(torch.ones(1, device=device) + 1) == 2
    except Exception:  # each kind of device fails in its own way
        works = False
    if not works or (on_cpu(device) and device.index):
        raise UsageError(f"cannot compute on --device {name[:40]!r}: {_choices(accelerator)}")
    if launch().local_size > 1 and not on_cpu(device):
        raise UsageError(
            f"--device {name} is one device for {launch().local_size} processes; "
            f"give --device {device.type}, so that each gets one"
        )
    return CPU if on_cpu(device) else device


def _accelerator() -> torch.device | None:
    """The accelerator that torch finds on this machine."""
    return torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None


def _own(accelerator: torch.device) -> torch.device:
    """The accelerator of this process."""
    started, present = launch(), torch.accelerator.device_count()
    if started.local_rank >= present:
        raise UsageError(
            f"{started.local_rank + 1} processes or more were started here, but there is an accelerator "
            f"({accelerator.type}) for {present} of them only; start fewer processes, or give --device cpu"
        )
    return torch.device(accelerator.type, started.local_rank) if started.several else accelerator


def _choices(accelerator: torch.device | None) -> str:
    if accelerator is None:
        return f"torch {torch.__version__} finds no accelerator on this machine; give auto or cpu"
    names = [f"{accelerator.type}:{number}" for number in range(torch.accelerator.device_count())]
    return f"torch {torch.__version__} finds {', '.join(names)} on this machine; give one of them, auto or cpu"


def on_cpu(where: Tensor | torch.device) -> bool:
    """Whether the processor itself computes here: then looking numbers up and asking for them is cheap. On any other
    device multiplying is what is cheap, and an answer has to be waited for."""
    return (where.device if isinstance(where, Tensor) else where).type == "cpu"


@functools.cache
def sum_dtype(kind: str) -> torch.dtype:
    """What long sums are added up in on a kind of device (`tensor.device.type`): float64 where it has that."""
    try:
        torch.ones(2, dtype=torch.float64, device=kind).sum()
    except (RuntimeError, TypeError):
        return torch.float32
    return torch.float64


def autocast(device: torch.device, *, enabled: bool) -> AbstractContextManager[object]:
    """Matrix products in bfloat16, or (not `enabled`) in full precision whatever surrounds it.

    Raises:
        UsageError: bfloat16 is asked of a device that does not know how."""
    try:
        return torch.autocast(device.type, torch.bfloat16, enabled=enabled)
    except (AssertionError, RuntimeError) as error:
        if enabled:
            raise UsageError(
                f"torch cannot mix in bfloat16 on {device}; leave the option out, or give --device cpu"
            ) from error
        return contextlib.nullcontext()


def seed_accelerator(value: int) -> None:
    """Seed the accelerator's generators, if it is in use: to initialise it would take memory there."""
    accelerator = torch.accelerator.current_accelerator()
    if accelerator is not None:
        module = torch.get_device_module(accelerator)
        if getattr(module, "is_initialized", module.is_available)():
            (module.manual_seed_all if hasattr(module, "manual_seed_all") else module.manual_seed)(value)


def synchronize(device: torch.device) -> None:
    """Wait for the kernels that were launched on the device."""
    if not on_cpu(device):
        torch.accelerator.synchronize(device)


def timed(work: Callable[[], object], device: torch.device) -> float:
    """Seconds of one call, the device's work included."""
    synchronize(device)
    began = time.perf_counter()
    work()
    synchronize(device)
    return time.perf_counter() - began


def peak_memory() -> int | None:
    """The most memory this process ever held, in bytes: that of its tensors on the accelerator where it has been used,
    else that of the process. None where the system reports neither."""
    accelerator = _accelerator()
    counter = getattr(torch.get_device_module(accelerator), "max_memory_allocated", None) if accelerator else None
    if counter and (held := int(counter())):
        return held
    try:
        import resource
    except ImportError:  # Windows
        return None
    unit = 1 if sys.platform == "darwin" else 1024  # getrusage counts kilobytes, on macOS bytes
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def use_threads(count: int) -> None:
    """Compute with this many threads. The last bits of a sum depend on it.

    0: as OMP_NUM_THREADS says, else one for each core; the processes that torchrun started on this machine share the
    cores."""
    started, given = launch(), os.environ.get("OMP_NUM_THREADS", "")
    usual = int(given) if given.isdecimal() and int(given) and not started.several else cores() // started.local_size
    torch.set_num_threads(count or max(1, usual))


def cores() -> int:
    """The number of CPU cores that this process may use, or where that is unknown, of the machine."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
