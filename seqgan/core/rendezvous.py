"""How the processes of a training find each other, and which of them reports an error."""

import contextlib
import os
import socket
import time
import uuid
from collections.abc import Callable
from datetime import timedelta

from torch import distributed as dist
from torch.distributed.distributed_c10d import PrefixStore, Store

from seqgan.core.launch import Launch, launch, meeting_place
from seqgan.core.log import print_stderr
from seqgan.errors import LostError, UsageError

# Rank 0 may have a corpus to fetch and a tokenizer to train while the others wait. A process that dies is noticed at
# once; only a machine that vanishes from the network is noticed this late.
TIMEOUT = timedelta(hours=2)
UNKNOWN = timedelta(minutes=1)  # for a machine's name to become known in a cluster
ANSWER = timedelta(seconds=20)  # for a process that is there to answer
PATIENCE = 8.0  # seconds to wait without a message

_meeting: Store | None = None  # where processes find each other; it outlives any of them


def first_to_report() -> bool:
    """Whether no other process has reported an error yet: one cause ends them all, and is reported once.

    Before the processes have met, only torchrun's own store is sure to exist; without one, each reports."""
    try:
        here = launch()
        if not here.several or not (_meeting or _has_agent()):
            return True
        return (_meeting or PrefixStore(f"attempt {here.attempt}", _store())).add("reported", 1) == 1
    except (UsageError, RuntimeError):  # the environment is wrong, or the process that kept the store is gone
        return True


def meet(here: Launch) -> Store:
    """A prefix of the store that no earlier attempt has used: torchrun keeps the store when it restarts the processes.

    Rank 0 cannot tell a greeting from one of an earlier attempt, so it answers all of them until as many as it expects
    have read its answer."""
    global _meeting
    _wait_for_first(here)
    store, token, others = _store(), uuid.uuid4().hex, range(1, here.size)

    def greeting(number: int) -> str:
        return f"greeting {number} of {here.size}"

    def all_have_met() -> bool:
        for other in others:
            if store.check([greeting(other)]):
                store.set(f"answer to {store.get(greeting(other)).decode()}", token)
        return store.add(f"met {token}", 0) >= len(others)

    def missing() -> str:
        absent = [f"{other}" for other in others if not store.check([greeting(other)])]
        return f"process {', '.join(absent) or 'any'} of {here.size} (RANK counts from 0), to come to {meeting_place()}"

    if here.rank:
        store.set(greeting(here.rank), token)
        answer = f"answer to {token}"
        wait(lambda: store.check([answer]), lambda: f"the first of {here.size} processes, at {meeting_place()}")
        token = store.get(answer).decode()
        store.add(f"met {token}", 1)
    else:
        wait(all_have_met, missing)
    _meeting = PrefixStore(token, store)
    return _meeting


def _wait_for_first(here: Launch) -> None:
    """Wait until rank 0, or torchrun in its place, can be reached: torch would go on trying without a message."""
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
    """Wait until something is ready; a message after some seconds says for what.

    Raises:
        LostError: it did not become ready in time."""
    began, reported, pause = time.monotonic(), False, 0.01
    minutes = f"{limit.total_seconds() / 60:.0f} min"
    while not ready():
        waited = time.monotonic() - began
        if waited >= limit.total_seconds():
            raise LostError(
                f"waited {minutes} in vain for {awaited()}; start all processes, each with the same address"
            )
        if waited >= PATIENCE and not reported:
            reported = True
            print_stderr(f"waiting for {awaited()}; still trying, for {minutes} at most")
        time.sleep(pause)
        pause = min(2 * pause, 0.2)


def _has_agent() -> bool:
    """Whether torchrun keeps the store; else rank 0 does."""
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
