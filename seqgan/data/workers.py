"""Texts cut into tokens in several processes, batch by batch and in order.

Each is a Python of its own that reads batches from a pipe and writes numbers back: `multiprocessing` would run the
caller's script once more in each, where that has no `if __name__ == "__main__"`."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress

import numpy as np

from seqgan.data.numbered import Numbered, numbered
from seqgan.errors import SeqGANError

COMMAND = "from seqgan.data.workers import serve; serve()"
Worker = subprocess.Popen[bytes]


def in_processes(batches: Iterable[list[str]], way: str, count: int) -> Iterator[Numbered]:
    """`numbered` of each batch. Where one process is waited for, the others work.

    Raises:
        SeqGANError: a process has ended."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with ExitStack() as stack:
        workers = [_started(stack, environment) for _ in range(count)]
        working: list[Worker] = []
        for number, batch in enumerate(batches):
            worker = workers[number % count]
            if len(working) == count:
                yield _received(working.pop(0))
            _send(worker, way, batch)
            working.append(worker)
        for worker in working:
            yield _received(worker)


def serve() -> None:
    """What such a process does, until its input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the one that has started it ends it
    for line in sys.stdin.buffer:
        way, batch = json.loads(line)
        types, numbers, lengths = numbered(batch, way)
        head = json.dumps([types, len(numbers), len(lengths)]).encode() + b"\n"
        sys.stdout.buffer.write(head + numbers.tobytes() + lengths.tobytes())
        sys.stdout.buffer.flush()


def _started(stack: ExitStack, environment: dict[str, str]) -> Worker:
    worker = subprocess.Popen(
        [sys.executable, "-c", COMMAND], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
    )
    stack.callback(_stop, worker)
    return worker


def _stop(worker: Worker) -> None:
    worker.kill()
    for pipe in (worker.stdin, worker.stdout):
        with suppress(OSError):  # what was written to it and not read is lost with it
            if pipe:
                pipe.close()
    worker.wait()


def _send(worker: Worker, way: str, batch: list[str]) -> None:
    assert worker.stdin
    try:
        worker.stdin.write(json.dumps([way, batch]).encode() + b"\n")
        worker.stdin.flush()
    except OSError as error:
        raise _ended() from error


def _received(worker: Worker) -> Numbered:
    assert worker.stdout
    try:
        types, *sizes = json.loads(worker.stdout.readline())
        numbers, lengths = (np.frombuffer(worker.stdout.read(4 * size), dtype=np.int32, count=size) for size in sizes)
    except ValueError as error:
        raise _ended() from error
    return Numbered(types, numbers, lengths)


def _ended() -> SeqGANError:
    return SeqGANError("a process that cuts texts into words was ended, perhaps for want of memory; try again")
