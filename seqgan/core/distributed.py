"""Data-parallel training: the collectives of torch.distributed that the packages use.

torchrun starts the processes. Each holds the same weights and takes its shard of every batch. Losses are divided by
counts over all processes, so gradients need only be summed; decisions are made by rank 0, or by all together. In a
single process every function here returns its argument."""

import io
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch import distributed as dist

from seqgan import errors
from seqgan.core.device import on_cpu
from seqgan.core.launch import launch
from seqgan.core.rendezvous import TIMEOUT, meet
from seqgan.errors import LostError, SeqGANError, UsageError

T = TypeVar("T")


@contextmanager
def process_group(device: torch.device) -> Iterator[None]:
    """The process group of the processes that torchrun has started, if it has.

    After an error it is not destroyed: the others notice when this process ends, which is after its message."""
    if not launch().several or dist.is_initialized():
        yield
        return
    if device.index is not None:
        torch.get_device_module(device).set_device(device)
    native = dist.Backend.default_device_backend_map.get(device.type, "gloo")  # NCCL on CUDA, XCCL on XPU ...
    backend = "gloo" if on_cpu(device) else f"cpu:gloo,{device.type}:{native}"
    place = launch()
    with _lost_errors():
        dist.init_process_group(backend, store=meet(place), timeout=TIMEOUT, rank=place.rank, world_size=place.size)
    yield
    dist.destroy_process_group()


def world_size() -> int:
    """The number of processes that train together."""
    return dist.get_world_size() if dist.is_initialized() else 1


def rank() -> int:
    """The number of this process, from 0."""
    return dist.get_rank() if dist.is_initialized() else 0


def rank_suffix() -> tuple[int, ...]:
    """Ends the path of a seed where processes must draw differently; rank 0 draws as a single process does."""
    return (rank(),) if rank() else ()


# --- shards, sums and gathers


def shard(count: int) -> slice:
    """The shard of `count` items that belongs to this process; shards differ by one item at most.

    Raises:
        UsageError: there are fewer items than processes."""
    if count < world_size():
        raise UsageError(
            f"a batch of {count} cannot be split over {world_size()} processes, each of which needs a part of it; "
            "start fewer processes, or make the batch larger"
        )
    return slice(count * rank() // world_size(), count * (rank() + 1) // world_size())


def shard_size(count: int) -> int:
    """The number of `count` items in the shard of this process."""
    return len(range(count)[shard(count)])


def all_reduce_sum(part: Tensor) -> Tensor:
    """The sum over all processes; no gradient flows through it."""
    return part if world_size() == 1 else _sum(part.detach().clone())


def mean_weight(count: int) -> float:
    """The weight of a mean over `count` items of this process in the mean over all: weighted means add up."""
    return count / int(all_reduce_sum(torch.tensor(count)))


def all_reduce_mean(values: Tensor) -> Tensor:
    """The mean over the values of all processes."""
    return all_reduce_sum(values.mean() * mean_weight(len(values)))


def all_gather(part: Tensor) -> Tensor:
    """The rows of all processes, each of which has its `shard`."""
    if world_size() == 1:
        return part
    count = int(all_reduce_sum(torch.tensor(len(part))))
    rows = part.new_zeros(count, *part.shape[1:])
    rows[shard(count)] = part.detach()
    return _sum(rows)


def all_reduce_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Sum the gradients of all processes, in one flat all-reduce."""
    if world_size() == 1:
        return
    learned = [parameter for parameter in parameters if parameter.requires_grad]
    here = [parameter.grad is not None for parameter in learned]
    # Behind the gradients, which of them exist: one that no process has must stay None for the optimiser.
    gradients = [torch.zeros_like(p).flatten() if p.grad is None else p.grad.flatten() for p in learned]
    flat = _sum(torch.cat([*gradients, torch.tensor(here, dtype=torch.float32, device=gradients[0].device)]))
    *sums, somewhere = flat.split([*(parameter.numel() for parameter in learned), len(learned)])
    for number, (parameter, gradient) in enumerate(zip(learned, sums, strict=True)):
        if parameter.grad is None and somewhere[number]:
            parameter.grad = torch.empty_like(parameter)
        if parameter.grad is not None:
            parameter.grad.copy_(gradient.view_as(parameter))


@torch.no_grad()
def average_buffers(*modules: nn.Module) -> None:
    """Average the buffers over all processes, such as BatchNorm's running statistics."""
    if world_size() == 1:  # before a walk over all modules, which costs as much as a small layer
        return
    buffers = [buffer for module in modules for buffer in module.buffers() if buffer.is_floating_point()]
    if not buffers:
        return
    flat = _sum(torch.cat([buffer.flatten() for buffer in buffers])) / world_size()
    for buffer, average in zip(buffers, flat.split([buffer.numel() for buffer in buffers]), strict=True):
        buffer.copy_(average.view_as(buffer))


# --- agreement


def all_reduce_max(*values: int) -> tuple[int, ...]:
    """Of each value the largest of any process: what is true for one is then true for all."""
    if world_size() == 1:
        return values
    agreed = torch.tensor(values)
    with _lost_errors():
        dist.all_reduce(agreed, dist.ReduceOp.MAX)
    return tuple(agreed.tolist())


def broadcast(value: T) -> T:
    """The value of rank 0 (tensors and plain Python) for all."""
    if world_size() == 1:
        return value
    buffer = io.BytesIO()
    if rank() == 0:
        torch.save({"value": value}, buffer)
    length = torch.tensor(buffer.tell())
    with _lost_errors():
        dist.broadcast(length, 0)
        content = torch.empty(int(length), dtype=torch.uint8)
        if rank() == 0:
            content.numpy()[:] = memoryview(buffer.getvalue())
        dist.broadcast(content, 0)
    if rank() == 0:
        return value
    received: dict[str, T] = torch.load(io.BytesIO(content.numpy().tobytes()), "cpu", weights_only=True)
    return received["value"]


def on_rank_zero(task: Callable[[], T]) -> T:
    """Run a task on rank 0 only. All processes wait for its result, or its error."""
    if world_size() == 1:
        return task()
    outcome: dict[str, Any] = {}
    failure: BaseException | None = None
    if rank() == 0:
        try:
            outcome = {"result": task()}
        except BaseException as error:
            failure = error
            message = str(error) if isinstance(error, SeqGANError) else "the first process failed, and says why"
            outcome = {"error": type(error).__name__, "message": message}
    outcome = broadcast(outcome)
    if failure is not None:
        raise failure
    if "error" in outcome:
        raise getattr(errors, outcome["error"], SeqGANError)(outcome["message"])
    return outcome["result"]


# --- errors


@contextmanager
def _lost_errors() -> Iterator[None]:
    """Turn a RuntimeError of torch.distributed into a LostError."""
    try:
        yield
    except RuntimeError as error:
        reason = re.sub(r"^\[\S+\] ", "", str(error)).strip().split(". ")[0]  # without its place in the source
        raise LostError(
            "lost touch with the other processes of this training: one of them has probably ended, and says why, or "
            f"torchrun does; what was saved can be continued ({reason[:200]})"
        ) from error


def _sum(tensor: Tensor) -> Tensor:
    with _lost_errors():
        dist.all_reduce(tensor)
    return tensor
