"""A disk that is pulled out: every operation that changes it can be the last."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import torch

from seqgan.core import checkpoint, files, run
from seqgan.core.folder import LOCK
from seqgan.core.page import NAME
from seqgan.core.run import checkpoints

CHANGING = ["open", "write", "fsync", "replace", "rename", "unlink", "truncate", "makedirs"]


class Killed(BaseException):
    """The process is gone: nothing after this reaches the disk, not even what a `finally` tries."""


@contextmanager
def dying_at(operation: int, *, after: bool = False) -> Iterator[SimpleNamespace]:
    """Die before (or right after) the given disk operation, counted from 1; `.count` tells how many there were."""
    seen = SimpleNamespace(count=0, dead=False)

    def wrapped(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            if seen.dead:
                raise Killed
            seen.count += 1
            if seen.count == operation and not after:
                seen.dead = True
                raise Killed
            result = original(*args, **kwargs)
            if seen.count == operation:
                seen.dead = True
                raise Killed
            return result

        return call

    mortal = SimpleNamespace(**{name: getattr(os, name) for name in dir(os) if not name.startswith("__")})
    for name in CHANGING:
        setattr(mortal, name, wrapped(getattr(os, name)))
    # What a clock makes due comes after the same operations every time.
    still = SimpleNamespace(monotonic=lambda: 0.0)
    with mock.patch.object(files, "os", mortal), mock.patch.object(run, "time", still):
        yield seen


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a run but its lock and its report (which has the folder's name in it), with checkpoints replaced by
    what they hold: seconds are no part of a run's truth."""
    found = {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
    found = {name: data for name, data in found.items() if not name.startswith("checkpoints/")}
    newest = next(reversed(checkpoints(folder).items()))
    found = {name: data for name, data in found.items() if name not in (LOCK, NAME)}
    return {**found, "newest checkpoint": f"{newest[0]} {flat(checkpoint.load(newest[1]))}".encode()}


def flat(state: Any) -> str:
    """A nested state as text in which equal bytes read alike."""
    if isinstance(state, torch.Tensor):
        return f"{state.dtype} {tuple(state.shape)} {state.contiguous().numpy().tobytes().hex()}"
    if isinstance(state, dict):
        return (
            "{"
            + ", ".join(
                f"{key!r}: {flat(value)}"
                for key, value in sorted(state.items(), key=lambda item: repr(item[0]))
                if key != "seconds"
            )
            + "}"
        )
    if isinstance(state, list | tuple):
        return "[" + ", ".join(flat(value) for value in state) + "]"
    return repr(state)
