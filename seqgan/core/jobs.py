"""Many trainings side by side, in processes of their own."""

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

import torch

from seqgan.errors import LostError

J = TypeVar("J")
R = TypeVar("R")


def side_by_side(do: Callable[[J], R], jobs: Sequence[J], workers: int, threads: int = 1) -> Iterator[tuple[J, R]]:
    """Each job with its result, as they are done: so many at a time, each on so many threads. A single worker is this
    process.

    `do` is a function of a module, and jobs and results can be sent from process to process.

    Raises:
        LostError: a process was killed."""
    if workers == 1:
        torch.set_num_threads(threads)
        yield from ((job, do(job)) for job in jobs)
        return
    if not jobs:
        return
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, spawn, initializer=_begin_worker, initargs=(threads,)) as pool:
        try:
            waiting = {pool.submit(do, job): job for job in jobs}
            for done in as_completed(waiting):
                yield waiting[done], done.result()
        except BrokenProcessPool as error:
            raise LostError("a process of the bench was killed; the same command resumes it") from error
        finally:
            pool.shutdown(cancel_futures=True)


def _begin_worker(threads: int) -> None:
    """No worker outlives the process that it works for, or it would keep its run locked."""
    torch.set_num_threads(threads)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def end_with_parent() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=end_with_parent, daemon=True).start()
