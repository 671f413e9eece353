"""Several processes that train one model together, on one machine or many: all of torch.distributed is here.

Every process holds the same weights and takes its share of every batch. Losses are divided by counts over all of
them, so gradients need only be added up; what is decided is decided by the first, or by all together. torchrun starts
the processes. In a single one, every function here gives back what it was given."""

import contextlib
import io
import os
import re
import socket
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch import distributed as dist
from torch.distributed.distributed_c10d import PrefixStore, Store

from seqgan import errors
from seqgan.core.device import on_cpu
from seqgan.core.launch import Launch, launch, meeting_place
from seqgan.core.log import print_stderr
from seqgan.errors import LostError, SeqGANError, UsageError

T = TypeVar("T")

# The first process may have a corpus to fetch and a tokenizer to train while the others wait. One that dies is noticed
# at once; only a machine that vanishes from the network is noticed this late.
TIMEOUT = timedelta(hours=2)
UNKNOWN = timedelta(minutes=1)  # that a machine's name may be unknown: a cluster may still be making it known
ANSWER = timedelta(seconds=20)  # that one who is there may take to answer
PATIENCE = 8.0  # seconds to wait without a word

_meeting: Store | None = None  # where processes find each other; it outlives any of them


@contextmanager
def process_group(device: torch.device) -> Iterator[None]:
    """Train together with the processes that torchrun has started beside this one, if it has.

    After an error nothing is taken down: the others notice when this process ends, which is after its message."""
    if not launched() or dist.is_initialized():
        yield
        return
    if device.index is not None:
        torch.get_device_module(device).set_device(device)
    backend = "gloo" if on_cpu(device) else f"cpu:gloo,{device.type}:{_backend(device)}"
    place = launch()
    with _in_touch():
        dist.init_process_group(backend, store=_meet(place), timeout=TIMEOUT, rank=place.rank, world_size=place.size)
    yield
    dist.destroy_process_group()


def launched() -> bool:
    """Whether torchrun has started several processes, joined or not."""
    return launch().several


def _backend(device: torch.device) -> str:
    """What carries tensors of an accelerator from process to process: NCCL on CUDA, XCCL on XPU ..."""
    backend: str = dist.Backend.default_device_backend_map.get(device.type, "gloo")
    return backend


def world_size() -> int:
    """How many processes train together."""
    return dist.get_world_size() if dist.is_initialized() else 1


def rank() -> int:
    """The number of this process, from 0."""
    return dist.get_rank() if dist.is_initialized() else 0


def rank_suffix() -> tuple[int, ...]:
    """To end the path of a seed with, where processes must draw differently; the first draws as if it were alone."""
    return (rank(),) if rank() else ()


# --- what is split, and put together again


