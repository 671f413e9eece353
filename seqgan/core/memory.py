"""Shortage of memory, reported in one line: where, how much was asked for, and which options take less."""

import errno
import gc
import re
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from seqgan.errors import ShortageError

# Options that take memory, those that take most first; smaller values take less.
TAKING = (
    *("count", "batch_size", "hidden_dim", "g_batch_size", "rollouts", "max_length", "vocab_size", "width", "size"),
    *("images", "d_batch_size", "num_filters", "embedding_dim", "d_embedding_dim", "latent_dim"),
)
# The messages of torch, numpy, the C++ libraries and the system.
MESSAGES = re.compile(
    r"out of memory|can't allocate memory|cannot allocate memory|unable to allocate|bad_alloc|failed to map segment"
    r"|can't start new thread|storage size calculation overflowed|not enough memory"
    r"|could not (?:create|execute) a primitive",  # oneDNN, which has no other word for it
    re.IGNORECASE,
)
AMOUNT = re.compile(r"(?:tried to allocate|unable to allocate)\s+([\d.]+)\s*(bytes|[kmgtpe]i?b)\b", re.IGNORECASE)


@contextmanager
def shortage_in(part: str, options: Iterable[str] = ()) -> Iterator[None]:
    """Report a shortage in a part of the work.

    Raises:
        ShortageError: memory ran out."""
    try:
        yield
    except Exception as error:
        if not is_shortage(error):
            raise
        raise ShortageError(in_words(error, part, options)) from error


def is_shortage(error: BaseException) -> bool:
    """Whether an exception means that memory ran out."""
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return True
    return isinstance(error, RuntimeError | ImportError | OSError) and bool(MESSAGES.search(str(error)))


def let_go(error: BaseException) -> None:
    """Free what the frames of an exception still hold, so that there is room for a message."""
    cause: BaseException | None = error
    while cause is not None:
        traceback.clear_frames(cause.__traceback__)
        cause.__traceback__, cause = None, cause.__cause__ or cause.__context__
    gc.collect()


def in_words(error: BaseException, part: str, options: Iterable[str]) -> str:
    """One line on a shortage, which names those of the `options` that take memory."""
    known = set(options)
    taking = [f"--{name.replace('_', '-')}" for name in TAKING if name in known][:6]
    smaller = " or ".join(filter(None, [", ".join(taking[:-1]), *taking[-1:]])) or "the data"
    return f"memory does not suffice for {part}{_amount(error)}; make {smaller} smaller, or free memory on this machine"


def _amount(error: BaseException) -> str:
    found = AMOUNT.search(str(error))
    if not found:
        return ""
    number, unit = float(found[1]), found[2].lower()
    power = 0 if unit == "bytes" else "kmgtpe".index(unit[0]) + 1
    return f": {number * 1024**power / 1e9:.1f} GB more were asked for than there is"
