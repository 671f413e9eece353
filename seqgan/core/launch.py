"""The environment variables that torchrun sets in each process it starts. They are read only here."""

import os
import re
from typing import NamedTuple

from seqgan.errors import UsageError


class Launch(NamedTuple):
    """The ranks of this process."""

    rank: int  # among all
    size: int
    local_rank: int  # among those on this machine
    local_size: int
    attempt: int  # how often torchrun has started them all again

    @property
    def several(self) -> bool:
        return self.size > 1


def launch() -> Launch:
    """The ranks that torchrun gives this process; without torchrun, those of a single one.

    Raises:
        UsageError: a variable is missing, is no whole number, or contradicts another."""
    size = _read("WORLD_SIZE", 1, 1, 2**20)
    rank = _read("RANK", None if size > 1 else 0, 0, size - 1)
    local_size = _read("LOCAL_WORLD_SIZE", 1, 1, size)
    local_rank = _read("LOCAL_RANK", rank, 0, (local_size if "LOCAL_WORLD_SIZE" in os.environ else size) - 1)
    if size > 1:
        _read("MASTER_PORT", None, 1, 2**16 - 1)
        if not os.environ.get("MASTER_ADDR"):
            raise _contradiction("MASTER_ADDR", "the name of the machine of the first process")
    return Launch(rank, size, local_rank, local_size, _read("TORCHELASTIC_RESTART_COUNT", 0, 0, 10**9 - 1))


def meeting_place() -> str:
    """`host:port`, where rank 0 waits for the others."""
    return f"{os.environ['MASTER_ADDR']}:{os.environ['MASTER_PORT']}"


def _read(name: str, default: int | None, least: int, most: int) -> int:
    """A whole number in at most nine decimal digits."""
    text = os.environ.get(name)
    if text is None and default is not None:
        return default
    if not re.fullmatch(r"[0-9]{1,9}", text or "") or not least <= int(text or "") <= most:
        raise _contradiction(name, f"{least}" if least == most else f"a whole number from {least} to {most}")
    return int(text or "")


def _contradiction(name: str, expected: str) -> UsageError:
    text = os.environ.get(name)
    came = "is not set" if text is None else f"is {text[:40]!r}"
    size = os.environ.get("WORLD_SIZE")
    beside = f" where WORLD_SIZE is {size[:40]}" if size and name != "WORLD_SIZE" else ""
    return UsageError(
        f"the environment variable {name} {came}{beside}, but {expected} was expected: torchrun sets it; "
        "to train in one process, unset WORLD_SIZE, RANK and LOCAL_RANK"
    )