def shard(count: int) -> slice:
    """The part of `count` things that falls to this process; the parts differ by one at most.

    Raises:
        UsageError: there are fewer things than processes."""
    if count < world_size():
        raise UsageError(
            f"a batch of {count} cannot be split over {world_size()} processes, each of which needs a part of it; "
            "start fewer processes, or make the batch larger"
        )
    return slice(count * rank() // world_size(), count * (rank() + 1) // world_size())


def shard_size(count: int) -> int:
    """How many of `count` things fall to this process."""
    return len(range(count)[shard(count)])


def all_reduce_sum(part: Tensor) -> Tensor:
    """The sum over all processes; no gradient flows through it."""
    return part if world_size() == 1 else _added_up(part.detach().clone())


def mean_weight(count: int) -> float:
    """What a mean over `count` things of this process counts for in the mean over all: weighted, the means add up."""
    return count / int(all_reduce_sum(torch.tensor(count)))


def all_reduce_mean(values: Tensor) -> Tensor:
    """The mean over the values of all processes."""
    return all_reduce_sum(values.mean() * mean_weight(len(values)))


def all_gather(part: Tensor) -> Tensor:
    """The rows of all processes, of which each has its `shard`."""
    if world_size() == 1:
        return part
    count = int(all_reduce_sum(torch.tensor(len(part))))
    rows = part.new_zeros(count, *part.shape[1:])
    rows[shard(count)] = part.detach()
    return _added_up(rows)


def all_reduce_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Add up the gradients of all processes, in one flat all-reduce."""
    if world_size() == 1:
        return
    learned = [parameter for parameter in parameters if parameter.requires_grad]
    here = [parameter.grad is not None for parameter in learned]
    # Behind the gradients, which of them there are: one that no process has must stay none to the optimiser.
    gradients = [torch.zeros_like(p).flatten() if p.grad is None else p.grad.flatten() for p in learned]
    flat = _added_up(torch.cat([*gradients, torch.tensor(here, dtype=torch.float32, device=gradients[0].device)]))
    *sums, somewhere = flat.split([*(parameter.numel() for parameter in learned), len(learned)])
    for number, (parameter, gradient) in enumerate(zip(learned, sums, strict=True)):
        if parameter.grad is None and somewhere[number]:
            parameter.grad = torch.empty_like(parameter)
        if parameter.grad is not None:
            parameter.grad.copy_(gradient.view_as(parameter))


@torch.no_grad()
def average_buffers(*modules: nn.Module) -> None:
    """Give all processes the mean of what each has counted along the way, such as BatchNorm's running statistics."""
    buffers = [buffer for module in modules for buffer in module.buffers() if buffer.is_floating_point()]
    if world_size() == 1 or not buffers:
        return
    flat = _added_up(torch.cat([buffer.flatten() for buffer in buffers])) / world_size()
    for buffer, average in zip(buffers, flat.split([buffer.numel() for buffer in buffers]), strict=True):
        buffer.copy_(average.view_as(buffer))


# --- what is agreed


def all_reduce_max(*values: int) -> tuple[int, ...]:
    """Of each value the largest that any process has: what is true for one is then true for all."""
    if world_size() == 1:
        return values
    agreed = torch.tensor(values)
    with _in_touch():
        dist.all_reduce(agreed, dist.ReduceOp.MAX)
    return tuple(agreed.tolist())


def broadcast(value: T) -> T:
    """The first process's value (tensors and plain Python) for all."""
    if world_size() == 1:
        return value
    buffer = io.BytesIO()
    if rank() == 0:
        torch.save({"value": value}, buffer)
    length = torch.tensor(buffer.tell())
    with _in_touch():
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
    """Do in the first process what only one may do. All get what came of it, or its error; until then they wait."""
    if world_size() == 1:
        return task()
    outcome: dict[str, Any] = {}
    failure: BaseException | None = None
    if rank() == 0:
        try:
            outcome = {"result": task()}
        except BaseException as error:
            failure = error
            told = str(error) if isinstance(error, SeqGANError) else "the first process failed, and says why"
            outcome = {"error": type(error).__name__, "message": told}
    outcome = broadcast(outcome)
    if failure is not None:
        raise failure
    if "error" in outcome:
        raise getattr(errors, outcome["error"], SeqGANError)(outcome["message"])
    return outcome["result"]


# --- meeting, and losing touch


def first_to_tell() -> bool:
    """Whether no other process has told of an error yet: one cause ends them all, and is told once.

    Before they have met, torchrun's own store alone is sure to be there; without one, each tells."""
    try:
        here = launch()
        if not here.several or not (_meeting or _has_agent()):
            return True
        return (_meeting or PrefixStore(f"attempt {here.attempt}", _store())).add("told", 1) == 1
    except (UsageError, RuntimeError):  # nothing can be understood, or the one that kept the store is gone
        return True


def _meet(here: Launch) -> Store:
    """A place in the store where no earlier attempt has left anything: torchrun keeps the store when it restarts.

    The first process cannot tell a greeting from one of an earlier attempt, so it answers all of them until as many as
    it expects have read its answer."""
    global _meeting
    _wait_for_first(here)
    store, own, others = _store(), uuid.uuid4().hex, range(1, here.size)

    def greeting(number: int) -> str:
        return f"greeting {number} of {here.size}"

    def all_have_met() -> bool:
        for other in others:
            if store.check([greeting(other)]):
                store.set(f"answer to {store.get(greeting(other)).decode()}", own)
        return store.add(f"met {own}", 0) >= len(others)

    def missing() -> str:
        absent = [f"{other}" for other in others if not store.check([greeting(other)])]
        return f"process {', '.join(absent) or 'any'} of {here.size} (RANK counts from 0), to come to {meeting_place()}"

    if here.rank:
        store.set(greeting(here.rank), own)
        answer = f"answer to {own}"
        wait(lambda: store.check([answer]), lambda: f"the first of {here.size} processes, at {meeting_place()}")
        own = store.get(answer).decode()
        store.add(f"met {own}", 1)
    else:
        wait(all_have_met, missing)
    _meeting = PrefixStore(own, store)
    return _meeting


def _wait_for_first(here: Launch) -> None:
    """Until the first process, or torchrun in its place, can be reached: torch would go on trying without a word."""
    if here.rank == 0 and not _has_agent():
        return
    host, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])

    def is_known() -> bool:
        with contextlib.suppress(OSError, UnicodeError):
            return bool(socket.getaddrinfo(host, port))
        return False

    def is_there() -> bool:
        with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=5):
            return True
        return False

    shown = host[:60]
    wait(is_known, lambda: f"the machine of the first process: no machine is called {shown!r} (MASTER_ADDR)", UNKNOWN)
    wait(is_there, lambda: f"the first of {here.size} processes: nothing answers at {shown}:{port}")


def wait(ready: Callable[[], bool], awaited: Callable[[], str], limit: timedelta = TIMEOUT) -> None:
    """Wait until something is there, and say after some seconds for what.

    Raises:
        LostError: it did not come."""
    began, told, pause = time.monotonic(), False, 0.01
    minutes = f"{limit.total_seconds() / 60:.0f} min"
    while not ready():
        waited = time.monotonic() - began
        if waited >= limit.total_seconds():
            raise LostError(
                f"waited {minutes} in vain for {awaited()}; start all processes, each with the same address"
            )
        if waited >= PATIENCE and not told:
            told = True
            print_stderr(f"waiting for {awaited()}; still trying, for {minutes} at most")
        time.sleep(pause)
        pause = min(2 * pause, 0.2)


def _has_agent() -> bool:
    """Whether torchrun keeps the store; else the first process does."""
    return os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"


def _store() -> Store:
    host, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    keeps = launch().rank == 0 and not _has_agent()
    try:
        store: Store = dist.TCPStore(  # type: ignore[attr-defined]
            host, port, is_master=keeps, timeout=ANSWER, wait_for_workers=False, multi_tenant=True
        )
    except dist.DistError as error:
        if keeps:
            raise UsageError(
                f"the port {port} cannot be opened on this machine: another program, perhaps an earlier training, uses "
                "it; set MASTER_PORT to another in all processes"
            ) from error
        raise LostError(
            f"what answers at {meeting_place()} is not the first process of this training; "
            "set MASTER_ADDR and MASTER_PORT to the same place in all processes, and to a port that nothing else uses"
        ) from error
    store.set_timeout(TIMEOUT)
    return store


@contextmanager
def _in_touch() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        reason = re.sub(r"^\[\S+\] ", "", str(error)).strip().split(". ")[0]  # without its place in the source
        raise LostError(
            "lost touch with the other processes of this training: one of them has probably ended, and says why, or "
            f"torchrun does; what was saved can be continued ({reason[:200]})"
        ) from error


def _added_up(tensor: Tensor) -> Tensor:
    with _in_touch():
        dist.all_reduce(tensor)
    return tensor
